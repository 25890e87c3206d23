"""What happened before there were atomic functions: the four rows of the document's "What this prevents".

Every statement of a route is a transaction of its own, so each interleaving here is a list of steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.marketplace.operations import Buy, Checkout, CompleteCredit, Deliver, MarkSold, Validate
from harness.marketplace.start import LeadStart, PurchaseStart, Start
from harness.resources import bundled

from .market import Market, RefusedError, installed

PAID, EXPIRED = "checkout.session.completed", "checkout.session.expired"
TEN = Decimal(10)
BUYERS = {"A": Decimal(50), "B": Decimal(50)}
ONE_LEAD = {"L1": LeadStart(TEN)}
TWO_LEADS = {"L1": LeadStart(TEN), "L2": LeadStart(TEN)}
STRIPE = PurchaseStart("A", ("L1",), method="stripe")


@pytest.fixture(scope="module")
def market(server: AnyServer, module_database: str) -> Iterator[Market]:
    with installed("before", server, module_database) as market:
        yield market


def test_it_starts_from_the_tables_of_the_published_subject() -> None:
    tables = "migrations/20260201000001_marketplace.sql"
    before, published = (bundled("sql") / name / tables for name in ("before", "published"))
    assert before.read_text() == published.read_text()


# What works, while nobody else is there.


def test_a_purchase_with_credits(market: Market) -> None:
    buy = Buy("A", ("L2", "L1"), "p")
    market.fill(Start(BUYERS, TWO_LEADS), buy)
    assert market.perform(buy)["balance"] == 30
    assert (market.status("p"), market.sold_count("L1"), market.sold_count("L2")) == ("completed", 1, 1)


def test_insufficient_credits_change_nothing(market: Market) -> None:
    market.fill(Start({"A": Decimal(5)}, ONE_LEAD, {"p": PurchaseStart("A", ("L1",))}))
    with pytest.raises(RefusedError, match="insufficient_credits"):
        market.perform(CompleteCredit("p", "A", TEN))
    assert (market.balance("A"), market.sold_count("L1"), market.status("p")) == (5, 0, "pending")


def test_a_sold_lead_is_refused(market: Market) -> None:
    market.fill(Start(BUYERS, TWO_LEADS))
    market.perform(MarkSold(("L1",)))
    with pytest.raises(RefusedError, match="lead_unavailable"):
        market.perform(Validate("B", ("L1", "L2")))


def test_deliveries_one_after_the_other_sell_once(market: Market) -> None:
    checkout = Checkout("A", ("L1",), "p")
    market.fill(Start(BUYERS, ONE_LEAD), checkout)
    market.perform(checkout)
    told = [market.perform(Deliver("evt", PAID, "p"))["already_completed"] for _ in range(5)]
    assert told == [False, True, True, True, True]
    assert (market.status("p"), market.sold_count("L1")) == ("completed", 1)


def test_an_expired_session_cancels(market: Market) -> None:
    market.fill(Start(BUYERS, ONE_LEAD, {"p": STRIPE}))
    market.perform(Deliver("evt", EXPIRED, "p"))
    assert (market.status("p"), market.sold_count("L1")) == ("cancelled", 0)


# What does not: the four rows.


def test_negative_credit_balances(market: Market) -> None:
    first, second = Buy("A", ("L1",), "p"), Buy("A", ("L2",), "q")
    market.fill(Start({"A": Decimal(15)}, TWO_LEADS), first, second)
    programs = market.steps(first), market.steps(second)
    for program in programs:
        next(program), next(program)  # both have seen a balance of 15
    for program in programs:
        list(program)
    assert market.balance("A") == -5


def test_leads_sold_twice(market: Market) -> None:
    alice, bob = Buy("A", ("L1",), "p"), Buy("B", ("L1",), "q")
    market.fill(Start(BUYERS, ONE_LEAD), alice, bob)
    programs = market.steps(alice), market.steps(bob)
    for program in programs:
        next(program)  # both have seen the lead on sale
    for program in programs:
        list(program)
    assert (market.balance("A"), market.balance("B"), market.sold_count("L1")) == (40, 40, 2)
    assert market.status("p") == market.status("q") == "completed"


def test_partial_failures(market: Market) -> None:
    """The route dies after each of its statements in turn: until which nothing has happened, and from which all has."""
    buy, seen = Buy("A", ("L1", "L2"), "p"), []
    for death in range(1, len(market.subject.calls["buy"]) + 1):
        market.fill(Start(BUYERS, TWO_LEADS), buy)
        program = market.steps(buy)
        for _ in range(death):
            next(program)
        seen.append((market.balance("A"), market.sold_count("L1"), market.sold_count("L2")))
    assert market.status("p") == "completed"
    assert seen == [(50, 0, 0)] * 4 + [(30, 0, 0)] + [(30, 1, 1)] * 2


def test_a_marking_that_breaks_off_has_marked_some(market: Market) -> None:
    market.fill(Start(BUYERS, {"L1": LeadStart(TEN), "L2": LeadStart(Decimal(20))}))
    market.owner.execute("ALTER TABLE leads ADD CONSTRAINT planted CHECK (sold_count = 0 OR price < 20)")
    try:
        with pytest.raises(psycopg.errors.CheckViolation, match="planted"):
            market.perform(MarkSold(("L1", "L2")))
    finally:
        market.owner.execute("ALTER TABLE leads DROP CONSTRAINT planted")
    assert (market.sold_count("L1"), market.sold_count("L2")) == (1, 0)


def test_duplicate_webhooks(market: Market) -> None:
    market.fill(Start(BUYERS, ONE_LEAD, {"p": STRIPE}))
    delivery, again = (market.steps(Deliver("evt", PAID, "p")) for _ in range(2))
    next(delivery), next(again)  # neither has found the event processed
    list(delivery), list(again)
    assert (market.status("p"), market.sold_count("L1")) == ("completed", 2)
