"""A database with a subject in it, ready to be scheduled: migrated, with a gate, and instrumented."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from harness.db.any_server import AnyServer
from harness.db.instrument import install, plan
from harness.db.migrate import apply
from harness.db.plan import Plan
from harness.db.stage import install_gate
from harness.marketplace.calls import LOST
from harness.marketplace.subject import Subject
from harness.words.errors import CouldNotRun, HarnessError, UsageError


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


@contextmanager
def telling_of_a_lost_server() -> Iterator[None]:
    """Whatever is raised when the server goes away becomes a ``CouldNotRun`` of one line.

    That a statement failed for this reason may already have been told as something else (a probe that cannot be read).
    """
    try:
        yield
    except (psycopg.Error, HarnessError, ProcessLookupError) as error:
        cause = error.__cause__ if isinstance(error, HarnessError) else error
        if not _is_loss(cause):
            raise
        said = next((line.strip() for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
        raise CouldNotRun(
            "connection-lost", f"the connection to the server was lost: {said}", remedy="see the server's log"
        ) from error


def _is_loss(error: BaseException | None) -> bool:
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        return error.sqlstate.startswith(LOST)
    # What libpq itself says has no SQLSTATE, and a backend that is to be stopped or woken no process.
    return isinstance(error, psycopg.OperationalError | ProcessLookupError) or type(error) is psycopg.DatabaseError


@contextmanager
def new_database(server: AnyServer, template: str | None = None) -> Iterator[str]:
    """The name of a database that is dropped on the way out. That it cannot be does not hide what went wrong before."""
    name = server.create_database(template=template)
    try:
        yield name
    except BaseException as error:
        try:
            server.drop_database(name)
        except HarnessError as failure:
            error.add_note(f"and afterwards: {failure}")
        raise
    server.drop_database(name)


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
