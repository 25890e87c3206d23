"""Who may execute the subject's functions: read from the catalog, and tried as every other role."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.rows import class_row

from harness.marketplace.properties.grants import (
    ONLY_SERVICE_ROLE,
    OWNERS_SQL,
    ROUTINES_SQL,
    Owner,
    Routine,
    check_grants,
)
from harness.marketplace.subject import Subject
from harness.words.verdict import Verdict, Violation


def judge_privileges(connection: psycopg.Connection[Any], subject: Subject) -> dict[str, Any]:
    """The document's entry for ``only-service-role``, from a superuser's connection to an uninstrumented subject."""
    if not subject.client_role:
        return _entry(Verdict.NOT_APPLICABLE, 0, why="the subject names no client_role")
    parameters = {"schemas": list(subject.schemas)}
    with connection.cursor(row_factory=class_row(Routine)) as cursor:
        routines = cursor.execute(ROUTINES_SQL, parameters).fetchall()
    with connection.cursor(row_factory=class_row(Owner)) as cursor:
        owners = cursor.execute(OWNERS_SQL, parameters).fetchall()
    violations = check_grants(routines, owners, frozenset({subject.client_role}))
    attempts = 0
    for role in (*subject.roles, None):
        if role == subject.client_role:
            continue
        tried, found = _try_as(connection, role, [r.signature for r in routines if not r.is_trigger])
        attempts += tried
        violations += found
    verdict = Verdict.VIOLATED if violations else Verdict.HOLDS if attempts else Verdict.NOT_EXERCISED
    return _entry(verdict, attempts, violations)


def _try_as(
    connection: psycopg.Connection[Any], role: str | None, signatures: list[str]
) -> tuple[int, list[Violation]]:
    """Call every function with NULLs as ``role`` (None: a role made for it, which stands for PUBLIC), and roll back."""
    found = []
    name = role or "harness_nobody"
    for signature in signatures:
        with connection.transaction(force_rollback=True):
            if role is None:
                connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
            connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(name)))
            try:
                connection.execute(_call(signature))
            except errors.InsufficientPrivilege:
                continue
            except psycopg.Error:
                pass  # it was let in, and stumbled over the NULLs
            who = role or "PUBLIC"
            found.append(
                Violation(
                    ONLY_SERVICE_ROLE,
                    f"{who} called {signature} and was not turned away",
                    (("function", signature), ("role", who)),
                )
            )
    return len(signatures), found


def _call(signature: str) -> bytes:
    """``SELECT f(NULL::type, ...)`` from the text that ``regprocedure`` gives, whose names are quoted already."""
    name, _, types = signature.removesuffix(")").partition("(")
    nulls = ", ".join(f"NULL::{kind}" for kind in types.split(",") if kind)
    return f"SELECT {name}({nulls})".encode()


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
