"""The reference subject on a database, its functions called one by one in the names of a start, and what each changed.

Everything happens in one transaction that is rolled back: a test sees the start and what it did itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from harness.db.any_server import AnyServer
from harness.db.instrument import install, plan
from harness.db.migrate import apply
from harness.db.stage import install_gate
from harness.marketplace.fixtures import filling
from harness.marketplace.names import Names
from harness.marketplace.probes import Probes
from harness.marketplace.start import Start, State
from harness.marketplace.subject import load_subject
from harness.resources import bundled


class Named(NamedTuple):
    """A thing of a start: ``Named("lead", "L1")``."""

    kind: str
    name: str


def workspace(name: str) -> Named:
    return Named("workspace", name)


def purchase(name: str) -> Named:
    return Named("purchase", name)


def lead(*names: str) -> list[Named]:
    return [Named("lead", name) for name in names]


A, B = workspace("A"), workspace("B")


class Case(NamedTuple):
    """What a function answers and changes, after the calls of ``first``.

    A call is the function's name and its arguments; ``Named`` stands for an id, a list of them for an array.
    ``answer`` are the rows; or the word of a refusal; or, when it has five characters, an SQLSTATE.
    """

    what: str
    call: tuple[Any, ...]
    answer: list[dict[str, Any]] | str
    changes: Mapping[str, str | None] = {}
    first: tuple[tuple[Any, ...], ...] = ()

    def check(self, shop: Shop) -> None:
        for call in self.first:
            shop.ask(*call)
        with shop.changes() as changes:
            if isinstance(self.answer, str):
                with pytest.raises(Refused) as refused:
                    shop.ask(*self.call)
                word = refused.value.code if refused.value.state == RAISED else refused.value.state
                assert word == self.answer
            else:
                assert shop.ask(*self.call) == self.answer
        assert changes == self.changes


class Refused(Exception):
    """A function raised: with this SQLSTATE, this message and, where it has one, the JSON object of its detail."""

    def __init__(self, state: str, code: str, detail: Any) -> None:
        super().__init__(state, code, detail)
        self.state, self.code, self.detail = state, code, detail


RAISED = "P0001"
"""The SQLSTATE of a plain RAISE."""


class Shop:
    """One session of a client, in a role, on a start."""

    def __init__(self, connection: psycopg.Connection[Any], start: Start, role: str) -> None:
        subject = load_subject("reference", bundled("sql"))
        self.connection = connection
        self._role = sql.Identifier(role)
        self._names = Names(subject.ids, start, ["new"])
        self._probes = Probes(subject, self._names)
        for statement in filling(subject, self._names, start, connection):
            connection.execute(statement.text.encode())

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Nothing of what happens in the block stays."""
        with self.connection.transaction(force_rollback=True):
            yield

    def ask(self, function: str, *arguments: Any) -> list[dict[str, Any]]:
        """The rows of a function's answer, ids as names. Raises ``Refused``; nothing is changed then."""
        holes = sql.SQL(", ").join(sql.Placeholder() * len(arguments))
        call = sql.SQL("SELECT * FROM {}({})").format(sql.Identifier(function), holes)
        return self.execute(call, arguments)

    def execute(self, query: sql.Composed | sql.SQL, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """A statement of the client's own."""
        connection = self.connection
        try:
            with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
                connection.execute(sql.SQL("SET LOCAL ROLE {}").format(self._role))
                cursor.execute(query, [self.id_of(parameter) for parameter in parameters])
                rows = cursor.fetchall() if cursor.description else []
                connection.execute("RESET ROLE")
        except psycopg.Error as error:
            diag = error.diag
            detail = json.loads(diag.message_detail) if error.sqlstate == RAISED and diag.message_detail else None
            raise Refused(error.sqlstate or "", diag.message_primary or str(error), self._name(detail)) from error
        return [{column: self._name(value) for column, value in row.items()} for row in rows]

    def state(self) -> State:
        row = self.connection.execute(self._probes.query_of_all(self.connection)).fetchone()
        assert row is not None
        return self._probes.state(row[0].encode())

    @contextmanager
    def changes(self) -> Iterator[dict[str, str | None]]:
        """What the block changed: thing to its new value, None for what is not there any more."""
        before, found = facts(self.state()), dict[str, str | None]()
        yield found
        after = facts(self.state())
        found.update(
            {thing: after.get(thing) for thing in {**before, **after} if before.get(thing) != after.get(thing)}
        )

    def id_of(self, value: Any) -> Any:
        """The id of what is named; a list of them for a list; anything else as it is."""
        if isinstance(value, Named):
            return self._names.id_of(value.kind, value.name)
        return [self.id_of(each) for each in value] if isinstance(value, list) else value

    def _name(self, value: Any) -> Any:
        if isinstance(value, UUID | str):
            return self._names.name_of(str(value))
        if isinstance(value, dict):
            return {key: self._name(each) for key, each in value.items()}
        return [self._name(each) for each in value] if isinstance(value, list) else value


@contextmanager
def installed(server: AnyServer, *, instrumented: bool) -> Iterator[str]:
    """The DSN of a database with the reference subject in it, and with points in its functions if so asked."""
    subject = load_subject("reference", bundled("sql"))
    server.ensure_roles(subject.roles)
    with server.database() as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            apply(connection, subject.migrations)
            install_gate(connection)
            if instrumented:
                install(connection, plan(connection, subject.schemas))
        yield dsn


@contextmanager
def opened(connection: psycopg.Connection[Any], start: Start, role: str = "service_role") -> Iterator[Shop]:
    """A shop on empty tables of the reference subject; they are empty again afterwards."""
    with connection.transaction(force_rollback=True):
        yield Shop(connection, start, role)


def facts(state: State) -> dict[str, str]:
    """A state as sentences: ``A has`` 40, ``L1 is`` sold, ``p paid`` 10. Every ledger must sum to its balance."""
    assert state.ledger is not None
    assert state.charges is not None
    assert dict(state.ledger) == dict(state.balances)
    told = {f"{name} has": str(balance) for name, balance in state.balances}
    told |= {f"{name} is": f"{lead.status} {lead.sold_count}" for name, lead in state.leads}
    told |= {f"{name} is": status for name, status in (*state.purchases, *(state.top_ups or ()))}
    told |= {f"{name} buys": " ".join(leads) for name, leads in state.items}
    told |= {f"{name} holds": " ".join(leads) for name, leads in state.reservations or ()}
    told |= {f"{name} paid": f"{workspace} {amount}" for name, workspace, amount in state.charges}
    return told
