"""A world: one scenario's start in a subject's tables, put back before every run and read back after it."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import Connection, pq, sql

from harness.marketplace.fixtures import Filling, adding, filling, function_body, wiping
from harness.marketplace.model import initial, state_of
from harness.marketplace.names import Names
from harness.marketplace.operations import Operation, Purchasing
from harness.marketplace.probes import Probes
from harness.marketplace.start import Start, State
from harness.marketplace.subject import Subject
from harness.words.errors import CouldNotRun, UsageError

_DEAD_ROWS_MAX = 200
"""A table is vacuumed before it has more: its few pages must stay few, or the server would choose other plans."""

_LOCK_TIMEOUT_S = 10
"""Nobody holds a lock between two runs."""

_numbers = itertools.count(1)


class World:
    """Many worlds may live in one database, one after the other: each wipes the tables before it fills them.

    Connections are synchronous, in autocommit mode and a superuser's; ``install`` comes first. ``names`` gives the ids
    of everything that the start declares or the operations create; given, it may know of what ``add`` will make.
    """

    def __init__(
        self, subject: Subject, start: Start, operations: Iterable[Operation] = (), names: Names | None = None
    ) -> None:
        operations = tuple(operations)
        if missing := subject.lacks(start, operations):
            raise UsageError("not-applicable", f"{subject.file.path}: the subject has no {', no '.join(missing)}")
        made = [operation.purchase for operation in operations if isinstance(operation, Purchasing)]
        self.names = names or Names(subject.ids, start, made)
        self._subject = subject
        self._start = start
        self._probes = Probes(subject, self.names)
        self._function = sql.Identifier("harness", "reset")
        self._reset_name = self._read_name = b""
        self._tables: list[sql.Identifier] = []
        self._rows: dict[str, int] = {}
        self._resets = 0
        self._vacuum_every = 1
        self._look_at = 2

    def install(self, connection: Connection[Any]) -> None:
        """Try the fixtures and probes, and leave one function that resets. The schema ``harness`` must be there.

        Raises ``UsageError`` for a statement that the server refuses (triggers and foreign keys are on for this trial),
        and when the probes do not read back what the fixtures were told to make.
        """
        wipe = wiping(self._subject, connection)
        fill = filling(self._subject, self.names, self._start, connection)
        body = function_body([*wipe, *fill])
        tried = hashlib.sha256(body.encode() + self.question(connection))
        name = f"reset_{tried.hexdigest()[:12]}"
        self._function = sql.Identifier("harness", name)
        if connection.execute("SELECT to_regproc(%s)", (f"harness.{name}",)).fetchone() == (None,):
            # Not for every world: there may be hundreds, of a few starts.
            self._try_all(connection, wipe, fill)
            connection.execute(
                sql.SQL("CREATE FUNCTION {}() RETURNS void LANGUAGE plpgsql AS {}").format(self._function, body)
            )
        self.attach(connection)
        self._run(connection, self._reset_name)
        self._compare(self.read(connection), "after the first reset")
        self._tables = [
            sql.Identifier(schema, table)
            for schema, table in connection.execute(_TABLES, (list(self._subject.schemas),)).fetchall()
        ]
        self._rows = self._count(connection)
        self._resets, self._look_at = 0, 2
        self._vacuum_every = max(16, _DEAD_ROWS_MAX // max([4, *self._rows.values()]))
        self._vacuum(connection)

    def attach(self, connection: Connection[Any]) -> None:
        """Go on on another connection to the same database, the one before being lost, say. Changes no row."""
        # What psycopg prepares itself it deallocates when it sees an ALTER, and what we have prepared with it.
        connection.prepare_threshold = None
        connection.execute(sql.SQL("SET lock_timeout = {}").format(f"{_LOCK_TIMEOUT_S}s"))
        # Off are the triggers that would refuse the wipe, and the look at foreign keys, which were found in order.
        # Once and for all: to switch this costs the session every plan that it has made.
        connection.execute("SET session_replication_role = replica")
        number = next(_numbers)
        self._reset_name, self._read_name = b"harness_reset_%d" % number, b"harness_read_%d" % number
        self._prepare(connection, self._reset_name, sql.SQL("SELECT {}()").format(self._function))
        self._prepare(connection, self._read_name, self._probes.query_of_all(connection))

    def reset(self, connection: Connection[Any]) -> None:
        """Put the start back, on the connection that installed it, or the last one that was attached.

        Raises ``CouldNotRun`` when a run has left a lock behind, and ``UsageError`` when it has left rows behind that
        the wipe does not know of.
        """
        self._run(connection, self._reset_name)
        self._resets += 1
        if self._resets == self._look_at:
            # At 2, 4, 8, ...: a forgotten table is seen at once, and it costs nothing later.
            self._look_at *= 2
            self._look_for_leftovers(connection)
        if self._resets % self._vacuum_every == 0:
            self._vacuum(connection)

    def add(self, before: Start, after: Start, connection: Connection[Any]) -> None:
        """Make what ``after`` declares and ``before`` does not, between two operations. ``UsageError`` if refused."""
        if statements := adding(self._subject, self.names, before, after, connection):
            # In one message: most of what a statement costs is its way there and back.
            self._attempt(connection, statements[0], ";\n".join(each.text.rstrip("; \n") for each in statements))

    def read(self, connection: Connection[Any]) -> State:
        """What the probes say now. Raises ``UsageError`` for a probe that the server refuses."""
        return self._probes.state(self._run(connection, self._read_name))

    def question(self, connection: Connection[Any]) -> bytes:
        """What ``read`` asks, as one SELECT of one text, for whoever asks it on a connection of its own."""
        return self._probes.query_of_all(connection).as_bytes(connection)

    def state(self, answer: bytes) -> State:
        """The state that an answer to ``question`` tells."""
        return self._probes.state(answer)

    def _run(self, connection: Connection[Any], name: bytes) -> bytes:
        """Executes what was prepared under this name, on libpq directly: a cursor would cost as much as the server."""
        result = connection.pgconn.exec_prepared(name, ())
        if result.status == pq.ExecStatus.TUPLES_OK:
            return result.get_value(0, 0) or b""
        error = psycopg.errors.error_from_result(result)
        said = error.diag.message_primary or str(error)
        if name == self._read_name:
            place = self._subject.file.place("probes")
            raise UsageError("bad-probe", f"{place}: the probes cannot be read: {said}") from error
        raise CouldNotRun(
            "reset-failed", f"the tables cannot be reset: {said}", remedy="look for a session that holds locks"
        ) from error

    def _prepare(self, connection: Connection[Any], name: bytes, statement: sql.Composed) -> None:
        result = connection.pgconn.prepare(name, statement.as_bytes(connection))
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(result)

    def _try_all(self, connection: Connection[Any], wipe: Sequence[Filling], fill: Sequence[Filling]) -> None:
        """What there is a function for in this database was tried there."""
        connection.execute(sql.SQL("SET lock_timeout = {}").format(f"{_LOCK_TIMEOUT_S}s"))
        connection.execute("SET session_replication_role = origin")
        with connection.transaction(force_rollback=True):
            self._try(connection, wipe, fill)
        self._let_triggers_fire(connection, fill)

    def _try(self, connection: Connection[Any], wipe: Sequence[Filling], fill: Sequence[Filling]) -> None:
        """Everything once, one by one, so that it is known what the server refuses."""
        for role, statements in (("replica", wipe), ("origin", fill)):
            connection.execute(sql.SQL("SET LOCAL session_replication_role = {}").format(role))
            for statement in statements:
                self._attempt(connection, statement, statement.text)
        self._attempt(connection, fill[-1], "SET CONSTRAINTS ALL IMMEDIATE")
        for probe in self._subject.probes:
            query = self._probes.query(connection, probe)
            try:
                connection.execute(query)
            except psycopg.Error as error:
                raise self._refused("probes", probe, probe, error) from error
        row = connection.execute(self._probes.query_of_all(connection)).fetchone()
        self._compare(self._probes.state(row[0].encode() if row else b""), "after the fixtures")

    def _attempt(self, connection: Connection[Any], statement: Filling, text: str) -> None:
        try:
            connection.execute(text.encode())
        except psycopg.Error as error:
            what = f"{statement.fixture} of {statement.about}" if statement.about else statement.fixture
            raise self._refused("fixtures", statement.fixture, what, error) from error

    def _refused(self, table: str, key: str, what: str, error: psycopg.Error) -> UsageError:
        said = error.diag.message_primary or str(error)
        detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
        return UsageError(
            f"bad-{table.removesuffix('s')}",
            f"{self._subject.file.place(table, key)}: the server refused {what}: {said}{detail}",
            remedy="mend that statement",
        )

    def _compare(self, seen: State, when: str) -> None:
        """The probes must read back the start: balances, leads sold, purchases, items, and what else is probed."""
        wanted = state_of(initial(self._start))
        for probe, reading in _START_READINGS.items():
            if getattr(seen, probe) is None:
                continue
            expected, found = reading(wanted), reading(seen)
            for name, value in expected.items():
                if found.get(name) != value:
                    place = self._subject.file.place("probes", probe)
                    raise UsageError(
                        "fixture-not-read-back",
                        f"{place}: {when}, {probe} reads {found.get(name)} for {name}",
                        expected=str(value),
                        remedy="mend the fixture or the probe",
                    )

    def _let_triggers_fire(self, connection: Connection[Any], fill: Sequence[Filling]) -> None:
        """The subject's own triggers that fill rows in must do so in our session, too; in others nothing changes."""
        updates = not all(statement.only_inserts for statement in fill)
        found = connection.execute(_TRIGGERS, {"schemas": list(self._subject.schemas), "updates": updates})
        for schema, table, trigger in found.fetchall():
            connection.execute(
                sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(
                    sql.Identifier(schema, table), sql.Identifier(trigger)
                )
            )

    def _count(self, connection: Connection[Any]) -> dict[str, int]:
        """Rows of every table of the subject's schemas."""
        counts = [sql.SQL("(SELECT count(*) FROM {})").format(table) for table in self._tables]
        row = connection.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(counts))).fetchone() or ()
        return dict(zip((table.as_string() for table in self._tables), row, strict=True))

    def _look_for_leftovers(self, connection: Connection[Any]) -> None:
        for table, rows in self._count(connection).items():
            if rows != self._rows[table]:
                raise UsageError(
                    "wipe-leaves-rows",
                    f"{self._subject.file.place('fixtures', 'wipe')}: {table} has {rows} rows after a reset",
                    expected=f"{self._rows[table]}, as after the first",
                    remedy="wipe that table too",
                )

    def _vacuum(self, connection: Connection[Any]) -> None:
        if self._tables:
            connection.execute(sql.SQL("VACUUM {}").format(sql.SQL(", ").join(self._tables)))


_START_READINGS: Mapping[str, Callable[[State], Mapping[str, object]]] = {
    "balances": lambda state: dict(state.balances),
    "leads": lambda state: {name: (lead.status == "sold", lead.sold_count) for name, lead in state.leads},
    "purchases": lambda state: dict(state.purchases),
    "items": lambda state: dict(state.items),
    "ledger": lambda state: dict(state.ledger or ()),
    "reservations": lambda state: dict(state.reservations or ()),
    "top_ups": lambda state: dict(state.top_ups or ()),
}

_TABLES = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%s) AND c.relkind = 'r' ORDER BY 1, 2
"""

_TRIGGERS = """
SELECT n.nspname, c.relname, t.tgname
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_namespace owner ON owner.oid = p.pronamespace
WHERE n.nspname = ANY (%(schemas)s) AND owner.nspname <> 'harness' AND NOT t.tgisinternal AND t.tgenabled = 'O'
  -- The bits of INSERT and UPDATE (pg_trigger.h).
  AND (t.tgtype & 4 <> 0 OR (t.tgtype & 16 <> 0 AND %(updates)s))
"""
