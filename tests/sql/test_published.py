"""What the published functions do, and what they let through: each defect of docs/published.md on a real server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.marketplace.operations import (
    Buy,
    Checkout,
    CompleteCredit,
    CompleteStripe,
    Deliver,
    MarkSold,
    Refund,
    Validate,
)
from harness.marketplace.start import LeadStart, PurchaseStart, Start
from harness.marketplace.subject import load_subject
from harness.resources import bundled

from .market import Market, RefusedError, installed

PAID, EXPIRED, REFUNDED = "checkout.session.completed", "checkout.session.expired", "charge.refunded"
TEN, FIFTY = Decimal(10), Decimal(50)
BUYERS = {"A": FIFTY, "B": FIFTY}
ONE_LEAD = {"L1": LeadStart(TEN)}
TWO_LEADS = {"L1": LeadStart(TEN), "L2": LeadStart(TEN)}
GONE = "One or more leads are no longer available"


@pytest.fixture(scope="module")
def market(server: AnyServer, module_database: str) -> Iterator[Market]:
    with installed("published", server, module_database) as market:
        yield market


def pending(*leads: str, method: str = "credits", status: str = "pending", buyer: str = "A") -> PurchaseStart:
    return PurchaseStart(buyer, leads or ("L1",), method=method, status=status)


# What works, while nobody else is there.


def test_the_functions_are_where_the_document_says() -> None:
    lines = load_subject("published", bundled("sql")).migrations[-1].read_text().splitlines()
    found = {}
    for number, line in enumerate(lines, 1):
        if name := re.match(r"CREATE FUNCTION (\w+)", line):
            found[name[1]] = (number, lines.index("$$;", number) + 1)
    assert found == {
        "validate_and_lock_leads_for_purchase": (15, 68),
        "complete_credit_lead_purchase": (79, 144),
        "complete_stripe_lead_purchase": (155, 216),
        "mark_leads_sold_bulk": (227, 248),
    }


def test_only_the_service_role_may_call(market: Market) -> None:
    rows = market.owner.execute(
        "SELECT p.proname, r.rolname FROM pg_proc p CROSS JOIN pg_roles r WHERE p.pronamespace = 'public'::regnamespace"
        " AND NOT r.rolsuper AND r.rolname IN ('anon', 'authenticated', 'service_role')"
        " AND has_function_privilege(r.oid, p.oid, 'EXECUTE')"
    ).fetchall()
    assert sorted({row["rolname"] for row in rows}) == ["service_role"]
    assert len(rows) == 4


def test_a_purchase_with_credits(market: Market) -> None:
    buy = Buy("A", ("L2", "L1"), "p")
    market.fill(Start(BUYERS, TWO_LEADS), buy)
    assert market.perform(buy)["balance"] == 30
    assert (market.status("p"), market.sold_count("L1"), market.sold_count("L2")) == ("completed", 1, 1)
    with pytest.raises(psycopg.errors.RaiseException, match=GONE):
        market.perform(Validate("B", ("L1",)))


def test_insufficient_credits_change_nothing(market: Market) -> None:
    market.fill(Start({"A": Decimal(5)}, ONE_LEAD, {"p": pending()}))
    with pytest.raises(RefusedError, match="Insufficient credits"):
        market.perform(CompleteCredit("p", "A", TEN))
    assert (market.balance("A"), market.sold_count("L1"), market.status("p")) == (5, 0, "pending")


def test_five_deliveries_sell_once(market: Market) -> None:
    checkout = Checkout("A", ("L1",), "p")
    market.fill(Start(BUYERS, ONE_LEAD), checkout)
    market.perform(checkout)
    told = [market.perform(Deliver("evt", PAID, "p"))["already_completed"] for _ in range(5)]
    assert told == [False, True, True, True, True]
    assert market.perform(CompleteStripe("p"))["lead_ids_marked"] == []
    assert (market.status("p"), market.sold_count("L1")) == ("completed", 1)


def test_an_expired_session_cancels_and_a_refund_refunds(market: Market) -> None:
    market.fill(Start(BUYERS, TWO_LEADS, {"p": pending(method="stripe"), "q": pending("L2", method="stripe")}))
    assert market.perform(Deliver("evt-1", EXPIRED, "p"))["already_completed"] is False
    assert market.perform(Deliver("evt-2", EXPIRED, "p"))["already_completed"] is True
    market.perform(Deliver("evt-3", PAID, "q"))
    assert market.perform(Deliver("evt-4", REFUNDED, "q"))["already_completed"] is False
    assert (market.status("p"), market.status("q"), market.sold_count("L2")) == ("cancelled", "refunded", 1)


def test_a_refund_gives_the_credits_back_once(market: Market) -> None:
    market.fill(Start(BUYERS, TWO_LEADS, {"p": pending(), "q": pending("L2")}))
    market.perform(CompleteCredit("p", "A", TEN))
    market.perform(Refund("p"))
    assert market.perform(Refund("p"))["already_completed"] is True
    with pytest.raises(RefusedError, match="purchase_not_refundable"):
        market.perform(Refund("q"))
    assert (market.balance("A"), market.status("p"), market.sold_count("L1")) == (50, "refunded", 1)


# What does not. The numbers are those of docs/published.md.


def test_1_two_buyers_both_get_the_lead(market: Market) -> None:
    alice, bob = Buy("A", ("L1",), "p"), Buy("B", ("L1",), "q")
    market.fill(Start(BUYERS, ONE_LEAD), alice, bob)
    programs = market.steps(alice), market.steps(bob)
    for program in programs:
        next(program)
    for program in programs:
        list(program)
    assert (market.balance("A"), market.balance("B"), market.sold_count("L1")) == (40, 40, 2)
    assert market.status("p") == market.status("q") == "completed"


def test_2_three_calls_charge_three_times(market: Market) -> None:
    market.fill(Start(BUYERS, ONE_LEAD, {"p": pending()}))
    assert [market.perform(CompleteCredit("p", "A", TEN))["balance"] for _ in range(3)] == [40, 30, 20]


@pytest.mark.parametrize(
    ("purchase", "workspace", "amount", "left"),
    [("nowhere", "A", "10", 40), ("p", "B", "10", 40), ("p", "A", "0.51", 49), ("stripe", "A", "10", 40)],
    ids=["unknown", "somebody else's", "any amount", "a Stripe purchase"],
)
def test_3_the_purchase_is_not_verified(market: Market, purchase: str, workspace: str, amount: str, left: int) -> None:
    purchases = {"p": pending(), "stripe": pending(method="stripe", status="completed")}
    market.fill(Start(BUYERS, ONE_LEAD, purchases))
    market.perform(CompleteCredit(purchase, workspace, Decimal(amount)))
    assert market.balance(workspace) == left


@pytest.mark.parametrize(("amount", "left"), [("-10", 60), ("0", 50)])
def test_4_a_negative_amount_adds_credits_and_zero_is_free(market: Market, amount: str, left: int) -> None:
    market.fill(Start(BUYERS, ONE_LEAD, {"p": pending()}))
    market.perform(CompleteCredit("p", "A", Decimal(amount)))
    assert (market.balance("A"), market.status("p")) == (left, "completed")


def test_5_twenty_purchases_of_five_cents_are_free(market: Market) -> None:
    leads = {f"L{n}": LeadStart(Decimal("0.05")) for n in range(20)}
    market.fill(Start({"A": TEN}, leads, {f"p{lead}": pending(lead) for lead in leads}))
    for lead in leads:
        market.perform(CompleteCredit(f"p{lead}", "A", Decimal("0.05")))
    assert market.balance("A") == 10
    assert all(market.sold_count(lead) == 1 for lead in leads)


def test_6_paid_then_sold_elsewhere(market: Market) -> None:
    checkout, buy = Checkout("A", ("L1",), "p"), Buy("B", ("L1",), "q")
    market.fill(Start(BUYERS, ONE_LEAD), checkout, buy)
    market.perform(checkout)
    market.perform(buy)
    market.perform(Deliver("evt", PAID, "p"))
    assert (market.status("p"), market.status("q"), market.sold_count("L1")) == ("completed", "completed", 2)


@pytest.mark.parametrize("status", ["refunded", "cancelled", "failed"])
def test_7_a_late_webhook_revives_what_is_over(market: Market, status: str) -> None:
    market.fill(Start(BUYERS, ONE_LEAD, {"p": pending(method="stripe", status=status)}))
    market.perform(Deliver("evt", PAID, "p"))
    assert (market.status("p"), market.sold_count("L1")) == ("completed", 1)


def test_8_an_abandoned_purchase_blocks_its_own_buyer(market: Market) -> None:
    again, other = Buy("A", ("L1",), "q"), Buy("B", ("L1",), "r")
    market.fill(Start(BUYERS, ONE_LEAD, {"p": pending()}), again, other)
    for _ in range(2):
        with pytest.raises(psycopg.errors.RaiseException, match=GONE):
            market.perform(again)
    assert market.perform(other)["balance"] == 40


@pytest.mark.parametrize("leads", [(), None], ids=["empty", "NULL"])
def test_11_nothing_at_all_is_valid(market: Market, leads: tuple[str, ...] | None) -> None:
    market.fill(Start(BUYERS, ONE_LEAD))
    assert market.perform(Validate("A", leads))["lead_ids"] == []


def test_11_a_lead_named_twice_is_said_to_be_gone(market: Market) -> None:
    market.fill(Start(BUYERS, ONE_LEAD))
    with pytest.raises(psycopg.errors.RaiseException, match=GONE):
        market.perform(Validate("A", ("L1", "L1")))


def test_13_an_event_that_was_noted_never_has_its_effect(market: Market) -> None:
    market.fill(Start(BUYERS, ONE_LEAD, {"p": pending(method="stripe")}))
    delivery = market.steps(Deliver("evt", PAID, "p"))
    next(delivery)
    # The route dies here, and Stripe delivers again.
    assert market.perform(Deliver("evt", PAID, "p"))["already_completed"] is True
    assert (market.status("p"), market.sold_count("L1")) == ("pending", 0)


def test_bulk_marking_counts_a_sold_lead_again(market: Market) -> None:
    market.fill(Start(BUYERS, TWO_LEADS))
    assert market.perform(MarkSold(("L1", "L2", "L2", "unknown")))["leads_marked"] == 2
    assert market.perform(MarkSold(("L1",)))["leads_marked"] == 1
    assert (market.sold_count("L1"), market.sold_count("L2")) == (2, 1)
