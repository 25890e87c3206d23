"""Webhook idempotency (6): Stripe delivers at least once, in any order; the purchase happens once."""

from __future__ import annotations

import pytest

from harness.marketplace.operations import Checkout, Deliver
from harness.marketplace.properties.facts import EXPIRED, PAID, REFUNDED
from harness.marketplace.start import LeadState
from harness.stress.arena import Race
from harness.words.history import Status
from tests.seed.conftest import Opened
from tests.seed.market import BALANCE, Market, buyers

SOLD, AVAILABLE = LeadState("sold", 1), LeadState("available", 0)
ASYNC_PAID = "checkout.session.async_payment_succeeded"
CHECKOUT = Checkout("W0", ("L0", "L1"), "s")
FIRST = Deliver("evt_1", PAID, "s")


@pytest.fixture
def opened(market: Opened) -> Market:
    """A checkout of two leads that waits for its webhook."""
    opened = market(buyers(1, leads=2), CHECKOUT)
    assert opened.ask(CHECKOUT).status is Status.OK
    return opened


def completed_once(opened: Market) -> None:
    """The purchase is completed, whole, and only once."""
    state = opened.state()
    assert state.purchases == (("s", "completed"),)
    assert dict(state.leads) == {"L0": SOLD, "L1": SOLD}
    assert (state.reservations, state.charges) == ((), ())
    assert opened.balance("W0") == BALANCE
    opened.must_be_safe()


def at_once(opened: Market, *deliveries: Deliver) -> Race:
    """Everything is delivered at the same moment, and every delivery is acknowledged."""
    race = opened.race(deliveries, perform=opened.endpoint)
    assert {(result.status, result.code) for result in race.results} == {(Status.OK, "")}
    return race


def fresh(race: Race) -> int:
    """How many deliveries were told that it was they that did it."""
    return sum(not result["already_completed"] for result in race.results)


def test_5_replays(opened: Market) -> None:
    told = [opened.ask(FIRST, perform=opened.endpoint) for _ in range(6)]
    assert [result["already_completed"] for result in told] == [False, *[True] * 5]
    assert {result.status for result in told} == {Status.OK}
    completed_once(opened)


def test_10_at_once(opened: Market) -> None:
    assert fresh(at_once(opened, *[FIRST] * 10)) == 1
    completed_once(opened)


def test_20_at_once(opened: Market) -> None:
    assert fresh(at_once(opened, *[FIRST] * 20)) == 1
    completed_once(opened)


def test_two_event_types_for_one_purchase(opened: Market) -> None:
    other = Deliver("evt_2", ASYNC_PAID, "s")
    assert fresh(at_once(opened, *[FIRST, other] * 5)) == 1
    completed_once(opened)
    # A contradiction: paid and expired. Whichever is first, the money is served or owed, and it never changes back.
    opened.reset()
    opened.ask(CHECKOUT)
    at_once(opened, *[FIRST, Deliver("evt_3", EXPIRED, "s")] * 5)
    assert (opened.status("s"), opened.lead("L0")) in (("completed", SOLD), ("refund_required", AVAILABLE))
    opened.must_be_safe()
    # A sequence: paid and refunded, as in any order. Refunded is where it ends.
    opened.reset()
    opened.ask(CHECKOUT)
    at_once(opened, *[FIRST, Deliver("evt_4", REFUNDED, "s")] * 5)
    assert (opened.status("s"), opened.state().reservations) == ("refunded", ())
    opened.must_be_safe()


def test_side_effects_happen_once(opened: Market) -> None:
    at_once(opened, *[FIRST] * 20)
    rows = opened.rows()
    # One event claimed, one write of the purchase and of each lead, all by one transaction; no money moved.
    writers = {
        transaction
        for table in ("processed_webhook_events", "leads", "marketplace_purchases")
        for transaction, _ in rows[table]
    }
    assert len(writers) == 1
    assert [len(rows[table]) for table in ("processed_webhook_events", "marketplace_purchases")] == [1, 1]
    assert len(rows["credit_ledger"]) == len(rows["workspaces"])
    assert rows["lead_reservations"] == []
    assert opened.owner.execute("SELECT sum(sold_count) FROM leads").fetchall() == [(2,)]
    completed_once(opened)


def test_state_stable_over_retries(opened: Market) -> None:
    opened.ask(FIRST, perform=opened.endpoint)
    before = opened.rows()
    for _ in range(10):
        assert opened.ask(FIRST, perform=opened.endpoint)["already_completed"] is True
        at_once(opened, *[FIRST] * 5)
    assert opened.rows() == before
    # Other events about what is over are noted as seen, and change nothing else.
    late = [Deliver("evt_2", ASYNC_PAID, "s"), Deliver("evt_3", EXPIRED, "s"), Deliver("evt_4", PAID, "s")]
    for delivery in late * 2:
        assert opened.ask(delivery, perform=opened.endpoint)["already_completed"] is True
    after = opened.rows()
    assert len(after["processed_webhook_events"]) == 1 + len(late)
    assert {**after, "processed_webhook_events": []} == {**before, "processed_webhook_events": []}
    completed_once(opened)
