"""The reference where the purchase API can be served: in a database of ours, or in one that is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from harness.db.admin import administration
from harness.db.migrate import apply
from harness.db.provision import provision
from harness.db.roles import create_missing
from harness.marketplace.demo import DemoMarket, make_demo_market
from harness.marketplace.subject import Subject
from harness.resources import bundled
from harness.words.errors import UsageError

BEFORE_ROLE = "marketplace_before"
"""Of the routes that are gone back to by the rollback plan."""


@contextmanager
def deployed(subject: Subject, database: str, *, before: bool) -> Iterator[tuple[str, DemoMarket | None]]:
    """The DSN of a database of ours with everything in it, and its market. Raises what ``provision`` raises."""
    with provision(database, settings={"autovacuum": True}) as server:
        server.ensure_roles((*subject.roles, BEFORE_ROLE))
        with server.database() as dsn:
            with psycopg.connect(dsn, autocommit=True) as connection:
                apply(connection, subject.migrations)
                if before:
                    apply(connection, [rollback()])
                market = make_demo_market(connection, subject)
            yield dsn, market


def given(subject: Subject, dsn: str, *, before: bool, install: bool) -> DemoMarket | None:
    """Look whether everything is in the database of somebody else; put it there when we were asked to (a market, too).

    Raises ``UsageError`` for what is missing or in the way.
    """
    with administration(dsn) as connection:
        market = _install(connection, subject) if install else None
        _require_api(connection)
        if before:
            _require_rollback(connection)
    return market


def _install(connection: psycopg.Connection[Any], subject: Subject) -> DemoMarket:
    taken = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('public') AND relkind IN ('r', 'p', 'v')"
    ).fetchall()
    if taken:
        raise UsageError(
            "not-empty",
            f"the database has tables already: {', '.join(sorted(name for (name,) in taken)[:3])}",
            expected="an empty database for --install",
            remedy="make a new one, or leave --install out",
        )
    for role in create_missing(connection, (*subject.roles, BEFORE_ROLE)):
        # They belong to this marketplace now, and are nobody's to drop.
        connection.execute(sql.SQL("COMMENT ON ROLE {} IS NULL").format(sql.Identifier(role)))
    apply(connection, subject.migrations)
    return make_demo_market(connection, subject)


def _require_api(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute(
        "SELECT to_regprocedure('api_purchase_leads(bytea, uuid, uuid[], text, text, text)') IS NOT NULL, "
        "EXISTS (SELECT FROM pg_roles WHERE rolname = 'marketplace_api' AND pg_has_role(oid, 'MEMBER'))"
    ).fetchone()
    assert row is not None
    if not row[0]:
        raise UsageError(
            "no-api",
            "the database has no function api_purchase_leads",
            expected="the migrations of sql/reference",
            remedy="run them, or use an empty database with --install",
        )
    if not row[1]:
        raise UsageError(
            "not-the-api",
            "the role of --dsn may not become marketplace_api",
            remedy="GRANT marketplace_api TO that role",
        )


def _require_rollback(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute(
        "SELECT bool_or(pg_has_role(oid, 'MEMBER') AND has_table_privilege(oid, 'credit_ledger', 'INSERT')) "
        "FROM pg_roles WHERE rolname = %s",
        [BEFORE_ROLE],
    ).fetchone()
    if row != (True,):
        raise UsageError(
            "not-rolled-back",
            f"{BEFORE_ROLE} has no rights here",
            expected="those that the rollback plan gives it",
            remedy=f"psql -f {rollback()}",
        )


def rollback() -> Path:
    """The SQL that gives the routes of before what they need: the functions stay."""
    return bundled("sql") / "reference" / "rollback" / "non_atomic_api.sql"
