"""Atomic operations (8): all of an operation is there, or nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from harness.marketplace.operations import Buy, CompleteCredit, CompleteStripe, Deliver, MarkSold
from harness.marketplace.properties.facts import PAID
from harness.marketplace.start import LeadStart, LeadState, PurchaseStart, Start
from harness.stress.clients import clients
from harness.words.history import Result, Status
from tests.seed.conftest import Opened
from tests.seed.market import BALANCE, PRICE, Market, buyers

SOLD, AVAILABLE = LeadState("sold", 1), LeadState("available", 0)


def pending(method: str, *, leads: int = 2, balance: int = 100) -> Start:
    """A purchase ``p`` of W0 that waits for its completion."""
    names = tuple(f"L{number}" for number in range(leads))
    return Start(
        workspaces={"W0": BALANCE * balance // 100},
        leads={name: LeadStart(PRICE) for name in names},
        purchases={"p": PurchaseStart("W0", names, method, reserved="held" if method == "stripe" else None)},
    )


@contextmanager
def marking_fails(market: Market, lead: str) -> Iterator[None]:
    """Whoever marks this lead as sold fails in it, after others may have been marked and the charge was made."""
    body = sql.SQL(
        """
        CREATE FUNCTION harness.fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF new.id = {} AND new.sold_count > old.sold_count THEN
            RAISE 'planted' USING ERRCODE = 'HX001';
          END IF;
          RETURN new;
        END
        $$
        """
    ).format(sql.Literal(str(market.names.id_of("lead", lead))))
    with psycopg.connect(market.dsn, autocommit=True) as owner:
        owner.execute(body)
        owner.execute("CREATE TRIGGER fail BEFORE UPDATE ON leads FOR EACH ROW EXECUTE FUNCTION harness.fail()")
        try:
            yield
        finally:
            owner.execute("DROP FUNCTION harness.fail() CASCADE")


def test_rollback_when_marking_fails(market: Opened) -> None:
    buy, complete = Buy("W0", ("L0", "L1"), "q"), CompleteCredit("p", "W0", 2 * PRICE)
    opened = market(pending("credits"), buy)
    before = opened.rows()
    with marking_fails(opened, "L1"):
        for operation in (complete, buy):
            assert opened.ask(operation) == Result(Status.FAILED, "HX001")
        assert opened.rows() == before
    # Nothing is in the way of the next attempt.
    assert opened.ask(complete).status is Status.OK
    assert (opened.balance("W0"), opened.status("p"), opened.lead("L1")) == (BALANCE - 2 * PRICE, "completed", SOLD)
    opened.must_be_safe()


def test_insufficient_credits_change_nothing(market: Opened) -> None:
    # The seed's case: 5 credits, a purchase of 10.
    opened = market(pending("credits", leads=1, balance=5))
    before = opened.rows()
    assert opened.ask(CompleteCredit("p", "W0", PRICE)) == Result(Status.REFUSED, "insufficient_credits")
    assert (opened.balance("W0"), opened.lead("L0"), opened.status("p")) == (Decimal(5), AVAILABLE, "pending")
    assert opened.rows() == before
    opened.must_be_safe()


def test_a_failed_purchase_leaves_no_orphan(market: Opened) -> None:
    dear, sold = Buy("W0", tuple(f"L{number}" for number in range(11)), "p"), Buy("W0", ("L11", "L12"), "q")
    start = buyers(1, leads=12)
    opened = market(Start(start.workspaces, {**start.leads, "L12": LeadStart(PRICE, status="sold")}), dear, sold)
    before = opened.rows()
    assert opened.ask(dear) == Result(Status.REFUSED, "insufficient_credits")
    assert opened.ask(sold) == Result(Status.REFUSED, "lead_unavailable")
    # And a client that vanishes between the creation of its purchase and the payment.
    asyncio.run(vanish(opened))
    opened.go_on_until(lambda: others(opened) == 1)
    assert opened.rows() == before
    assert (opened.status("p"), opened.status("q"), opened.state().items) == (None, None, ())
    opened.must_be_safe()


async def vanish(market: Market) -> None:
    async with clients(market.dsn, market.subject, 1) as (connection,):
        await connection.execute("BEGIN")
        made = await connection.execute(
            "SELECT total FROM create_lead_purchase(%s, %s, %s, 'credits')",
            [UUID(int=1), market.names.id_of("workspace", "W0"), [market.names.id_of("lead", "L0")]],
        )
        assert await made.fetchall() == [(PRICE,)]


def others(market: Market) -> int:
    """Clients that are connected to the database."""
    row = market.owner.execute(
        """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
        """
    ).fetchone()
    return int(row[0]) if row else 0


def test_a_credit_purchase_completes_whole(market: Opened) -> None:
    opened = market(pending("credits"))
    assert opened.ask(CompleteCredit("p", "W0", 2 * PRICE))["balance"] == BALANCE - 2 * PRICE
    state = opened.state()
    assert dict(state.balances)["W0"] == dict(state.ledger or ())["W0"] == BALANCE - 2 * PRICE
    assert state.charges == (("p", "W0", 2 * PRICE),)
    assert dict(state.leads) == {"L0": SOLD, "L1": SOLD}
    assert state.purchases == (("p", "completed"),)
    opened.must_be_safe()


def test_a_stripe_purchase_completes_whole(market: Opened) -> None:
    opened = market(pending("stripe"))
    told = opened.ask(CompleteStripe("p"))
    assert told == Result(Status.OK, "", (("already_completed", False), ("marked", ("L0", "L1"))))
    state = opened.state()
    assert dict(state.leads) == {"L0": SOLD, "L1": SOLD}
    assert state.purchases == (("p", "completed"),)
    assert (state.reservations, state.charges) == ((), ())
    assert dict(state.balances)["W0"] == BALANCE
    opened.must_be_safe()


def test_a_duplicate_delivery_changes_nothing(market: Opened) -> None:
    opened, delivery = market(pending("stripe")), Deliver("evt_1", PAID, "p")
    assert opened.ask(delivery, perform=opened.endpoint)["already_completed"] is False
    before = opened.rows()
    assert opened.ask(delivery, perform=opened.endpoint)["already_completed"] is True
    assert opened.ask(delivery)["already_completed"] is True
    assert opened.rows() == before
    opened.must_be_safe()


def test_bulk_marks_all(market: Opened) -> None:
    opened = market(buyers(1, leads=100))
    names = tuple(f"L{number}" for number in range(100))
    assert opened.ask(MarkSold(names))["marked"] == tuple(sorted(names))
    assert set(dict(opened.state().leads).values()) == {SOLD}
    opened.must_be_safe()


def test_bulk_with_an_unknown_or_sold_id(market: Opened) -> None:
    start = buyers(1, leads=2)
    opened = market(Start(start.workspaces, {**start.leads, "sold": LeadStart(PRICE, status="sold")}))
    asked = ("L1", "sold", "unknown", "L0", "L1")
    answers: list[tuple[Any, ...]] = []

    async def mark(connection: psycopg.AsyncConnection[Any], operation: MarkSold) -> Result:
        ids = [opened.names.id_of("lead", name) for name in operation.leads or ()]
        query = "SELECT leads_marked, lead_ids_marked, lead_ids_skipped FROM mark_leads_sold_bulk(%s)"
        ((count, marked, skipped),) = await (await connection.execute(query, [ids])).fetchall()
        names = [tuple(opened.names.name_of(str(each)) for each in some) for some in (marked, skipped)]
        answers.append((count, *names))
        return Result(Status.OK, "", (("marked", names[0]),))

    opened.ask(MarkSold(asked), perform=mark)
    opened.ask(MarkSold(asked), perform=mark)
    # The available ones are marked, each once; the others are named, the second copy of one too.
    assert answers == [
        (2, ("L0", "L1"), ("L1", "sold", "unknown")),
        (0, (), ("L0", "L1", "L1", "sold", "unknown")),
    ]
    assert set(dict(opened.state().leads).values()) == {SOLD}
    opened.must_be_safe()
