"""Who may execute the subject's functions: read from the catalog, and tried as every other role."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.rows import class_row

from harness.db.any_server import random_name
from harness.marketplace.properties.grants import (
    ONLY_SERVICE_ROLE,
    OWNERS_SQL,
    ROUTINES_SQL,
    Owner,
    Routine,
    check_grants,
    may_execute,
)
from harness.marketplace.subject import Subject
from harness.words.verdict import Verdict, Violation

SYNTAX_OR_ACCESS = "42"
"""The class of SQLSTATEs of a statement that was not carried out at all."""


def judge_privileges(connection: psycopg.Connection[Any], subject: Subject) -> dict[str, Any]:
    """The document's entry for ``only-service-role``, from a superuser's connection to an uninstrumented subject."""
    if not subject.client_role:
        return _entry(Verdict.NOT_APPLICABLE, 0, why="the subject names no client_role")
    parameters = {"schemas": list(subject.schemas)}
    with connection.cursor(row_factory=class_row(Routine)) as cursor:
        routines = cursor.execute(ROUTINES_SQL, parameters).fetchall()
    with connection.cursor(row_factory=class_row(Owner)) as cursor:
        owners = cursor.execute(OWNERS_SQL, parameters).fetchall()
    violations = check_grants(routines, owners, frozenset({subject.client_role}), subject.executors)
    calls = connection.execute(_CALLS, parameters).fetchall()
    attempts = 0
    for role in (*subject.roles, None):
        if role == subject.client_role:
            continue
        forbidden = [call for call in calls if not may_execute(role or "", call[0], subject.executors)]
        tried, found = _try_as(connection, role, forbidden)
        attempts += tried
        violations += found
    verdict = Verdict.VIOLATED if violations else Verdict.HOLDS if attempts else Verdict.NOT_EXERCISED
    return _entry(verdict, attempts, violations)


_CALLS = """
SELECT p.oid::regprocedure::text,
       CASE p.prokind WHEN 'p' THEN 'CALL ' ELSE 'SELECT ' END
       || quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(' || array_to_string(ARRAY(
         SELECT CASE WHEN a.last AND p.provariadic <> 0 THEN 'VARIADIC ' ELSE '' END
                || 'NULL::' || format_type(a.type, NULL)
           FROM (SELECT type, number, number = max(number) OVER () AS last
                   FROM unnest(CASE p.prokind WHEN 'p' THEN coalesce(p.proallargtypes, p.proargtypes::oid[])
                               ELSE p.proargtypes::oid[] END) WITH ORDINALITY AS given (type, number)) AS a
          ORDER BY a.number), ', ')
       || CASE p.prokind WHEN 'w' THEN ') OVER ()' ELSE ')' END
  FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
 WHERE n.nspname = ANY (%(schemas)s) AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
 ORDER BY 1
"""
"""Every routine that can be called, and a call of it with NULLs."""


def _try_as(
    connection: psycopg.Connection[Any], role: str | None, calls: Sequence[tuple[str, str]]
) -> tuple[int, list[Violation]]:
    """Call every function as ``role`` (None: a role made for it, which stands for PUBLIC), and roll back."""
    found = []
    tried = 0
    name = sql.Identifier(role or random_name())
    for signature, call in calls:
        with connection.transaction(force_rollback=True):
            if role is None:
                connection.execute(sql.SQL("CREATE ROLE {}").format(name))
            connection.execute(sql.SQL("SET LOCAL ROLE {}").format(name))
            try:
                connection.execute(call.encode())
            except psycopg.Error as error:
                # What goes wrong inside the function has a context: it was let in, and stumbled over the NULLs.
                if not error.diag.context and (error.sqlstate or "").startswith(SYNTAX_OR_ACCESS):
                    # A call that cannot be written (a polymorphic argument) tries nothing; the catalog has judged it.
                    tried += isinstance(error, errors.InsufficientPrivilege)
                    continue
            tried += 1
            who = role or "PUBLIC"
            found.append(
                Violation(
                    ONLY_SERVICE_ROLE,
                    f"{who} called {signature} and was not turned away",
                    (("function", signature), ("role", who)),
                )
            )
    return tried, found


def _entry(
    verdict: Verdict, attempts: int, violations: list[Violation] | None = None, why: str | None = None
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": ONLY_SERVICE_ROLE,
        "verdict": verdict.value,
        "scenarios": ["catalog and attempts"] if attempts else [],
        "schedules": attempts,
        "violating_schedules": len(violations or ()),
        "counterexample": None,
    }
    if why is not None:
        entry["why"] = why
    elif violations:
        entry["why"] = "; ".join(violation.why for violation in violations)
    return entry
