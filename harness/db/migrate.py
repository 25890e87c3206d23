"""Migrations: SQL files run one after the other, and a mistake in one of them named with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
from pglast import parser
from psycopg import pq

from harness.words.errors import CouldNotRun, HarnessError, UsageError

SERVER_TROUBLE = ("08", "53", "57", "58", "XX")
"""How the SQLSTATEs begin that are no fault of the file's: connection, resources, intervention, system, corruption."""

_COPY = re.compile(r"^\s*COPY\b[^;]*?\bFROM\s+STDIN\b", re.IGNORECASE | re.MULTILINE)


def apply(connection: psycopg.Connection[Any], files: Sequence[Path]) -> None:
    """Run the statements of the files in order, each in a transaction of its own unless the file says BEGIN.

    The connection must be in autocommit. Settings that a file makes end with it, as when each file is given to psql.

    Raises ``UsageError`` with file and line for a file that cannot be read, a command that only psql knows, and a
    statement that the server refuses; ``CouldNotRun`` when the server fails. What was run before stays.
    """
    for file in files:
        text = _read(file)
        for start, statement in _statements(file, text):
            try:
                connection.execute(statement.encode())
            except psycopg.Error as error:
                if not connection.closed:
                    connection.rollback()
                raise _refused(error, file, text, start) from error
        if connection.info.transaction_status != pq.TransactionStatus.IDLE:
            connection.rollback()
            raise UsageError(
                "open-transaction",
                f"{file} ends inside a transaction",
                expected="a COMMIT for every BEGIN",
                remedy="end it with COMMIT",
            )
        connection.execute("RESET ALL")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else f"no UTF-8 at byte {error.start}"
        raise UsageError("unreadable-file", f"{file}: {said}", expected="a readable file of SQL in UTF-8") from error


def _statements(file: Path, text: str) -> Iterator[tuple[int, str]]:
    """(offset in ``text``, statement) for each statement. Raises ``UsageError`` for what only psql understands.

    PostgreSQL's own parser finds the ends. What it does not understand goes to the server in one piece: that one may
    be newer, and if not, its own words are the best.
    """
    try:
        slices = parser.split(text, only_slices=True)
    except parser.ParseError as error:
        at = int(error.args[1] or 0)
        _reject_psql(file, text, at)
        yield 0, text
        return
    for piece in slices:
        yield piece.start, text[piece]


def _reject_psql(file: Path, text: str, at: int) -> None:
    """Raise for a psql command at this offset, or data for a COPY anywhere before it."""
    if text.startswith("\\", at):
        command = text[at:].split(maxsplit=1)[0]
        raise UsageError(
            "psql-command",
            f"{file}:{_line(text, at)}: {command} is a command of psql",
            expected="statements of SQL",
            remedy="take it out, or write what it does in SQL",
        )
    if copy := _COPY.search(text, 0, at):
        raise UsageError(
            "psql-command",
            f"{file}:{_line(text, copy.end())}: data for COPY FROM STDIN can be read by psql only",
            expected="statements of SQL",
            remedy="write INSERT statements, with pg_dump --inserts for example",
        )


def _refused(error: psycopg.Error, file: Path, text: str, start: int) -> HarnessError:
    """What the server said about the statement at offset ``start``, with the line that it points at."""
    position = error.diag.statement_position
    offset = start + int(position) - 1 if position else start
    place = f"{file}:{_line(text, offset)}"
    said = error.diag.message_primary or str(error).strip()
    state = error.sqlstate or ""
    if state.startswith(SERVER_TROUBLE) or (not state and isinstance(error, psycopg.OperationalError)):
        return CouldNotRun("server-failed", f"{place}: the server failed: {said}", remedy="see the server's log")
    return UsageError("bad-sql", f"{place}: the server refused: {said}", remedy=error.diag.message_hint or "")


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1
