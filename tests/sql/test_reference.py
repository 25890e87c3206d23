"""The reference subject's migrations: up, down, up with the data surviving; and what its tables refuse to hold."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from harness.db.any_server import AnyServer
from harness.db.migrate import apply
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart
from harness.marketplace.subject import Subject, load_subject
from harness.resources import bundled
from tests.sql.shop import A, Case, Shop, opened, purchase

START = Start(
    {"A": Decimal(50), "seller": Decimal(0)},
    {"L1": LeadStart(Decimal(10)), "L2": LeadStart(Decimal(10)), "L3": LeadStart(Decimal(10), status="sold")},
    {
        "p": PurchaseStart("A", ("L1",)),
        "held": PurchaseStart("A", ("L2",), method="stripe", reserved="held"),
        "done": PurchaseStart("A", ("L3",), status="completed"),
    },
    {"t": TopUpStart("A", Decimal(5))},
)


@pytest.fixture
def subject(server: AnyServer) -> Subject:
    subject = load_subject("reference", bundled("sql"))
    server.ensure_roles(subject.roles)
    return subject


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def catalog(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """Everything that migrations make in the schema, with definitions and privileges."""
    return connection.execute(
        """
        SELECT 'table', c.oid::regclass::text, coalesce(c.relacl, acldefault('r', c.relowner))::text, (
            SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attacl,
                                        pg_get_expr(d.adbin, d.adrelid)), ', ' ORDER BY a.attnum)
            FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
            WHERE a.attrelid = c.oid AND a.attnum > 0)
        FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT 'constraint', conrelid::regclass || ' ' || conname, NULL, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL
        SELECT 'trigger', t.tgname, NULL, pg_get_triggerdef(t.oid) FROM pg_trigger AS t WHERE NOT t.tgisinternal
        UNION ALL
        SELECT 'function', oid::regprocedure::text, proacl::text, pg_get_functiondef(oid)
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL
        SELECT 'type', oid::regtype::text, NULL, NULL FROM pg_type
        WHERE typnamespace = 'public'::regnamespace AND typtype = 'd'
        UNION ALL
        SELECT 'default', defaclnamespace::regnamespace::text, defaclacl::text, NULL FROM pg_default_acl
        ORDER BY 1, 2
        """
    ).fetchall()


def functions(connection: psycopg.Connection[Any]) -> list[str]:
    query = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1"
    return [name for (name,) in connection.execute(query)]


def test_every_migration_has_its_way_back(subject: Subject) -> None:
    assert [path.name for path in subject.down] == [path.name for path in reversed(subject.migrations)]


def test_all_the_way_down_leaves_nothing(connection: psycopg.Connection[Any], subject: Subject) -> None:
    nothing = catalog(connection)
    apply(connection, subject.migrations)
    everything = catalog(connection)
    apply(connection, subject.down)
    assert catalog(connection) == nothing
    apply(connection, subject.migrations)
    assert catalog(connection) == everything


def test_each_step_down_is_the_step_up_undone(connection: psycopg.Connection[Any], subject: Subject) -> None:
    pictures = []
    for path in subject.migrations:
        pictures.append(catalog(connection))
        apply(connection, [path])
    for path, picture in zip(subject.down, reversed(pictures), strict=True):
        apply(connection, [path])
        assert catalog(connection) == picture, path.name


def test_without_its_functions_the_data_stays(connection: psycopg.Connection[Any], subject: Subject) -> None:
    apply(connection, subject.migrations)
    with opened(connection, START) as shop:
        shop.ask("complete_credit_lead_purchase", purchase("p"), A, 10)
        shop.ask("apply_stripe_event", "e", "checkout.session.completed", purchase("held"))
        before = shop.state()
        without_schema = subject.down[:-1]
        for path in without_schema:
            connection.execute(path.read_bytes())
        assert functions(connection) == ["refuse_ledger_change"]
        assert shop.state() == before
        for path in subject.migrations[1:]:
            connection.execute(path.read_bytes())
        assert shop.state() == before
        # The purchase and the event are remembered: neither is done a second time.
        answer = shop.ask("complete_credit_lead_purchase", purchase("p"), A, 10)
        assert (answer[0]["new_credit_balance"], answer[0]["already_completed"]) == (40, True)
        assert shop.ask("apply_stripe_event", "e", "checkout.session.completed", purchase("held"))[0][
            "already_completed"
        ]
        assert shop.state() == before


@pytest.fixture(scope="module")
def filled(session: psycopg.Connection[Any]) -> Iterator[Shop]:
    with opened(session, START) as shop:
        yield shop


@pytest.fixture
def shop(filled: Shop) -> Iterator[Shop]:
    with filled.undone():
        yield filled


@pytest.mark.parametrize("amount", ["0", "0.01", "10.00", "10.000", "999999999999.99"])
@pytest.mark.parametrize(
    "column", ["workspace_credits SET balance", "leads SET price", "marketplace_purchases SET total"]
)
def test_money_is_kept_as_it_is(session: psycopg.Connection[Any], shop: Shop, column: str, amount: str) -> None:
    del shop
    name = column.split()[-1]
    update = sql.SQL(f"UPDATE {column} = {amount} RETURNING {name}")
    assert {kept for (kept,) in session.execute(update)} == {Decimal(amount)}


@pytest.mark.parametrize("amount", ["-0.01", "0.001", "10.005", "1e12", "'NaN'", "'Infinity'", "'-Infinity'"])
@pytest.mark.parametrize(
    "column",
    [
        "workspace_credits SET balance",
        "leads SET price",
        "marketplace_purchases SET total",
        "marketplace_purchases SET credit_balance_after",
        "marketplace_purchase_items SET price",
        "credit_purchases SET amount",
    ],
)
def test_what_is_no_money_is_refused_and_never_rounded(
    session: psycopg.Connection[Any], shop: Shop, column: str, amount: str
) -> None:
    del shop
    with pytest.raises(errors.CheckViolation):
        session.execute(sql.SQL(f"UPDATE {column} = {amount}"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE workspace_credits SET balance = NULL",
        "UPDATE credit_purchases SET amount = 0",
        "UPDATE leads SET sold_count = 2",
        "UPDATE leads SET sold_count = 1",
        "UPDATE leads SET marketplace_status = 'sold'",
        "UPDATE leads SET sold_at = now() WHERE sold_count = 0",
        "UPDATE leads SET marketplace_status = 'gone'",
        "UPDATE marketplace_purchases SET status = 'paid'",
        "UPDATE marketplace_purchases SET status = 'completed'",
        "UPDATE marketplace_purchases SET payment_method = 'cash'",
        "UPDATE marketplace_purchase_items SET lead_id = gen_random_uuid()",
        "UPDATE credit_ledger SET amount = 1",
        "UPDATE credit_ledger SET amount = 1 WHERE false",
        "DELETE FROM credit_ledger",
        "TRUNCATE credit_ledger",
    ],
)
def test_the_tables_refuse(session: psycopg.Connection[Any], shop: Shop, statement: str) -> None:
    del shop
    with pytest.raises((errors.IntegrityError, errors.RaiseException)):
        session.execute(statement.encode())


LEDGER = "INSERT INTO credit_ledger (workspace_id, kind, amount, purchase_id, credit_purchase_id)"


@pytest.mark.parametrize(
    ("entry", "refusal"),
    [
        ("'purchase', -10, p.id, NULL", errors.UniqueViolation),
        ("'purchase', -1, p.id, NULL", errors.UniqueViolation),
        ("'refund', -10, p.id, NULL", errors.CheckViolation),
        ("'refund', 10, NULL, NULL", errors.CheckViolation),
        ("'top_up', -5, NULL, t.id", errors.CheckViolation),
        ("'top_up', 5, NULL, NULL", errors.CheckViolation),
        ("'top_up', 5, p.id, t.id", errors.CheckViolation),
        ("'opening', 5, p.id, NULL", errors.CheckViolation),
        ("'opening', 0.005, NULL, NULL", errors.CheckViolation),
        ("'opening', 'NaN', NULL, NULL", errors.CheckViolation),
        ("'opening', 'Infinity', NULL, NULL", errors.CheckViolation),
        ("'gift', 5, NULL, NULL", errors.CheckViolation),
    ],
)
def test_the_ledger_refuses_an_entry(
    session: psycopg.Connection[Any], shop: Shop, entry: str, refusal: type[psycopg.Error]
) -> None:
    del shop
    purchases = "marketplace_purchases AS p JOIN credit_purchases AS t USING (workspace_id)"
    with pytest.raises(refusal):
        session.execute(f"{LEDGER} SELECT p.workspace_id, {entry} FROM {purchases} WHERE p.status = 'completed'")


def test_a_balance_that_would_not_fit_is_refused_whole(session: psycopg.Connection[Any], shop: Shop) -> None:
    session.execute(
        "INSERT INTO credit_ledger (workspace_id, kind, amount) SELECT id, 'opening', 999999999999.99 - 50 "
        "FROM workspaces WHERE name = 'A'"
    )
    session.execute("UPDATE workspace_credits SET balance = 999999999999.99 WHERE balance = 50")
    Case("refund", ("refund_lead_purchase", purchase("done")), "23514").check(shop)
