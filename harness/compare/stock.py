"""What is in the tables before the first round: the same rows with the same ids on both sides, made by the server.

Everything is made by the subject's own fixtures, run in a loop inside the server, so that tens of thousands of leads
take a second. Ids follow from a seed, a kind and a number, by the same rule here and in SQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import md5
from itertools import accumulate
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.numeric import Int8

from harness.marketplace.names import KINDS, Id
from harness.marketplace.subject import Subject
from harness.words.errors import UsageError

WORKSPACES = 1000
CREDITS = Decimal(100_000_000)
"""What each of them has; whole, as every amount here, so that no subject has to round."""
PRICE = Decimal(10)
TOP_UP = Decimal(50)
SELLER = WORKSPACES
"""The number of the workspace that sells every lead."""

_PLACE = 100_000_000
"""Of integer ids every kind has so many; all of them fit into four bytes."""
_MADE = _PLACE // 2
"""Numbers from here on are of rows that calls make."""

_ID = {"workspace": "{n} % {buyers}", "seller": "{seller}"}
"""Parameters of fixtures that are ids: what follows from the number of the row, where that is not the number itself."""
_KIND = {"seller": "workspace"}


@dataclass(frozen=True, slots=True)
class Lot:
    """What the calls of one operation find: ``size`` rows, numbered from ``first``.

    ``rows`` are purchases (of the ``method``, with that ``status``, each of a lead of its own), leads on sale, top-ups,
    or nothing: then only the numbers are taken, for rows that the calls make.
    """

    operation: str
    first: int
    size: int
    rows: str = ""
    method: str = ""
    status: str = "pending"

    @property
    def end(self) -> int:
        return self.first + self.size


@dataclass(frozen=True, slots=True)
class Stock:
    """``leads`` is how many leads there are; those of no lot are on sale as well."""

    seed: int
    ids: str
    leads: int
    lots: tuple[Lot, ...]

    def id(self, kind: str, number: int) -> Id:
        """The id of the row of this kind and number that is there from the start."""
        if self.ids == "bigint":
            return Int8(_PLACE * (1 + KINDS.index(kind)) + number)
        return UUID(md5(f"{self.seed} {kind} {number}".encode(), usedforsecurity=False).hexdigest())

    def made(self, kind: str, number: int) -> Id:
        """The id of a row that a call makes."""
        return self.id(kind, _MADE + number)

    def id_in_sql(self, parameter: str, fixture: str) -> str:
        """The same of a fixture's parameter as an expression of ``harness_n``, the number of the row."""
        own = fixture if parameter == "id" else parameter
        number = _ID.get(parameter, "{n}").format(n="harness_n", buyers=WORKSPACES, seller=SELLER)
        kind = _KIND.get(own, own)
        if self.ids == "bigint":
            return f"{_PLACE * (1 + KINDS.index(kind))} + {number}"
        return f"md5('{self.seed} {kind} ' || ({number}))::uuid"


def fill(connection: psycopg.Connection[Any], subject: Subject, stock: Stock) -> None:
    """Put the stock into the subject's empty tables. Raises ``UsageError``."""

    def make(fixture: str, first: int, end: int, **values: object) -> None:
        if first < end:
            _make(connection, subject, stock, fixture, (first, end), values)

    # A plan that is kept was made when the tables were empty; and every foreign key is right by construction.
    connection.execute("SET enable_seqscan = off")
    checks = connection.execute(_FOREIGN_KEY_CHECKS, [list(subject.schemas)]).fetchall()
    _switch(connection, "DISABLE", checks)
    make("workspace", 0, WORKSPACES + 1, balance=CREDITS)
    for first, end, status in _stretches(stock):
        make("lead", first, end, price=PRICE, status=status, sold_count=int(status == "sold"))
    for lot in stock.lots:
        if lot.rows == "purchases":
            make("purchase", lot.first, lot.end, method=lot.method, status=lot.status, total=PRICE)
            make("item", lot.first, lot.end, price=PRICE)
            if lot.method == "stripe" and "reservation" in subject.fixtures:
                make("reservation", lot.first, lot.end, expired=False)
        elif lot.rows == "top_ups":
            make("top_up", lot.first, lot.end, amount=TOP_UP)
    _switch(connection, "ENABLE", checks)
    connection.execute("RESET enable_seqscan")


def _switch(connection: psycopg.Connection[Any], how: str, triggers: Sequence[tuple[str, str, str]]) -> None:
    for schema, table, trigger in triggers:
        statement = sql.SQL("ALTER TABLE {} {} TRIGGER {}").format(
            sql.Identifier(schema, table), sql.SQL(how), sql.Identifier(trigger)
        )
        connection.execute(statement)


def _stretches(stock: Stock) -> Iterator[tuple[int, int, str]]:
    """(first, end, status) of leads of one status, in order."""
    at = 0
    for lot in sorted(stock.lots, key=lambda lot: lot.first):
        if lot.rows == "purchases" and lot.status == "completed":
            yield at, lot.first, "available"
            yield lot.first, (at := lot.end), "sold"
    yield at, stock.leads, "available"


def _make(
    connection: psycopg.Connection[Any],
    subject: Subject,
    stock: Stock,
    fixture: str,
    numbers: tuple[int, int],
    values: Mapping[str, object],
) -> None:
    """Run every statement of a fixture for each of the numbers from the first up to, not with, the second."""

    def parameter(found: re.Match[str]) -> str:
        if found[1]:
            return "%"
        if found[2] == "name":
            return "('workspace ' || harness_n)"
        if found[2] in values:
            return sql.Literal(values[found[2]]).as_string(connection)
        return f"({stock.id_in_sql(found[2], fixture)})"

    for statement in subject.fixtures[fixture]:
        text = re.sub(r"%(?:(%)|\((\w+)\)s)", parameter, statement).strip().rstrip(";")
        try:
            connection.execute((_at_once(text, numbers) or _in_a_loop(text, numbers)).encode())
        except psycopg.Error as error:
            raise UsageError(
                "bad-fixture",
                f"{subject.file.place('fixtures', fixture)}: the server refused {fixture}: "
                f"{error.diag.message_primary or error}",
                remedy="mend that statement",
            ) from error


def _at_once(text: str, numbers: tuple[int, int]) -> str | None:
    """One statement for all the rows, where a fixture's statement inserts one row and does nothing else."""
    found = re.fullmatch(r"(INSERT\s+INTO\s+[^()]+\([^()]+\)\s*)VALUES\s*\((.*)\)", text, re.IGNORECASE | re.DOTALL)
    if found is None or any(depth < 0 for depth in accumulate(_DEPTH.get(each, 0) for each in found[2])):
        return None
    return f"{found[1]}SELECT {found[2]} FROM generate_series({numbers[0]}, {numbers[1] - 1}) AS harness_n"


_DEPTH = {"(": 1, ")": -1}
"""What a character does to the number of open parentheses: below none, a second row or a further clause begins."""


def _in_a_loop(text: str, numbers: tuple[int, int]) -> str:
    # PL/pgSQL wants to know where rows go.
    if re.match(r"(SELECT|VALUES|TABLE)\b", text, re.IGNORECASE) or re.search(r"\bRETURNING\b", text, re.IGNORECASE):
        text += " INTO harness_row"
    body = (
        f"#variable_conflict use_column\nDECLARE harness_row record;\nBEGIN\n"
        f"FOR harness_n IN {numbers[0]}..{numbers[1] - 1} LOOP {text}; END LOOP;\nEND"
    )
    return f"DO {sql.Literal(body).as_string()}"


def settle(connection: psycopg.Connection[Any], subject: Subject) -> None:
    """Leave no hint bit to be set, no page to be vacuumed and no plan to be made on a guess, and let nobody do it."""
    for schema, table in connection.execute(_TABLES, [list(subject.schemas)]).fetchall():
        name = sql.Identifier(schema, table)
        connection.execute(sql.SQL("ALTER TABLE {} SET (autovacuum_enabled = off)").format(name))
        connection.execute(sql.SQL("VACUUM (ANALYZE, FREEZE) {}").format(name))


_TABLES = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%s) AND c.relkind = 'r' ORDER BY 1, 2
"""

_FOREIGN_KEY_CHECKS = """
SELECT n.nspname, c.relname, t.tgname FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%s) AND t.tgisinternal AND t.tgname LIKE 'RI_ConstraintTrigger_c%%' AND t.tgenabled = 'O'
"""
