"""Who may do what with the reference subject: read from the catalog, and tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.rows import class_row

from harness.db.any_server import AnyServer
from harness.db.migrate import apply
from harness.marketplace.properties.grants import OWNERS_SQL, ROUTINES_SQL, Owner, Routine, check_grants
from harness.marketplace.subject import load_subject
from harness.resources import bundled

API = {"api_buy_credits", "api_purchase_leads", "api_read_purchase", "api_stripe_event"}
SERVED = {
    *API,
    "apply_stripe_event",
    "complete_credit_lead_purchase",
    "complete_credit_top_up",
    "complete_stripe_lead_purchase",
    "create_lead_purchase",
    "expire_lead_purchase",
    "mark_leads_sold_bulk",
    "refund_lead_purchase",
    "sweep_expired_reservations",
    "validate_and_lock_leads_for_purchase",
}
INTERNAL = {
    "claim_idempotency_key",
    "complete_idempotency_key",
    "first_answer",
    "lock_leads",
    "shown_purchase",
    "why_unsaleable",
    "workspace_of_token",
}
TRIGGERS = {"refuse_ledger_change"}

TABLES = {
    "api_idempotency_keys",
    "credit_ledger",
    "credit_purchases",
    "lead_reservations",
    "leads",
    "marketplace_purchase_items",
    "marketplace_purchases",
    "processed_webhook_events",
    "workspace_credits",
    "workspaces",
}
UNREAD = {"api_tokens"}
"""Nobody reads these but the functions."""

GENEROUS = """
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO PUBLIC, anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON SEQUENCES TO PUBLIC, anon, authenticated, service_role;
"""
"""What a hosted database may have said before our first migration."""

STRANGER = "grants_stranger"
"""A role that nobody gave anything; it is rolled back with its test."""


@pytest.fixture(scope="module", params=["", GENEROUS], ids=["ours", "hosted"])
def connection(server: AnyServer, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection[Any]]:
    subject = load_subject("reference", bundled("sql"))
    server.ensure_roles(subject.roles)
    with server.database() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(request.param.encode() or b"SELECT")
        apply(connection, subject.migrations)
        yield connection


@pytest.fixture
def undone(connection: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    with connection.transaction(force_rollback=True):
        yield connection


def act_as(connection: psycopg.Connection[Any], role: str) -> None:
    if role == STRANGER:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))


def functions(connection: psycopg.Connection[Any]) -> dict[str, sql.Composed]:
    """Name of every function that can be called, to a call of it with nothing but NULL."""
    rows = connection.execute(
        "SELECT proname, proargtypes::regtype[]::text[] FROM pg_proc "
        "WHERE pronamespace = 'public'::regnamespace AND prorettype <> 'trigger'::regtype"
    ).fetchall()
    return {
        name: sql.SQL("SELECT {}({})").format(
            sql.Identifier(name), sql.SQL(", ").join([sql.SQL(f"NULL::{type_}") for type_ in types])
        )
        for name, types in rows
    }


def test_the_catalog(connection: psycopg.Connection[Any]) -> None:
    schemas = {"schemas": ["public"]}
    routines = connection.cursor(row_factory=class_row(Routine)).execute(ROUTINES_SQL, schemas).fetchall()
    owners = connection.cursor(row_factory=class_row(Owner)).execute(OWNERS_SQL, schemas).fetchall()
    assert check_grants(routines, owners, executors={"marketplace_api": API}) == []
    assert {routine.signature.split("(")[0] for routine in routines} == SERVED | INTERNAL | TRIGGERS
    assert {routine.signature.split("(")[0] for routine in routines if "service_role" in routine.executors} == SERVED
    assert {routine.signature.split("(")[0] for routine in routines if "marketplace_api" in routine.executors} == API
    assert {routine.search_path for routine in routines} == {"public, pg_temp"}
    definers = {routine.signature.split("(")[0] for routine in routines if routine.security_definer}
    assert definers == SERVED | INTERNAL


def test_every_function_is_volatile_plpgsql(connection: psycopg.Connection[Any]) -> None:
    rows = connection.execute(
        "SELECT DISTINCT lanname, provolatile FROM pg_proc JOIN pg_language AS l ON l.oid = prolang "
        "WHERE pronamespace = 'public'::regnamespace"
    ).fetchall()
    assert rows == [("plpgsql", "v")]


@pytest.mark.parametrize("name", sorted(SERVED | INTERNAL))
@pytest.mark.parametrize("role", ["anon", "authenticated", STRANGER])
def test_nobody_else_executes(undone: psycopg.Connection[Any], role: str, name: str) -> None:
    call = functions(undone)[name]
    act_as(undone, role)
    with pytest.raises(errors.InsufficientPrivilege, match=f"permission denied for function {name}"):
        undone.execute(call)


@pytest.mark.parametrize("name", sorted((SERVED | INTERNAL) - API))
def test_the_api_executes_nothing_else(undone: psycopg.Connection[Any], name: str) -> None:
    call = functions(undone)[name]
    act_as(undone, "marketplace_api")
    with pytest.raises(errors.InsufficientPrivilege, match=f"permission denied for function {name}"):
        undone.execute(call)


@pytest.mark.parametrize(
    ("role", "name"),
    [*(("service_role", name) for name in sorted(SERVED)), *(("marketplace_api", name) for name in sorted(API))],
)
def test_who_may_executes(undone: psycopg.Connection[Any], role: str, name: str) -> None:
    call = functions(undone)[name]
    act_as(undone, role)
    try:
        undone.execute(call)
    except errors.InsufficientPrivilege:
        raise
    except (errors.RaiseException, errors.NotNullViolation):
        return  # It ran, and did not like the NULLs.


@pytest.mark.parametrize("name", sorted(INTERNAL))
def test_what_is_internal_is_not_for_the_service_either(undone: psycopg.Connection[Any], name: str) -> None:
    call = functions(undone)[name]
    act_as(undone, "service_role")
    with pytest.raises(errors.InsufficientPrivilege):
        undone.execute(call)


@pytest.mark.parametrize("role", ["anon", "authenticated", STRANGER])
def test_a_function_that_is_made_later_is_nobody_s(undone: psycopg.Connection[Any], role: str) -> None:
    undone.execute("CREATE FUNCTION later() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    act_as(undone, role)
    with pytest.raises(errors.InsufficientPrivilege):
        undone.execute("SELECT later()")


MONITORED = {
    "leads": {"id", "sold_count"},
    "marketplace_purchases": {"id", "payment_method", "status", "created_at", "completed_at"},
    "marketplace_purchase_items": {"purchase_id", "lead_id"},
}
"""The columns that ``marketplace_monitor`` may read: no price, no balance, no workspace."""


def granted(connection: psycopg.Connection[Any]) -> set[tuple[str, str, str, str | None]]:
    """(table, role, privilege, column or None for all of them), whatever is given to others than the owner."""
    rows = connection.execute(
        """
        SELECT c.relname::text, coalesce(r.rolname, 'PUBLIC')::text, entry.privilege_type, a.attname::text
        FROM pg_class AS c
        LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attacl IS NOT NULL
        CROSS JOIN LATERAL (
          SELECT * FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner)))
          UNION ALL SELECT * FROM aclexplode(a.attacl)
        ) AS entry
        LEFT JOIN pg_roles AS r ON r.oid = entry.grantee
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'S') AND entry.grantee <> c.relowner
        """
    ).fetchall()
    return set(rows)


def test_tables_are_read_by_the_service_and_written_by_functions(connection: psycopg.Connection[Any]) -> None:
    rows = granted(connection)
    assert {table for table, _, _, _ in rows} == TABLES
    rows -= {row for row in rows if row[1] == "marketplace_monitor"}
    reading = {(table, "service_role", "SELECT") for table in TABLES}
    writing = {("leads", "service_role", "UPDATE"), ("credit_purchases", "service_role", "INSERT")}
    assert {row[:3] for row in rows} == reading | writing
    columns = {(table, column) for table, _, privilege, column in rows if privilege != "SELECT"}
    top_up = {("credit_purchases", column) for column in ("id", "workspace_id", "amount")}
    assert columns == {("leads", "price")} | top_up


def test_the_monitor_reads_what_it_needs_and_nothing_else(connection: psycopg.Connection[Any]) -> None:
    rows = {row for row in granted(connection) if row[1] == "marketplace_monitor"}
    role = "marketplace_monitor"
    assert rows == {(table, role, "SELECT", column) for table, columns in MONITORED.items() for column in columns}


@pytest.mark.parametrize("table", sorted(TABLES | UNREAD))
def test_the_monitor_sees_no_more_of_a_table(undone: psycopg.Connection[Any], table: str) -> None:
    act_as(undone, "marketplace_monitor")
    with pytest.raises(errors.InsufficientPrivilege):
        undone.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))


@pytest.mark.parametrize("name", sorted(SERVED | INTERNAL))
def test_the_monitor_executes_nothing(undone: psycopg.Connection[Any], name: str) -> None:
    call = functions(undone)[name]
    act_as(undone, "marketplace_monitor")
    with pytest.raises(errors.InsufficientPrivilege):
        undone.execute(call)


@pytest.mark.parametrize("table", sorted(TABLES | UNREAD))
@pytest.mark.parametrize("role", ["anon", "authenticated", "marketplace_api", STRANGER])
def test_nobody_else_reads(undone: psycopg.Connection[Any], role: str, table: str) -> None:
    act_as(undone, role)
    with pytest.raises(errors.InsufficientPrivilege):
        undone.execute(sql.SQL("SELECT FROM {}").format(sql.Identifier(table)))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE workspace_credits SET balance = 1",
        "UPDATE leads SET marketplace_status = 'available'",
        "UPDATE marketplace_purchases SET status = 'completed'",
        "INSERT INTO credit_ledger (workspace_id, kind, amount) VALUES (gen_random_uuid(), 'opening', 1)",
        "INSERT INTO credit_purchases (id, workspace_id, amount, status) "
        "VALUES (gen_random_uuid(), gen_random_uuid(), 1, 'completed')",
        "DELETE FROM processed_webhook_events",
        "ALTER TABLE leads DISABLE TRIGGER ALL",
    ],
)
def test_the_service_moves_no_money_by_hand(undone: psycopg.Connection[Any], statement: str) -> None:
    act_as(undone, "service_role")
    with pytest.raises(errors.InsufficientPrivilege):
        undone.execute(statement.encode())


def test_a_temporary_table_deceives_no_function(undone: psycopg.Connection[Any]) -> None:
    act_as(undone, "service_role")
    undone.execute(
        "CREATE TEMP TABLE leads AS SELECT gen_random_uuid() AS id, gen_random_uuid() AS workspace_id, 1 AS price"
    )
    undone.execute("SET LOCAL search_path = pg_temp, public")
    with pytest.raises(errors.RaiseException, match="lead_unavailable"):
        undone.execute("SELECT validate_and_lock_leads_for_purchase(ARRAY(SELECT id FROM leads), gen_random_uuid())")
