"""Where every schedule begins, what must be true at its end, and what its end is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import tuple_row

from harness.interleave.programs import comparable
from harness.words.errors import UsageError

Reset = str | Callable[[Connection[Any]], Any]
"""SQL, or a function of an autocommit connection."""
Invariant = str | Callable[[Connection[Any], list[Any]], Any]
"""A query that must answer true and nothing else; or a function of an autocommit connection and what the programs
returned or raised, which asserts, or answers True or False."""

Row = tuple[tuple[str, Any], ...]
"""Column names with their values."""


@dataclass(frozen=True, slots=True)
class End:
    """What there is between runs. ``broken`` says in which way the invariant does not hold, if it does not."""

    rows: tuple[Row, ...] = ()
    broken: str = ""

    def __str__(self) -> str:
        return " ".join(f"({', '.join(str(value) for _, value in row)})" for row in self.rows) or "no rows"

    def items(self) -> dict[str, str]:
        """For people: ``{"id 1": "balance 100"}``, rows by their first column, or by number."""
        firsts = [row[0] if len(row) > 1 else None for row in self.rows]
        if None in firsts or len(set(firsts)) < len(firsts):
            return {
                (f"row {number}" if len(self.rows) > 1 else "state"): _cells(row)
                for number, row in enumerate(self.rows, 1)
            }
        return {_cells(row[:1]): _cells(row[1:]) for row in self.rows}


def _cells(row: Row) -> str:
    return ", ".join(f"{name} {value}" for name, value in row)


@dataclass(frozen=True, slots=True)
class Rules:
    """``state`` is a query for everything that the programs are to agree about (None: their results alone).

    ``deadlocks`` says that the programs may deadlock, since the application tries again.
    """

    reset: Reset
    invariant: Invariant | None = None
    state: str | None = None
    deadlocks: bool = False

    def restore(self, connection: Connection[Any]) -> None:
        """Raises ``UsageError`` when the server refuses it, or when what it began is not committed."""
        with telling_what_was_refused("reset"):
            if isinstance(self.reset, str):
                connection.execute(_constant(self.reset))
            else:
                self.reset(connection)
        if connection.info.transaction_status:
            raise _mistake("reset", "ended inside a transaction", "COMMIT what it began")

    def read(self, connection: Connection[Any], told: Sequence[Any]) -> End:
        """The state, and whether the invariant holds. ``told`` is what the programs returned or raised."""
        return End(self._rows(connection), self._broken(connection, told))

    def _rows(self, connection: Connection[Any]) -> tuple[Row, ...]:
        return () if self.state is None else _query(connection, "state", self.state)

    def _broken(self, connection: Connection[Any], told: Sequence[Any]) -> str:
        if self.invariant is None:
            return ""
        if isinstance(self.invariant, str):
            rows = _query(connection, "invariant", self.invariant)
            if not rows:
                raise _mistake("invariant", "answers no row", "ask for one that is true: SELECT NOT EXISTS (...)")
            wrong = [row for row in rows if any(value is not True for _, value in row)]
            answers = ", ".join(str(value) for row in wrong[:1] for _, value in row)
            return f"{' '.join(self.invariant.split())}: {answers}" if wrong else ""
        name = _name(self.invariant)
        try:
            answer = self.invariant(connection, list(told))
        except AssertionError as error:
            return str(error).strip() or f"{name or 'the invariant'} does not hold"
        if answer is False:
            return f"{name or 'the invariant'} answers False"
        if answer is True or (answer is None and name):
            return ""
        raise _mistake("invariant", f"answered {answer!r}", "assert, or return True or False")


def _name(function: Callable[..., Any]) -> str:
    """Empty for a lambda: it cannot assert, so that its None means nothing."""
    while isinstance(function, partial):
        function = function.func
    name = str(getattr(function, "__name__", "the invariant"))
    return "" if name == "<lambda>" else name


def _query(connection: Connection[Any], what: str, query: str) -> tuple[Row, ...]:
    with telling_what_was_refused(what), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(_constant(query))
        if cursor.description is None:
            raise _mistake(what, "gives no rows", "write a query: SELECT ...")
        names = [column.name for column in cursor.description]
        return tuple(tuple(zip(names, map(comparable, row), strict=True)) for row in cursor)


def _constant(statement: str) -> bytes:
    return statement.encode()  # a percent sign in it is none of ours


@contextmanager
def telling_what_was_refused(what: str) -> Iterator[None]:
    """Turns what the server says of a part of the rules into a ``UsageError``."""
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        said = error.diag.message_primary or str(error)
        locked = error.sqlstate == "55P03"
        remedy = "end the transaction of the test that holds the lock" if locked else "mend it"
        raise _mistake(what, f"was refused by the server: {error.sqlstate} {said}", remedy) from error


def _mistake(what: str, seen: str, remedy: str) -> UsageError:
    return UsageError("bad-rule", f"the {what} of interleave {seen}", remedy=remedy)
