"""Which routines work on some schemas can reach, and what can be done with each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import tuple_row

from harness.db.placement import dynamic_command
from harness.db.plan import Opaque
from harness.db.plpgsql import Statement, UnreadableError, expressions, read
from harness.db.reach import CatalogReach, look_up
from harness.db.routines import Nature, Routine, behind, by_oid, in_schemas
from harness.db.uses import STATEMENT, Uses, called_names, constant, uses


class Survey(NamedTuple):
    """The routines to instrument with their outermost blocks, what is opaque, the names of those that are atomic."""

    blocks: tuple[tuple[Routine, Statement], ...]
    opaque: tuple[Opaque, ...]
    atomic: tuple[str, ...]
    reach: CatalogReach


def survey(connection: Connection[Any], schemas: Sequence[str]) -> Survey:
    """All that is in the schemas, and what is called from there or by the server when their tables are used."""
    readings: list[_Reading] = []
    automatic = behind(connection, schemas)
    fresh = in_schemas(connection, schemas)
    while True:
        readings += [_reading(routine, schemas) for routine in fresh]
        used = {item for reading in readings for item in reading.uses}
        reach = look_up(connection, used)
        called = {function.oid for item in used for function in reach.called(item, schemas) if function.may_be_opaque}
        fresh = by_oid(connection, sorted(called.union(automatic) - {reading.routine.oid for reading in readings}))
        if not fresh:
            break
    natures = [(reading, _final_nature(reading, reach, schemas)) for reading in readings]
    return Survey(
        tuple((reading.routine, reading.block) for reading, _ in natures if reading.block),
        (
            *(Opaque(reading.routine.identity, nature) for reading, nature in natures if isinstance(nature, str)),
            *_opaque_relations(connection, schemas),
        ),
        tuple(reading.routine.identity for reading, nature in natures if nature is Nature.ATOMIC),
        reach,
    )


class _Reading(NamedTuple):
    routine: Routine
    nature: Nature | str
    block: Statement | None = None
    uses: tuple[Uses, ...] = ()


def _reading(routine: Routine, schemas: Sequence[str]) -> _Reading:
    nature = routine.nature()
    try:
        if nature is Nature.INSTRUMENT:
            if routine.schema not in schemas:
                return _Reading(routine, "is called from the schemas under test, but is outside of them: has no points")
            block = read(routine.head(), routine.source)
            return _Reading(routine, nature, block, tuple(_uses_in(block)))
        if nature is Nature.ATOMIC and routine.language == "sql":
            return _Reading(routine, nature, None, (uses(routine.text, STATEMENT),))
        if nature is Nature.ATOMIC and routine.language == "plpgsql":
            return _Reading(routine, nature, None, (called_names(routine.source),))
    except UnreadableError as error:
        return _Reading(routine, f"cannot be read: {error}")
    return _Reading(routine, nature)


def _uses_in(block: Statement) -> Iterator[Uses]:
    for statement in block.all():
        yield from (uses(text, mode) for text, mode in expressions(statement))
        yield from map(uses, statement.defaults)
        command = dynamic_command(statement)
        if command is not None and (text := constant(command)) is not None:
            yield uses(text, STATEMENT)


def _final_nature(reading: _Reading, reach: CatalogReach, schemas: Sequence[str]) -> Nature | str:
    """A routine that is not VOLATILE sees one snapshot; but the VOLATILE ones that it calls see the database anew."""
    if reading.nature is Nature.ATOMIC and reading.routine.volatility != "v":
        for item in reading.uses:
            for function in reach.called(item, schemas):
                if function.touches and function.volatility == "v":
                    return f"is not declared VOLATILE, but calls {function.name}, which is"
    return reading.nature


def _opaque_relations(connection: Connection[Any], schemas: Sequence[str]) -> list[Opaque]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(_OPAQUE_RELATIONS, {"schemas": list(schemas)}).fetchall()
    return [Opaque(where, reason) for where, reason in rows]


_OPAQUE_RELATIONS = """
SELECT format('rule %%I on %%s', r.rulename, c.oid::regclass), 'turns one statement into others, without points between'
  FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = ANY (%(schemas)s) AND r.ev_type <> '1'
UNION ALL
SELECT format('foreign table %%s', c.oid::regclass), 'its rows and locks are on another server'
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = ANY (%(schemas)s) AND c.relkind = 'f'
 ORDER BY 1"""
