"""The routes of before: the same answers when nobody else is there, and what goes wrong when somebody is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.db.migrate import apply
from harness.marketplace.demo import DemoMarket, make_demo_market
from harness.marketplace.deployment import BEFORE_ROLE
from harness.marketplace.subject import load_subject
from harness.purchase.before import CheckThenAct
from harness.purchase.refusals import Refusal
from harness.purchase.store import Answer, CreditsWanted, Event, LeadsWanted
from harness.resources import bundled

ROLLBACK = bundled("sql") / "reference" / "rollback"
STORE = CheckThenAct()


@pytest.fixture(scope="module")
def dsn(server: AnyServer, module_database: str) -> str:
    subject = load_subject("reference", bundled("sql"))
    server.ensure_roles([*subject.roles, BEFORE_ROLE])
    with psycopg.connect(module_database, autocommit=True) as owner:
        apply(owner, [*subject.migrations, ROLLBACK / "non_atomic_api.sql"])
    return module_database


@pytest.fixture
def owner(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn, autocommit=True) as owner:
        yield owner
        owner.execute("SET session_replication_role = replica")
        for table in load_subject("reference", bundled("sql")).fixtures["wipe"]:
            owner.execute(table.encode())
        owner.execute("DELETE FROM api_tokens")


@pytest.fixture
def market(owner: psycopg.Connection[Any]) -> DemoMarket:
    return make_demo_market(owner, load_subject("reference", bundled("sql")))


async def connect(dsn: str) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(dsn, autocommit=True, options=f"-c role={BEFORE_ROLE}")


async def buy(
    connection: psycopg.AsyncConnection[Any],
    market: DemoMarket,
    who: str,
    lead: int = 0,
    method: str = "credits",
    key: str | None = None,
) -> Answer:
    token = sha256(market.tokens[who].encode()).digest()
    return await STORE.purchase_leads(
        connection, LeadsWanted(token, uuid4(), [UUID(market.leads[lead][0])], method, key, "h")
    )


def test_alone_it_is_right(dsn: str, owner: psycopg.Connection[Any], market: DemoMarket) -> None:
    async def work() -> None:
        async with await connect(dsn) as connection:
            first = await buy(connection, market, "globex", key="k")
            assert first.response.endswith('"remaining_credits": "12.00"}')
            again = await buy(connection, market, "globex", key="k")
            assert (again.replayed, json.loads(again.response)) == (True, json.loads(first.response))
            for who, lead, code in (("acme", 0, "lead_sold"), ("globex", 2, "insufficient_credits")):
                with pytest.raises(Refusal, match=code):
                    await buy(connection, market, who, lead)
            pending = await buy(connection, market, "acme", 1, "stripe")
            assert '"leads": []' in pending.response
            (about,) = owner.execute("SELECT id FROM marketplace_purchases WHERE status = 'pending'").fetchall()[0]
            paid = Event("e", "checkout.session.completed", "purchase", UUID(str(about)), (999, "usd"))
            assert [await STORE.apply_event(connection, paid) for _ in range(2)] == [False, True]
            token = sha256(market.tokens["acme"].encode()).digest()
            shown = await STORE.read_purchase(connection, token, UUID(str(about)))
            assert shown is not None
            assert "Customer" in shown
            ordered = uuid4()
            await STORE.buy_credits(connection, CreditsWanted(token, ordered, Decimal(5), None, "h"))
            assert not await STORE.apply_event(
                connection, Event("f", "checkout.session.completed", "credit_purchase", ordered, (500, "usd"))
            )

    asyncio.run(work())
    balances = dict(owner.execute("SELECT workspace_id, balance FROM workspace_credits").fetchall())
    ledger = dict(owner.execute("SELECT workspace_id, sum(amount) FROM credit_ledger GROUP BY 1").fetchall())
    assert balances == ledger
    assert sorted(balances.values()) == [Decimal(0), Decimal(12), Decimal(105)]


def test_two_at_once_both_buy(dsn: str, owner: psycopg.Connection[Any], market: DemoMarket) -> None:
    async def work() -> None:
        async with await connect(dsn) as one, await connect(dsn) as two:
            # Both have looked before either has marked: the row of the purchases table is held up until then.
            owner.execute("BEGIN")
            owner.execute("LOCK marketplace_purchases IN SHARE MODE")
            both = [asyncio.create_task(buy(*each)) for each in ((one, market, "acme"), (two, market, "globex"))]
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'marketplace_purchases'::regclass"
            while owner.execute(waiting).fetchone() != (2,):
                await asyncio.sleep(0.005)
            owner.execute("COMMIT")
            await asyncio.gather(*both)

    asyncio.run(work())
    sold = "SELECT lead_id, count(*) FROM marketplace_purchase_items GROUP BY lead_id"
    assert [count for _, count in owner.execute(sold).fetchall()] == [2]


def test_the_rights_are_taken_back(owner: psycopg.Connection[Any]) -> None:
    with owner.transaction(force_rollback=True):
        for statement in (ROLLBACK / "non_atomic_api_undone.sql").read_text().split(";")[:-1]:
            owner.execute(statement.encode())
        left = owner.execute(
            "SELECT count(*) FROM information_schema.role_table_grants WHERE grantee = %s "
            "UNION ALL SELECT count(*) FROM information_schema.column_privileges WHERE grantee = %s",
            [BEFORE_ROLE, BEFORE_ROLE],
        ).fetchall()
        assert left == [(0,), (0,)]
