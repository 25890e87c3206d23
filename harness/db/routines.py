"""What the catalog says of functions and procedures. All queries here want ``search_path`` to be CATALOG_ONLY."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row, scalar_row

from harness.db.plpgsql import UnreadableError
from harness.db.uses import count_statements

CATALOG_ONLY = "pg_catalog, pg_temp"
"""The ``search_path`` under which every name outside of ``pg_catalog`` is shown with its schema."""


class Nature(Enum):
    """What can be done with a routine."""

    INSTRUMENT = "instrument"
    """PL/pgSQL, VOLATILE: every statement sees the database anew."""
    ATOMIC = "atomic"
    """One statement, or all of it sees one snapshot: one step, as a whole."""


@dataclass(frozen=True, slots=True)
class Routine:
    """A function or procedure. ``identity`` is its name with schema and argument types, as the server writes it."""

    oid: int
    schema: str
    name: str
    arguments: str
    identity: str
    language: str
    volatility: str
    is_procedure: bool
    source: str
    definition: str
    has_parsed_body: bool
    has_old_strings: bool
    extension: str | None
    extension_is_trusted: bool
    returns_set: bool
    returns: str
    argument_names: list[str]
    argument_modes: list[str]
    argument_types: list[str]

    def nature(self) -> Nature | str:
        """What can be done with it; a text is the reason why it can neither be instrumented nor taken for atomic."""
        if self.language == "plpgsql":
            if self.has_old_strings:
                return "standard_conforming_strings is off: its strings cannot be read"
            if self.returns == "event_trigger":
                return "an event trigger: runs inside statements that define things"
            return Nature.INSTRUMENT if self.volatility == "v" else Nature.ATOMIC
        if self.language == "sql":
            return self._nature_of_sql()
        if self.language == "internal" or (self.language == "c" and self.extension_is_trusted):
            return Nature.ATOMIC
        return f"written in {self.language}: its steps cannot be seen"

    def _nature_of_sql(self) -> Nature | str:
        if self.volatility != "v":
            return Nature.ATOMIC
        try:
            count = count_statements(self.text, in_body=self.has_parsed_body)
        except UnreadableError as error:
            return f"SQL that cannot be parsed: {error}"
        return Nature.ATOMIC if count <= 1 else f"{count} statements of SQL with no point in between"

    @property
    def text(self) -> str:
        """What there is to parse of a routine in SQL."""
        return self.definition if self.has_parsed_body else self.source

    def head(self) -> str:
        """CREATE ... up to LANGUAGE for ``plpgsql.read``: the true names and modes, types that a parser knows."""
        types = self.argument_types
        modes = self.argument_modes or ["i"] * len(types)
        names = self.argument_names or [""] * len(types)
        arguments = [
            (mode, f"{sql.Identifier(name).as_string() if name else ''} {type_}")
            for mode, name, type_ in zip(modes, names, types, strict=True)
        ]
        words = {"o": "OUT", "b": "INOUT"}
        listed = ", ".join(f"{words.get(mode, 'IN')} {argument}" for mode, argument in arguments if mode != "t")
        head = f"CREATE {'PROCEDURE' if self.is_procedure else 'FUNCTION'} f({listed})"
        if columns := ", ".join(argument for mode, argument in arguments if mode == "t"):
            return f"{head} RETURNS TABLE ({columns})"
        if self.is_procedure or (self.has_output and not self.returns_set):
            return head
        returns = "record" if modes.count("o") + modes.count("b") > 1 else self.returns
        return f"{head} RETURNS {'SETOF ' if self.returns_set else ''}{returns}"

    @property
    def has_output(self) -> bool:
        """Whether it has OUT or INOUT parameters."""
        return not {"o", "b"}.isdisjoint(self.argument_modes)

    @property
    def ends_without_return(self) -> bool:
        """Whether reaching its final END is no error."""
        return self.is_procedure or self.returns_set or self.has_output or self.returns == "void"


def in_schemas(connection: Connection[Any], schemas: Sequence[str]) -> list[Routine]:
    """The routines of these schemas, those of extensions left out, in the order of schema, name and arguments."""
    return _fetch(connection, "n.nspname = ANY (%s) AND e.oid IS NULL", schemas)


def by_oid(connection: Connection[Any], oids: Sequence[int]) -> list[Routine]:
    """The routines with these oids, wherever they come from, in the same order."""
    return _fetch(connection, "p.oid = ANY (%s)", oids)


def behind(connection: Connection[Any], schemas: Sequence[str]) -> list[int]:
    """The oids of the functions that the server calls by itself when the tables of these schemas are used.

    Those of triggers, rules and views, defaults, generated columns, indexes, policies, constraints; and of casts,
    operators and the bodies that it keeps parsed. Functions of the server itself are not among them.
    """
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(_BEHIND, {"schemas": list(schemas)}).fetchall()


def _fetch(connection: Connection[Any], which: str, values: Sequence[object]) -> list[Routine]:
    query = sql.SQL("{} AND {}").format(sql.SQL(_ROUTINES), sql.SQL(which))
    with connection.cursor(row_factory=class_row(Routine)) as cursor:
        found = cursor.execute(query, [list(values)]).fetchall()
    return sorted(found, key=lambda routine: (routine.schema, routine.name, routine.arguments))


_PLAIN_TYPE = """
CASE WHEN t.typtype = 'c' OR t.oid = 'record'::regtype THEN 'any_row'
     WHEN t.typcategory = 'A' OR t.typname IN ('anyarray', 'anycompatiblearray') THEN 'int4[]'
     WHEN t.typname IN ('refcursor', 'void', 'trigger', 'event_trigger') THEN t.typname::text
     ELSE 'int4' END"""
"""What libpg_query, which has no catalog, is told instead of a type."""

_ROUTINES = f"""
SELECT p.oid, n.nspname AS schema, p.proname AS name, pg_get_function_identity_arguments(p.oid) AS arguments,
       p.oid::regprocedure::text AS identity, l.lanname AS language, p.provolatile::text AS volatility,
       p.prokind = 'p' AS is_procedure, p.prosrc AS source, pg_get_functiondef(p.oid) AS definition,
       p.prosqlbody IS NOT NULL AS has_parsed_body,
       coalesce('standard_conforming_strings=off' = ANY (p.proconfig), false) AS has_old_strings,
       e.extname::text AS extension,
       CASE WHEN e.oid IS NULL OR l.lanname <> 'c' THEN false ELSE EXISTS (
         SELECT FROM pg_available_extension_versions v
          WHERE v.name = e.extname AND v.version = e.extversion AND v.trusted) END AS extension_is_trusted,
       p.proretset AS returns_set,
       (SELECT {_PLAIN_TYPE} FROM pg_type t WHERE t.oid = p.prorettype) AS returns,
       coalesce(p.proargnames, '{{}}') AS argument_names, coalesce(p.proargmodes::text[], '{{}}') AS argument_modes,
       ARRAY(SELECT {_PLAIN_TYPE}
               FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS a (type, place)
               JOIN pg_type t ON t.oid = a.type ORDER BY a.place) AS argument_types
  FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_language l ON l.oid = p.prolang
  LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  LEFT JOIN pg_extension e ON e.oid = d.refobjid
 WHERE p.prokind <> 'a'"""

_BEHIND = """
WITH named AS (SELECT oid FROM pg_namespace WHERE nspname = ANY (%(schemas)s)),
mine AS (SELECT oid FROM pg_class WHERE relnamespace IN (TABLE named)),
parts (class, oid) AS (
  SELECT 'pg_class'::regclass, oid FROM mine
  UNION ALL SELECT 'pg_trigger'::regclass, oid FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN (TABLE mine)
  UNION ALL SELECT 'pg_rewrite'::regclass, oid FROM pg_rewrite WHERE ev_class IN (TABLE mine)
  UNION ALL SELECT 'pg_attrdef'::regclass, oid FROM pg_attrdef WHERE adrelid IN (TABLE mine)
  UNION ALL SELECT 'pg_policy'::regclass, oid FROM pg_policy WHERE polrelid IN (TABLE mine)
  UNION ALL SELECT 'pg_constraint'::regclass, oid FROM pg_constraint WHERE connamespace IN (TABLE named)
  UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace IN (TABLE named)
  UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator
  UNION ALL SELECT 'pg_cast'::regclass, oid FROM pg_cast
)
SELECT DISTINCT p.oid
  FROM parts
  JOIN pg_depend d ON d.classid = parts.class AND d.objid = parts.oid
  JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid
 WHERE p.provolatile <> 'i'"""
