"""The functions in ``functions/``: how to load them, and what a call of one looks like from outside.

A file is SQL, to be run after ``schema.sql``. Its lines ``--= statement`` are the calls, made in their order when all
the functions are there, each in a transaction of its own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection
from psycopg.errors import Diagnostic

FOLDER = Path(__file__).with_name("functions")
FILES = sorted(path.name for path in FOLDER.glob("*.sql") if path.name != "schema.sql")

POINT = """
CREATE SCHEMA harness;
GRANT USAGE ON SCHEMA harness TO PUBLIC;
CREATE FUNCTION harness.point(p_point integer) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RAISE LOG 'point %', p_point;
  RETURN true;
END $$;
CREATE FUNCTION harness.mark(p_mark integer) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RAISE LOG 'mark %', p_mark;
  RETURN true;
END $$;
CREATE FUNCTION harness.saw(p_point integer, p_values json) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RAISE LOG 'saw % %', p_point, p_values;
  RETURN true;
END $$;
"""
"""A gate that lets everybody pass; with ``client_min_messages = log`` it tells who does, and which marks are passed."""


class Outcome(NamedTuple):
    """What a statement gave: its rows or its error, and the messages on the way."""

    answer: Any
    messages: tuple[tuple[str | None, ...], ...]


def connect(dsn: str) -> Connection[tuple[Any, ...]]:
    return psycopg.connect(dsn, autocommit=True)


def load(connection: Connection[Any], file: str) -> None:
    """Make the schemas ``harness`` and ``nasty`` anew, with the functions of a file."""
    connection.execute("SET client_min_messages = warning; DROP SCHEMA IF EXISTS nasty, harness CASCADE")
    connection.execute("RESET client_min_messages")
    for text in (POINT, (FOLDER / "schema.sql").read_text(), (FOLDER / file).read_text()):
        connection.execute(text.encode())


def ask_for_marks(connection: Connection[Any], marks: int) -> None:
    """From now on the marks up to this number announce themselves in this session, and no others."""
    connection.execute(
        "SELECT set_config('harness.mark_' || mark, CASE WHEN mark <= %s THEN '1' ELSE '0' END, false)"
        " FROM generate_series(1, 1000) AS mark",
        [marks],
    )


def calls(file: str) -> list[str]:
    return re.findall(r"^--= (.*)$", (FOLDER / file).read_text(), re.MULTILINE)


def outcome(connection: Connection[Any], statement: str) -> Outcome:
    """Run a statement and give all that its client can see of it."""
    messages: list[tuple[str | None, ...]] = []

    def note(diagnostic: Diagnostic) -> None:
        messages.append(_fields(diagnostic))

    connection.add_notice_handler(note)
    try:
        cursor = connection.execute(statement.encode())
        answer: Any = cursor.fetchall() if cursor.description else cursor.statusmessage
    except psycopg.Error as error:
        answer = _fields(error.diag)
        connection.rollback()
    finally:
        connection.remove_notice_handler(note)
    return Outcome(answer, tuple(messages))


def _fields(diagnostic: Diagnostic) -> tuple[str | None, ...]:
    return (
        diagnostic.severity,
        diagnostic.sqlstate,
        diagnostic.message_primary,
        diagnostic.message_detail,
        diagnostic.message_hint,
        diagnostic.context,
        diagnostic.internal_query,
        diagnostic.statement_position,
        diagnostic.constraint_name,
    )
