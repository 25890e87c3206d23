"""A client that costs next to nothing: the statements of a call, prepared, on libpq directly.

What psycopg does around a statement takes as long as a small function. Parameters have the types that psycopg would
give them, so that the server resolves every call as it does for a client.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from time import perf_counter_ns
from typing import Any
from uuid import UUID

import psycopg
from psycopg import pq
from psycopg.types.numeric import Int8

from harness.marketplace.subject import Subject

_OIDS = {UUID: (2950, 2951), Int8: (20, 1016), Decimal: (1700, 1231), bool: (16, 1000), str: (0, 1009)}
"""Python type to the oids of its type and of arrays of it; 0 is for the server to find out, as for any text."""

_PLACE = re.compile(r"%(?:(%)|\((\w+)\)s)")


class CallFailed(Exception):
    """A call that was not carried out: what the server, or the function, said."""


@dataclass(slots=True)
class _Prepared:
    name: bytes
    places: tuple[str, ...]
    columns: tuple[str, ...]


class Caller:
    """Carries out operations of a subject on one connection in autocommit mode, in the role that it has."""

    def __init__(self, connection: psycopg.Connection[Any], subject: Subject) -> None:
        self._pg = connection.pgconn
        self._connection = connection
        self._texts = subject.calls
        self._prepared: dict[tuple[str, int], _Prepared] = {}
        self._numbers = count(1)

    @property
    def pid(self) -> int:
        """Of the backend."""
        return self._connection.info.backend_pid

    def perform(self, operation: str, values: Mapping[str, Any]) -> int:
        """Ask for one operation; the nanoseconds until its last answer. Raises ``CallFailed`` for a refusal, too."""
        known = {name: _spell(value) for name, value in values.items()}
        passed = 0
        for number in range(len(self._texts[operation])):
            statement = self._prepared.get((operation, number)) or self._prepare(operation, number, known)
            parameters: list[Any] = [known[place][1] for place in statement.places]
            began = perf_counter_ns()
            result = self._pg.exec_prepared(statement.name, parameters)
            passed += perf_counter_ns() - began
            if result.status == pq.ExecStatus.COMMAND_OK:
                continue
            if result.status != pq.ExecStatus.TUPLES_OK:
                self._fail(psycopg.errors.error_from_result(result))
            if result.ntuples:
                self._read(statement, result, known)
        return passed

    def _prepare(self, operation: str, number: int, known: Mapping[str, tuple[int, bytes | None]]) -> _Prepared:
        places: list[str] = []

        def place(found: re.Match[str]) -> str:
            if found[1]:
                return "%"
            if found[2] not in places:
                places.append(found[2])
            return f"${places.index(found[2]) + 1}"

        text = _PLACE.sub(place, self._texts[operation][number])
        if missing := [name for name in places if name not in known]:
            self._fail(f"statement {number + 1} needs %({missing[0]})s, which no earlier statement has answered")
        name = b"harness_%d" % next(self._numbers)
        made = self._pg.prepare(name, text.encode(), [known[each][0] for each in places])
        if made.status != pq.ExecStatus.COMMAND_OK:
            self._fail(psycopg.errors.error_from_result(made))
        told = self._pg.describe_prepared(name)
        columns = tuple((told.fname(column) or b"").decode() for column in range(told.nfields))
        prepared = self._prepared[operation, number] = _Prepared(name, tuple(places), columns)
        return prepared

    def _read(self, statement: _Prepared, result: pq.abc.PGresult, known: dict[str, tuple[int, bytes | None]]) -> None:
        """The columns of the last row are parameters of the statements to come, and may say no."""
        row = result.ntuples - 1
        answers = {name: result.get_value(row, column) for column, name in enumerate(statement.columns)}
        for column, name in enumerate(statement.columns):
            known[name] = (result.ftype(column), answers[name])
        if (refused := answers.get("refuse")) is not None:
            self._fail(refused.decode())
        if answers.get("success") == b"f" and answers.get("already_completed") != b"t":
            self._fail((answers.get("error_message") or b"it answers success = false").decode())

    def _fail(self, why: psycopg.Error | str) -> None:
        said = why if isinstance(why, str) else (why.diag.message_primary or str(why)).strip()
        if self._pg.transaction_status != pq.TransactionStatus.IDLE:
            self._pg.exec_(b"ROLLBACK")
        raise CallFailed(said) from (why if isinstance(why, psycopg.Error) else None)


def _spell(value: Any) -> tuple[int, bytes | None]:
    """The oid of the type of a value, and its text."""
    if value is None:
        return 0, None
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _OIDS[type(value[0])][1], b"{" + b",".join(str(each).encode() for each in value) + b"}"
    return _OIDS[type(value)][0], str(value).encode()
