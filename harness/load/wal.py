"""Commit order, from the write-ahead log, by logical decoding over SQL.

The order in which transactions are in the log is the order in which they committed; no clock and no sequence says it.
A slot keeps the log until it was read. The plugin is test_decoding, which comes with PostgreSQL: pgoutput would need a
publication, an object of its own in the database, under which updates of tables without a key fail.

What is read is written to the journal first and given up to the server then, so that a crash of the server between the
two costs nothing; what is told twice is known by its place in the log.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql

from harness.load.journal import Commit, JournalWriter
from harness.load.rows import EMPTY, TABLES, Reader, Row, settled
from harness.words.errors import CouldNotRun, HarnessError

_CHANGES_MAX = 20_000
"""Changes that are read at a time; a transaction is never cut in two."""
_RECONNECT_S_MAX = 60
_RETRY_S = 0.05

_COMMIT = re.compile(r"COMMIT (\d+) \(at (.+)\)")
_OPTIONS = ("include-xids", "1", "include-timestamp", "1", "skip-empty-xacts", "1")


class Recorder:
    """A context manager: all commits from entering to leaving are in the journal at ``path``.

    Enter it before anybody writes, and leave it when nobody does any more. ``dsn`` is of a role that may use logical
    decoding (a superuser, or REPLICATION). A ``lasting`` slot outlives a crash of the server, and must be dropped; it
    is for servers of ours. The other kind goes with its session, however that ends, and is for servers of others.

    Raises ``CouldNotRun`` on entering a server that cannot decode, and on leaving when something could not be recorded.
    """

    def __init__(
        self, dsn: str, path: Path, *, schemas: Sequence[str] = ("public",), lasting: bool = True, every_s: float = 1.0
    ) -> None:
        self._dsn = dsn
        self._path = path
        self._schemas = list(schemas)
        self._lasting = lasting
        self._every_s = every_s
        self._slot = f"harness_{secrets.token_hex(8)}"
        self._reader = Reader(schemas)
        self._stop = Event()
        self._failure: Exception | None = None
        self._exits = ExitStack()

    @property
    def commits(self) -> int:
        """How many are in the journal so far."""
        return self._journal.commits

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            self._connection = self._connect()
            entered.callback(lambda: self._connection.close())
            self._look()
            self._create_slot()
            entered.callback(self._drop_slot)
            tables = self._tables()
            self._journal = entered.enter_context(JournalWriter(self._path, [TABLES[name][0] for _, name in tables]))
            self._journal.start(self._rows_there(tables))
            self._thread = Thread(target=self._drain_now_and_then, name="commit journal", daemon=True)
            self._thread.start()
            self._exits = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        with self._exits:
            if self._failure is not None:
                raise self._failure
            if kind is None:
                self._drain_to_the_end()
                self._journal.finish()

    def _connect(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(self._dsn, autocommit=True, application_name="harness commit journal")
        connection.execute("SET statement_timeout = 0")
        connection.execute("SET timezone = 'UTC'")
        return connection

    def _look(self) -> None:
        row = self._connection.execute("SHOW wal_level").fetchone()
        if row is None or row[0] != "logical":
            raise CouldNotRun(
                "no-logical-decoding",
                f"wal_level of the server is {row[0] if row else 'unknown'}",
                expected="logical, for a load run is judged in the order of its commits",
                remedy="set wal_level = logical and restart the server, or leave --dsn out",
            )

    def _create_slot(self) -> None:
        try:
            self._connection.execute(
                "SELECT pg_create_logical_replication_slot(%s, 'test_decoding', %s)", (self._slot, not self._lasting)
            )
        except psycopg.Error as error:
            raise CouldNotRun(
                "no-logical-decoding",
                f"the server makes no replication slot: {error.diag.message_primary or error}",
                expected="the plugin test_decoding, a free slot (max_replication_slots) and the right of REPLICATION",
                remedy="allow it, or leave --dsn out",
            ) from error

    def _drop_slot(self) -> None:
        """Also when the session was lost; a slot that nobody drops keeps the log for ever."""
        if self._connection.closed or self._connection.broken:
            self._connection = self._reconnect()
        self._connection.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", (self._slot,)
        )

    def _tables(self) -> list[tuple[str, str]]:
        """Schema and name of those that the subject has."""
        return self._connection.execute(
            "SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
            " WHERE n.nspname = ANY (%s) AND c.relname = ANY (%s) AND c.relkind IN ('r', 'p')",
            (self._schemas, list(TABLES)),
        ).fetchall()

    def _rows_there(self, tables: Sequence[tuple[str, str]]) -> Iterator[Row]:
        """Everything, streamed."""
        with self._connection.transaction():
            for schema, table in tables:
                word, columns = TABLES[table]
                there = self._connection.execute(
                    "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
                    (schema, table),
                )
                known = {name for (name,) in there.fetchall()}
                values = [
                    sql.SQL("{}::text").format(sql.Identifier(column)) if column in known else sql.SQL("NULL")
                    for column in columns
                ]
                query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(values), sql.Identifier(schema, table))
                with self._connection.cursor(f"start_{word}") as cursor:
                    cursor.itersize = _CHANGES_MAX
                    for row in cursor.execute(query):
                        yield [word, "I", *("" if value is None else value or EMPTY for value in row)]

    def _drain_now_and_then(self) -> None:
        try:
            while not self._stop.wait(self._every_s):
                self._drain()
        except (psycopg.Error, HarnessError, OSError) as error:
            self._failure = error

    def _drain_to_the_end(self) -> None:
        """Until the journal has all that the log had when this began."""
        target = self._connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
        flushed = "SELECT pg_current_wal_flush_lsn() >= %s::pg_lsn"
        # What was committed without waiting for the disk is on it a moment later.
        while self._connection.execute(flushed, target).fetchone() == (False,):
            sleep(_RETRY_S)
        self._drain()

    def _drain(self) -> None:
        """All that there is now. A server that went away is waited for."""
        while True:
            try:
                if not self._read_some():
                    return
            except psycopg.OperationalError:
                if not self._lasting:
                    raise
                sleep(_RETRY_S)
                self._connection = self._reconnect()

    def _read_some(self) -> bool:
        connection = self._connection
        if self._can_log_snapshot(connection):
            # Where decoding begins the next time: without it, every look reads the log of many seconds again.
            connection.execute("SELECT pg_log_standby_snapshot()")
        changes = connection.execute(
            "SELECT lsn - '0/0', data FROM pg_logical_slot_peek_changes(%s, NULL, %s, VARIADIC %s)",
            (self._slot, _CHANGES_MAX, list(_OPTIONS)),
        ).fetchall()
        rows: list[Row] = []
        end = 0
        for place, text in changes:
            if text.startswith("table "):
                rows += self._reader.rows(text)
            elif text.startswith("COMMIT"):
                end = int(place)
                if rows:
                    self._journal.write(_commit(end, text, settled(rows)))
                rows = []
        self._journal.flush()
        if end:
            connection.execute("SELECT pg_replication_slot_advance(%s, '0/0'::pg_lsn + %s)", (self._slot, end))
        return len(changes) >= _CHANGES_MAX

    def _can_log_snapshot(self, connection: psycopg.Connection[Any]) -> bool:
        row = connection.execute(
            "SELECT coalesce(has_function_privilege(to_regprocedure('pg_log_standby_snapshot()'), 'EXECUTE'), false)"
        ).fetchone()
        return bool(row and row[0])

    def _reconnect(self) -> psycopg.Connection[Any]:
        deadline = monotonic() + _RECONNECT_S_MAX
        while True:
            try:
                return self._connect()
            except psycopg.OperationalError as error:
                if monotonic() > deadline:
                    raise CouldNotRun(
                        "connection-lost", f"the server did not come back: {error}", remedy="look at the server's log"
                    ) from error
                sleep(_RETRY_S)


def _commit(end: int, text: str, rows: list[Row]) -> Commit:
    found = _COMMIT.fullmatch(text)
    if found is None:
        raise CouldNotRun("journal-unreadable", f"the plugin printed {text!r:.60}", expected="COMMIT with id and time")
    return Commit(end, int(found[1]), datetime.fromisoformat(found[2]).timestamp(), rows)
