"""A database with a subject in it, ready to be scheduled: migrated, with a gate, and instrumented."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from harness.db.any_server import AnyServer
from harness.db.instrument import install, plan
from harness.db.migrate import apply
from harness.db.plan import Plan
from harness.db.stage import install_gate
from harness.marketplace.subject import Subject
from harness.words.errors import UsageError


@dataclass(frozen=True, slots=True)
class Prepared:
    """``dsn`` is the database's, of a superuser; ``plan`` knows every scheduling point and every opaque place."""

    dsn: str
    subject: Subject
    plan: Plan


def require_superuser(server: AnyServer) -> None:
    """Raises ``UsageError`` for an open server on which our role is something less."""
    if not server.superuser:
        raise UsageError(
            "no-superuser",
            "the role of the DSN is no superuser",
            expected="a superuser: instrumenting, cancelling and resetting need one",
            remedy="name another role, or leave --dsn out to use an embedded server",
        )


def prepare(dsn: str, subject: Subject) -> Prepared:
    """Put ``subject`` into the empty database at ``dsn`` and instrument its functions.

    Raises ``UsageError`` for a subject whose SQL the server refuses.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        apply(connection, subject.migrations)
        install_gate(connection)
        instrumentation = plan(connection, subject.schemas)
        install(connection, instrumentation)
    return Prepared(dsn, subject, instrumentation)
