"""Which variables of a PL/pgSQL routine can surely be read at its scheduling points, and how they are told.

Reading must change nothing and never fail. Left out are the records that something is assigned to, for the type of such
a record may be another the next time; cursors and aliases; and what is called as something in a block further in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from psycopg import sql

from harness.db.plan import Variable
from harness.db.plpgsql import Body, Statement
from harness.db.plpgsql_walk import Declared
from harness.db.routines import Routine

TELLS = r'harness\.saw\(\d+, pg_catalog\.json_build_array\("[a-z_0-9$]+"(?:, "[a-z_0-9$]+")*\)\)'
"""A pattern for what ``tells`` writes."""

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_NAME = re.compile(r'"(?:[^"]|"")+"|[^\W\d][\w$]*')
_ARGUMENTS_MAX = 90
"""A call of the server has at most 100."""

_ELSEWHERE = -1

FOUND = Variable("found", _ELSEWHERE)
"""What the server itself declares in every routine, unless a parameter is called so."""

_Scope = Mapping[str, Variable | None]
"""What a name means; None for what is not read."""


def tells(point: int, variables: Sequence[Variable]) -> str:
    """A simple expression, always true, that announces the values of these variables at a point."""
    names = ", ".join(sql.Identifier(variable.name).as_string() for variable in variables)
    return f"harness.saw({point}, pg_catalog.json_build_array({names}))"


def in_scope(block: Statement, routine: Routine, offsets: Iterable[int]) -> dict[int, tuple[Variable, ...]]:
    """For each of these offsets, where points stand, the variables of the routine that can be read there."""
    scope: dict[str, Variable | None] = {FOUND.name: FOUND}
    modes = routine.argument_modes or ["i"] * len(routine.argument_types)
    names = routine.argument_names or [""] * len(routine.argument_types)
    for name, type_, mode in zip(names, routine.argument_types, modes, strict=True):
        # A row that comes in has its type; an output one may be of any.
        readable = type_ in ("int4", "int4[]") or (type_ == "any_row" and mode == "i")
        scope[name] = Variable(name, _ELSEWHERE) if readable and _PLAIN.fullmatch(name) else None
    assigned = {_folded(name) for statement in block.all() for name in _assigned(statement)}
    wanted = set(offsets)
    return {
        offset: tuple(found)
        for offset, visible in _scopes(block, scope, assigned)
        if offset in wanted and 0 < len(found := [each for each in visible.values() if each]) <= _ARGUMENTS_MAX
    }


def _scopes(statement: Statement, outer: _Scope, assigned: set[str]) -> Iterator[tuple[int, _Scope]]:
    """Every offset before which a call may stand inside a statement, and what can be read there."""
    scope = dict(outer)
    for item in statement.declared:
        name = _folded(item.name)
        scope[name] = Variable(name, item.offset) if _is_readable(item, name, assigned) else None
    if statement.kind in ("fori", "forc"):
        (variable,) = statement.node["var"].values()  # the loop's own
        name = variable["refname"]
        scope[name] = Variable(name, statement.start) if statement.kind == "fori" and _PLAIN.fullmatch(name) else None
    for body in statement.bodies:
        yield from _inside(body, scope, assigned)


def _inside(body: Body, scope: _Scope, assigned: set[str]) -> Iterator[tuple[int, _Scope]]:
    for statement in body.statements:
        yield statement.start, scope
        yield from _scopes(statement, scope, assigned)
    yield body.end, scope


def _is_readable(item: Declared, name: str, assigned: set[str]) -> bool:
    words = item.type
    if not words or not _PLAIN.fullmatch(name) or words == ("refcursor",):
        return False
    if words == ("record",):
        return name not in assigned and not item.default
    # That of another variable, which may be a record.
    return words[-2:] != ("%", "type") or "." in words


def _folded(name: str) -> str:
    """As the server has it."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _assigned(statement: Statement) -> list[str]:
    """The names in what an assignment gives a value to; none of another statement."""
    if statement.kind != "assign":
        return []
    query = str(statement.node["expr"]["PLpgSQL_expr"]["query"])
    return _NAME.findall(re.split(r":?=", query, maxsplit=1)[0])
