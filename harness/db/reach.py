"""How far an expression can reach: whether the functions and operators that it names can touch data."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence, Set
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row, scalar_row

from harness.db.uses import Uses

_BUILT_IN = ("pg_catalog", "information_schema")
_SESSION_ONLY = {
    *("array_sample", "array_shuffle", "clock_timestamp", "current_query", "currval", "gen_random_uuid", "lastval"),
    *("pg_sleep", "pg_sleep_for", "pg_sleep_until", "random", "random_normal", "set_config", "setseed", "timeofday"),
    *("uuidv4", "uuidv7"),
}
"""VOLATILE functions of the server that touch nothing which another session could see."""
_READS_BY_NAME = re.compile(r"(table|query|cursor|schema|database)_to_xml")


class Callee(NamedTuple):
    """A function as far as its callers are concerned."""

    oid: int
    schema: str
    name: str
    volatility: str
    language: str

    @property
    def touches(self) -> bool:
        """Whether a call can read or change data, or take locks."""
        if self.schema not in _BUILT_IN:
            return self.volatility != "i"
        if _READS_BY_NAME.match(self.name):
            return True
        return self.volatility == "v" and self.name not in _SESSION_ONLY

    @property
    def may_be_opaque(self) -> bool:
        """Whether it is worth to know what is inside."""
        return self.touches and self.schema not in _BUILT_IN


class CatalogReach:
    """Answers from what the catalog knew of some names. A name that it does not know is taken to touch data."""

    def __init__(self, functions: Iterable[Callee], operators: Set[str]) -> None:
        self._functions: dict[str, list[Callee]] = {}
        for function in functions:
            self._functions.setdefault(function.name, []).append(function)
        self._operators = operators

    def called(self, uses: Uses, schemas: Sequence[str]) -> list[Callee]:
        """The functions that it can call; a name without a schema is one of ``schemas`` or the server's if possible."""
        return [function for name in uses.functions for function in self._meant(name, schemas)]

    def _meant(self, name: tuple[str, ...], schemas: Sequence[str] = ()) -> list[Callee]:
        found = self._functions.get(name[-1], [])
        if len(name) > 1:
            return [function for function in found if function.schema == name[-2]]
        near = [function for function in found if function.schema in schemas or function.schema in _BUILT_IN]
        return near if schemas and near else found

    def touches(self, uses: Uses) -> bool:
        """Whether evaluating it can read or change data, or take locks."""
        if uses.reads or not self._operators.isdisjoint(name[-1] for name in uses.operators):
            return True
        return any(
            not (found := self._meant(name)) or any(function.touches for function in found) for name in uses.functions
        )

    def ends_unseen(self, uses: Uses) -> bool:
        """Whether it calls a VOLATILE function in SQL, which can change data and has no points of its own."""
        return any(
            function.language == "sql" and function.volatility == "v"
            for name in uses.functions
            for function in self._meant(name)
        )


def look_up(connection: Connection[Any], used: Collection[Uses]) -> CatalogReach:
    """What the catalog knows of the functions and operators with these names, in whatever schema."""
    functions = {name[-1] for uses in used for name in uses.functions}
    operators = {name[-1] for uses in used for name in uses.operators}
    with connection.cursor(row_factory=class_row(Callee)) as cursor:
        known = cursor.execute(_FUNCTIONS, [list(functions)]).fetchall()
    with connection.cursor(row_factory=scalar_row) as cursor:
        touching = cursor.execute(_OPERATORS, [list(operators)]).fetchall()
    return CatalogReach(known, set(touching))


_FUNCTIONS = """
SELECT p.oid, n.nspname AS schema, p.proname AS name, p.provolatile::text AS volatility, l.lanname AS language
  FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_language l ON l.oid = p.prolang
 WHERE p.proname = ANY (%s::name[])"""

_OPERATORS = """
SELECT o.oprname FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
 WHERE o.oprname = ANY (%s::name[]) AND p.provolatile <> 'i' AND o.oprnamespace <> 'pg_catalog'::regnamespace"""
