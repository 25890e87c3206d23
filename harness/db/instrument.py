"""Scheduling points inside the PL/pgSQL functions of a subject: planned, installed, and removed without a trace.

``plan`` reads the catalog and changes nothing; its ids are the same wherever the same functions are. ``install`` gives
each function a copy of its body with calls of ``harness.point`` and ``harness.mark`` (gate.sql) in it, ``remove`` gives
the body back. What cannot be instrumented is in the plan too, as atomic (one step by its nature) or as opaque (a
certificate must say so).

A statement is one step, whatever it does: the rows that it changes one by one, the actions of its foreign keys, and the
functions in SQL that it calls have no points inside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection, Cursor, sql
from psycopg.rows import class_row, scalar_row

from harness.db.marks import CONDITION, Measure, measure, why_not
from harness.db.placement import place
from harness.db.plan import Measured, Opaque, Plan, Point, Rewritten, Variable
from harness.db.plpgsql import Statement, UnreadableError, read
from harness.db.routines import CATALOG_ONLY, Routine, in_schemas
from harness.db.survey import survey
from harness.db.variables import TELLS, in_scope, tells
from harness.words.errors import CouldNotRun, UsageError

__all__ = [
    "Opaque",
    "Plan",
    "Point",
    "Rewritten",
    "install",
    "is_instrumented",
    "left_behind",
    "plan",
    "remove",
    "telling",
]

_CALL = "IF {} THEN END IF; "
"""A control statement, which leaves FOUND and diagnostics alone, with a simple expression, which needs no query."""
_ELSIF = "ELSIF {} THEN "
_POINT = rf"(?:{TELLS} AND )?harness\.point\(\d+\)"
_CALLS = re.compile(rf"IF (?:{_POINT}|{CONDITION}) THEN END IF; |ELSIF {CONDITION} THEN ")
_UNMEASURED = Measure((), (), ())
_WHOLE = {
    "plpgsql": "is not declared VOLATILE, and is left as it is",
    "sql": "is written in SQL, and has no statements of PL/pgSQL",
}
"""Why a routine that is one step by its nature is not measured, by its language."""
_MARKS = re.compile(rf"IF {CONDITION} THEN END IF; |ELSIF {CONDITION} THEN ")
_CONDITION = re.compile(rf"{_POINT}|{CONDITION}")


def plan(connection: Connection[Any], schemas: Sequence[str]) -> Plan:
    """How to instrument every VOLATILE routine in PL/pgSQL of these schemas, those of extensions left out.

    Raises UsageError when a schema does not exist, CouldNotRun when its functions have points already.
    """
    with _catalog_only(connection) as cursor:
        _check(connection, cursor, schemas)
        found = survey(connection, schemas)
        routines = in_schemas(connection, schemas)
    points: list[Point] = []
    opaque = list(found.opaque)
    marks = 0
    measured = []
    reasons = {}
    rewritten = []
    for routine, block in found.blocks:
        first = len(points) + 1
        try:
            placement = place(
                block,
                routine.source,
                found.reach,
                is_procedure=routine.is_procedure,
                ends_without_return=routine.ends_without_return,
            )
            ids = {spot.offset: id_ for id_, spot in enumerate(placement.spots, first)}
            reason = why_not(block, routine.source, routine.argument_names, is_procedure=routine.is_procedure)
            measuring = _UNMEASURED if reason else measure(block, routine.source, ids, marks + 1)
            told = in_scope(block, routine, ids)
            rewritten.append(_rewritten(routine, block, _calls(ids, measuring), _calls(ids, measuring, told)))
        except UnreadableError as error:
            opaque.append(Opaque(routine.identity, f"cannot be instrumented: {error}"))
            continue
        if reason:
            reasons[routine.identity] = reason
        else:
            measured.append(Measured(routine.identity, measuring.statements, measuring.branches))
            marks += len(measuring.marks)
        for id_, spot in enumerate(placement.spots, first):
            points.append(Point(id_, routine.schema, routine.identity, *spot[1:], told.get(spot.offset, ())))
        opaque += [Opaque(f"{routine.identity} line {line}", reason) for line, reason in placement.opaque]
    reasons |= {place.where: place.reason for place in opaque}
    known = {item.function for item in measured}
    unmeasured = [
        Opaque(routine.identity, reasons.get(routine.identity) or _WHOLE.get(routine.language, _WHOLE["plpgsql"]))
        for routine in routines
        if routine.identity not in known
    ]
    return Plan(tuple(points), tuple(opaque), found.atomic, tuple(rewritten), marks, tuple(measured), tuple(unmeasured))


def install(connection: Connection[Any], plan: Plan) -> None:
    """Put the points in: in one transaction, and to no effect where they are in already.

    Raises CouldNotRun, with nothing changed, when a function is not the one that was planned for.
    """
    with _catalog_only(connection) as cursor:
        if cursor.execute("SELECT to_regprocedure('harness.point(integer)')").fetchone() is None:
            raise CouldNotRun("no-gate", "there is no function harness.point(integer)", remedy="load gate.sql first")
    _exchange(connection, plan, {item.name: item.instrumented for item in plan.rewritten})


@contextmanager
def telling(connection: Connection[Any], plan: Plan) -> Iterator[None]:
    """Meanwhile the points that are installed tell the values of variables, too (``Point.variables``).

    Raises as ``install``; and on the way out, with what was there before.
    """
    _exchange(connection, plan, {item.name: item.telling or item.instrumented for item in plan.rewritten})
    try:
        yield
    finally:
        install(connection, plan)


def remove(connection: Connection[Any], plan: Plan) -> None:
    """Give every function its own body back, and change nothing else of it: in one transaction, no effect where done.

    Raises CouldNotRun, with nothing changed, when a function was altered since.
    """
    _exchange(connection, plan, {item.name: item.source for item in plan.rewritten})


def is_instrumented(connection: Connection[Any], schemas: Sequence[str]) -> bool:
    """Whether a function of these schemas has points in it."""
    return bool(left_behind(connection, schemas).rewritten)


def left_behind(connection: Connection[Any], schemas: Sequence[str]) -> Plan:
    """What a run that died left installed, for ``remove``. What its points were is not known any more."""
    with _catalog_only(connection):
        routines = [routine for routine in in_schemas(connection, schemas) if _CALLS.search(routine.source)]
    rewritten = [
        Rewritten(
            routine.identity, _head(routine.definition, routine.source), _CALLS.sub("", routine.source), routine.source
        )
        for routine in routines
    ]
    return Plan((), (), (), tuple(rewritten))


def with_points_alone(item: Rewritten) -> str:
    """The body with its points, and without the marks by which coverage is measured."""
    return _MARKS.sub("", item.instrumented)


# -- rewriting ------------------------------------------------------------------------------------------------


_Calls = Mapping[int, tuple[str, ...]]
"""What is put in before a character of the source, by offset, in this order."""


def _calls(
    points: Mapping[int, int], measuring: Measure, told: Mapping[int, Sequence[Variable]] = MappingProxyType({})
) -> _Calls:
    """The calls of these points and marks. At one place a loop's FOUND is asked for first, an ELSIF comes last.

    ``told`` are the variables, by offset, whose values the points tell.
    """
    calls: dict[int, list[str]] = {}
    for mark in measuring.marks:
        if not mark.is_elsif:
            calls.setdefault(mark.offset, []).append(_CALL.format(mark.condition))
    for offset, id_ in points.items():
        values = f"{tells(id_, told[offset])} AND " if told.get(offset) else ""
        calls.setdefault(offset, []).append(_CALL.format(f"{values}harness.point({id_})"))
    for mark in measuring.marks:
        if mark.is_elsif:
            calls.setdefault(mark.offset, []).append(_ELSIF.format(mark.condition))
    return {offset: tuple(texts) for offset, texts in calls.items()}


def _rewritten(routine: Routine, block: Statement, calls: _Calls, telling: _Calls) -> Rewritten:
    """The routine with these calls in it. Raises UnreadableError unless it is just that.

    ``telling`` are the calls of the copy that tells values. Where it is not just that, there is none.
    """
    instrumented = _with_calls(routine, block, calls)
    telling_body = ""
    if telling != calls:
        with suppress(UnreadableError):
            telling_body = _with_calls(routine, block, telling)
    return Rewritten(
        routine.identity, _head(routine.definition, routine.source), routine.source, instrumented, telling_body
    )


def _with_calls(routine: Routine, block: Statement, calls: _Calls) -> str:
    text = routine.source
    for offset, texts in sorted(calls.items(), reverse=True):
        text = text[:offset] + "".join(texts) + text[offset:]
    if _outline(read(routine.head(), text), {}) != _outline(block, calls):
        raise UnreadableError("with the points in it, the structure is another")
    if _CALLS.sub("", text) != routine.source:
        raise UnreadableError("without the points, the text is another")
    return text


_Outline = tuple[str, int, tuple[tuple[Any, ...], ...], tuple[str, ...]]


def _outline(statement: Statement, calls: _Calls) -> _Outline:
    """Kind, line, the lists of statements inside that are not empty: of the outlines of those, and of calls; ELSIFs.

    ``calls`` are those that are yet to be put in; those that are there are found by themselves.
    """
    lists = []
    elsifs = _elsifs(statement)
    for body in statement.bodies:
        found: list[Any] = []
        for inner in body.statements:
            found += calls.get(inner.start, ())
            found.append(_call(inner) or _outline(inner, calls))
        ending = calls.get(body.end, ())
        found += [text for text in ending if text.startswith("IF")]
        elsifs += [text for text in ending if text.startswith("ELSIF")]
        lists += [tuple(found)] if found else []
    return statement.kind, statement.line, tuple(lists), tuple(elsifs)


def _call(statement: Statement) -> str:
    """The text of the call that a statement is, empty when it is none."""
    if statement.kind != "if" or any(body.statements for body in statement.bodies):
        return ""
    condition = str(statement.node["cond"]["PLpgSQL_expr"]["query"])
    return _CALL.format(condition) if _CONDITION.fullmatch(condition) else ""


def _elsifs(statement: Statement) -> list[str]:
    """The texts of the marks that are conditions of an ELSIF of the statement itself."""
    arms = statement.node.get("elsif_list", ()) if statement.kind == "if" else ()
    conditions = [arm["PLpgSQL_if_elsif"]["cond"]["PLpgSQL_expr"]["query"] for arm in arms]
    return [_ELSIF.format(condition) for condition in conditions if _CONDITION.fullmatch(condition)]


def _head(definition: str, source: str) -> str:
    """What stands before the body in the definition of a routine, AS included."""
    quoted = re.search(r"(\$\w+\$)\n\Z", definition)
    if quoted is None or not definition.endswith(f"{quoted[1]}{source}{quoted[0]}"):
        raise UnreadableError("its definition does not end with its body")
    return definition[: -len(f"{quoted[1]}{source}{quoted[0]}")]


# -- the catalog ----------------------------------------------------------------------------------------------


class _Definition(NamedTuple):
    """What the catalog has of a routine; ``rest`` is everything that must never change."""

    name: str
    source: str
    definition: str
    extensions: list[str]
    rest: str


def _exchange(connection: Connection[Any], plan: Plan, wanted: Mapping[str, str]) -> None:
    with _catalog_only(connection):
        before = _definitions(connection, wanted)
        altered = [
            item.name
            for item in plan.rewritten
            if (now := before.get(item.name)) is None
            or now.source not in (item.source, item.instrumented, item.telling or item.source)
            or not now.definition.startswith(item.head)
        ]
        if altered:
            raise CouldNotRun(
                "function-altered",
                f"{', '.join(altered)} changed or went away since the scheduling points were planned",
                expected="the functions as they were",
                remedy="load the subject again",
            )
        for item in plan.rewritten:
            if before[item.name].source != wanted[item.name]:
                _replace(connection, item, before[item.name].extensions, wanted[item.name])
        after = _definitions(connection, wanted)
        for name, old in before.items():
            if after[name].source != wanted[name] or after[name].rest != old.rest:
                raise CouldNotRun(
                    "function-not-exact",
                    f"replacing the body of {name} changed more than its body",
                    remedy="nothing was changed; please report the definition of the function",
                )


def _definitions(connection: Connection[Any], names: Iterable[str]) -> dict[str, _Definition]:
    with connection.cursor(row_factory=class_row(_Definition)) as cursor:
        return {item.name: item for item in cursor.execute(_DEFINITIONS, [list(names)])}


def _replace(connection: Connection[Any], item: Rewritten, extensions: Sequence[str], source: str) -> None:
    tag = "$function$"
    while tag in source:
        tag = f"$_{tag[1:]}"
    try:
        connection.execute(sql.SQL(f"{item.head}{tag}{source}{tag}"))
        for extension in extensions:  # CREATE OR REPLACE forgets these, and only these
            name = sql.Identifier(extension)
            connection.execute(sql.SQL(f"ALTER ROUTINE {item.name} DEPENDS ON EXTENSION {{}}").format(name))
    except psycopg.Error as error:
        raise CouldNotRun(
            "function-not-replaced",
            f"{item.name}: {error.diag.message_primary or error}",
            remedy="connect as a superuser or as the owner of the function",
        ) from error


@contextmanager
def _catalog_only(connection: Connection[Any]) -> Iterator[Cursor[Any]]:
    """A transaction in which names are shown with their schemas, and a body that cannot run is not looked at.

    The cursor gives the first column alone.
    """
    with connection.transaction(), connection.cursor(row_factory=scalar_row) as cursor:
        settings = {"search_path": CATALOG_ONLY, "check_function_bodies": "off"}
        old = {name: cursor.execute("SELECT current_setting(%s)", [name]).fetchone() for name in settings}
        for name, value in settings.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
        yield cursor
        for name, was in old.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [name, was])


def _check(connection: Connection[Any], cursor: Cursor[Any], schemas: Sequence[str]) -> None:
    known = cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname = ANY (%s)", [list(schemas)]).fetchall()
    if missing := [schema for schema in schemas if schema not in known]:
        raise UsageError(
            "unknown-schema",
            f"there is no schema {', '.join(missing)} in this database",
            remedy="name the schemas that the migrations create",
        )
    if connection.info.parameter_status("standard_conforming_strings") != "on":
        raise UsageError(
            "old-strings",
            "standard_conforming_strings is off, so that the strings in function bodies cannot be read",
            remedy="turn it on in this database",
        )
    if is_instrumented(connection, schemas):
        raise CouldNotRun(
            "already-instrumented",
            f"functions in {', '.join(schemas)} have scheduling points in them",
            expected="the subject's own functions",
            remedy="load the subject again: the points are left from a run that did not end",
        )


_DEFINITIONS = """
SELECT wanted.name, p.prosrc AS source, pg_get_functiondef(p.oid) AS definition,
       ARRAY(SELECT e.extname::text FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
              WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'x') AS extensions,
       concat_ws(chr(10), to_jsonb(p) - ARRAY['prosrc', 'proargdefaults'], pg_get_function_arguments(p.oid),
         obj_description(p.oid, 'pg_proc'),
         ARRAY(SELECT d::text FROM pg_depend d
                WHERE (d.classid = 'pg_proc'::regclass AND d.objid = p.oid)
                   OR (d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid) ORDER BY 1)) AS rest
  FROM unnest(%s::text[]) AS wanted (name) JOIN pg_proc p ON p.oid = to_regprocedure(wanted.name)"""
