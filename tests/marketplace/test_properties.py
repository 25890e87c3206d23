"""Each property on histories that keep it and on histories that break it, and where possible it alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from harness.marketplace.model import apply, initial, state_of
from harness.marketplace.operations import (
    Buy,
    Checkout,
    CompleteCredit,
    CompleteStripe,
    Deliver,
    MarkSold,
    Operation,
    Refund,
    Sweep,
    TopUp,
    UpdatePrice,
    Validate,
)
from harness.marketplace.properties import PROPERTIES, check, not_applicable
from harness.marketplace.start import LeadStart, LeadState, PurchaseStart, Start, State, TopUpStart
from harness.words.history import Call, Event, EventKind, History, Result, Status

PAID, EXPIRED, REFUNDED = "checkout.session.completed", "checkout.session.expired", "charge.refunded"
TEN, FIFTY = Decimal(10), Decimal(50)
LEADS = {"L1": LeadStart(TEN), "L2": LeadStart(TEN)}
BUSY = Result(Status.BUSY, "55P03")
CANCELLED = Result(Status.FAILED, "57014")
OK = Result(Status.OK)


def refused(code: str) -> Result:
    return Result(Status.REFUSED, code)


def serially(start: Start, operations: Iterable[Any]) -> History:
    """What a correct subject does when each session has one operation and they come one after another."""
    market, calls = initial(start), []
    for place, operation in enumerate(operations):
        result, market = apply(market, operation)
        calls.append(Call(place, operation, 2 * place, 2 * place + 1, result))
    return History(tuple(calls), start, state_of(market))


def at_once(start: Start, outcomes: Sequence[tuple[Any, Result]], final: State) -> History:
    """All operations overlap."""
    last = len(outcomes)
    calls = [Call(place, operation, 0, last, result) for place, (operation, result) in enumerate(outcomes)]
    return History(tuple(calls), start, final)


def one_by_one(start: Start, outcomes: Sequence[tuple[Any, Result]], final: State) -> History:
    history = at_once(start, outcomes, final)
    calls = [replace(call, invoked=2 * place, returned=2 * place + 1) for place, call in enumerate(history.calls)]
    return replace(history, calls=tuple(calls))


def ended(start: Start, *operations: Operation, unread: Sequence[str] = (), **changes: Mapping[str, Any]) -> State:
    """The state after these operations, with changes that no correct subject makes: ``balances={"A": TEN}``.

    ``unread`` are the parts for which the subject has no probe.
    """
    state = serially(start, operations).final
    parts: dict[str, Any] = {
        part: tuple(sorted({**dict(getattr(state, part)), **change}.items())) for part, change in changes.items()
    }
    return blind(replace(state, **parts), unread)


def blind(state: State, unread: Sequence[str]) -> State:
    """The state as a subject shows it that has no probes for some parts."""
    parts: dict[str, Any] = dict.fromkeys(unread)
    return replace(state, **parts)


def broken(history: History) -> set[str]:
    """The ids of all the properties that a history breaks."""
    return {violation.property for violation in check(history, tuple(PROPERTIES))}


def why(history: History, property_id: str) -> str:
    return check(history, (property_id,))[0].why


def sold(count: int = 1) -> LeadState:
    return LeadState("sold" if count else "available", count)


TWO_BUYERS = Start({"A": FIFTY, "B": FIFTY}, LEADS)
PENDING = Start({"A": FIFTY, "B": FIFTY}, LEADS, {"p": PurchaseStart("A", ("L1",)), "q": PurchaseStart("B", ("L1",))})
STRIPE = Start({"A": Decimal(0), "B": FIFTY}, LEADS, {"p": PurchaseStart("A", ("L1",), "stripe", reserved="held")})
BUY_P, BUY_Q = Buy("A", ("L1",), "p"), Buy("B", ("L1",), "q")
COMPLETE_P, COMPLETE_Q = CompleteCredit("p", "A", TEN), CompleteCredit("q", "B", TEN)


# sold-once


def double_sale(**unread: Any) -> History:
    final = ended(TWO_BUYERS, BUY_P, Buy("B", ("L2",), "q"), leads={"L1": sold(2), "L2": sold(0)}, items={"q": ("L1",)})
    return at_once(TWO_BUYERS, [(BUY_P, OK), (BUY_Q, OK)], replace(final, **unread))


def test_a_lead_with_two_buyers_is_sold_twice() -> None:
    assert broken(double_sale()) == {"sold-once", "serializable"}
    assert why(double_sale(), "sold-once") == "lead L1 was sold to p and q: sold_count 2"


def test_a_lead_that_a_marking_counts_again_is_sold_twice() -> None:
    marking = MarkSold(("L1",))
    final = ended(TWO_BUYERS, BUY_P, leads={"L1": sold(2)})
    assert "sold-once" in broken(at_once(TWO_BUYERS, [(BUY_P, OK), (marking, OK)], final))


def test_a_lead_that_was_sold_before_is_sold_twice() -> None:
    start = Start({"A": FIFTY}, {"L1": LeadStart(TEN, status="sold")})
    after = replace(
        ended(start),
        purchases=(("p", "completed"),),
        items=(("p", ("L1",)),),
        balances=(("A", Decimal(40)),),
        ledger=(("A", Decimal(40)),),
        charges=(("p", "A", TEN),),
    )
    assert why(at_once(start, [(BUY_P, OK)], after), "sold-once").startswith("lead L1 was sold from the start")


# money


def test_a_balance_below_zero_is_an_overdraft() -> None:
    start = Start({"A": Decimal(15)}, LEADS)
    final = replace(
        ended(Start({"A": FIFTY}, LEADS), BUY_P, Buy("A", ("L2",), "q")),
        balances=(("A", Decimal(-5)),),
        ledger=(("A", Decimal(-5)),),
    )
    history = at_once(start, [(BUY_P, OK), (Buy("A", ("L2",), "q"), OK)], final)
    assert broken(history) == {"no-overdraft", "serializable"}
    assert why(history, "no-overdraft") == "workspace A ended with a balance of -5"


@pytest.mark.parametrize("told", ["-0.01", "NaN", "Infinity"])
def test_a_balance_that_was_told_is_judged_too(told: str) -> None:
    result = Result(Status.OK, value=(("balance", Decimal(told)),))
    assert "no-overdraft" in broken(at_once(PENDING, [(COMPLETE_P, result)], ended(PENDING, COMPLETE_P)))


def test_a_lost_update_of_a_balance_breaks_conservation() -> None:
    buy_two = Buy("A", ("L2",), "q")
    final = ended(TWO_BUYERS, BUY_P, buy_two, balances={"A": Decimal(40)}, ledger={"A": Decimal(40)})
    history = at_once(TWO_BUYERS, [(BUY_P, OK), (buy_two, OK)], final)
    assert broken(history) == {"conservation", "serializable"}
    assert why(history, "conservation") == "workspace A should have 30 credits and has 40"


def test_a_ledger_that_does_not_sum_to_the_balance_breaks_conservation_alone() -> None:
    final = ended(TWO_BUYERS, BUY_P, ledger={"A": FIFTY})
    assert broken(at_once(TWO_BUYERS, [(BUY_P, OK)], final)) == {"conservation"}


@pytest.mark.parametrize("result", [OK, Result(Status.UNKNOWN)])
def test_a_top_up_that_nobody_can_read_back_counts_when_it_was_acknowledged(result: Result) -> None:
    start = Start({"A": TEN}, LEADS, top_ups={"t": TopUpStart("A", TEN)})
    unread = ["top_ups", "ledger"]
    history = at_once(start, [(TopUp("t"), result)], ended(start, TopUp("t"), unread=unread))
    assert broken(history) == set()
    lost = at_once(start, [(TopUp("t"), result)], ended(start, unread=unread))
    assert ("conservation" in broken(lost)) == (result == OK)


def test_cents_are_not_rounded_away() -> None:
    names = [f"L{n}" for n in range(20)]
    start = Start({"A": TEN}, {name: LeadStart(Decimal("0.05")) for name in names})
    buys = [Buy("A", (name,), f"p-{name}") for name in names]
    assert broken(serially(start, buys)) == set()
    unread = ["ledger", "charges", "reservations", "top_ups"]
    history = one_by_one(start, [(buy, OK) for buy in buys], ended(start, *buys, balances={"A": TEN}, unread=unread))
    assert broken(history) == {"conservation", "charged-once", "all-or-nothing", "serializable"}


@pytest.mark.parametrize(
    ("charges", "reason"),
    [
        ((("p", "A", TEN), ("p", "A", TEN)), "purchase p was charged 2 times: 10, 10"),
        ((("p", "A", Decimal(1)),), "purchase p costs 10 and was charged 1"),
        ((("p", "B", TEN),), "purchase p of A was charged to B"),
        ((("p", "A", TEN), ("ghost", "A", TEN)), "ghost was charged 10 to A, and there is no such purchase"),
    ],
)
def test_each_entry_of_the_ledger_is_held_against_its_purchase(charges: tuple[Any, ...], reason: str) -> None:
    final = replace(ended(PENDING, COMPLETE_P), charges=charges)
    history = at_once(PENDING, [(COMPLETE_P, OK)], final)
    assert broken(history) == {"charged-once", "serializable"}
    assert [violation.why for violation in check(history, ("charged-once",))] == [reason]


def test_a_stripe_purchase_has_no_charge_of_credits() -> None:
    final = replace(ended(STRIPE, CompleteStripe("p")), charges=(("p", "A", TEN),))
    assert "paid by stripe" in why(at_once(STRIPE, [(CompleteStripe("p"), OK)], final), "charged-once")


@pytest.mark.parametrize("balance", [Decimal(30), Decimal(60), FIFTY])
def test_without_a_ledger_the_balance_tells_of_a_wrong_charge(balance: Decimal) -> None:
    unread = ["ledger", "charges", "reservations", "top_ups"]
    final = ended(PENDING, COMPLETE_P, balances={"A": balance}, unread=unread)
    history = at_once(PENDING, [(COMPLETE_P, OK)] * 3, final)
    assert {"charged-once", "conservation", "serializable"} <= broken(history)


def test_a_top_up_credited_twice_is_no_wrong_charge() -> None:
    start = Start({"A": TEN}, LEADS, top_ups={"t": TopUpStart("A", TEN)})
    unread = ["ledger", "charges"]
    final = ended(start, TopUp("t"), balances={"A": Decimal(30)}, unread=unread)
    history = at_once(start, [(TopUp("t"), OK), (TopUp("t"), OK)], final)
    assert broken(history) == {"conservation", "webhook-idempotent", "serializable"}
    assert why(history, "webhook-idempotent") == "top-up t of 10 was delivered 2 times and credited 2 times"


def test_a_price_that_changes_meanwhile_allows_either_total() -> None:
    update = UpdatePrice("L1", Decimal(12))
    for operations in ([update, BUY_P], [BUY_P, update]):
        history = serially(TWO_BUYERS, operations)
        overlapping = at_once(TWO_BUYERS, [(call.operation, call.result) for call in history.calls], history.final)
        assert broken(history) == broken(overlapping) == set()


def test_a_price_that_changes_later_does_not() -> None:
    update = UpdatePrice("L1", Decimal(12))
    wrong = serially(TWO_BUYERS, [update, BUY_P]).final
    history = one_by_one(TWO_BUYERS, [(BUY_P, OK), (update, OK)], wrong)
    assert {"charged-once", "conservation"} <= broken(history)


# all-or-nothing


@pytest.mark.parametrize("unread", [(), ("ledger", "charges")])
def test_money_taken_for_nothing_breaks_all_or_nothing(unread: Sequence[str]) -> None:
    final = ended(PENDING, balances={"A": Decimal(40)}, ledger={"A": Decimal(40)})
    final = blind(replace(final, charges=(("p", "A", TEN),)), unread)
    assert "all-or-nothing" in broken(at_once(PENDING, [(COMPLETE_P, CANCELLED)], final))


@pytest.mark.parametrize("unread", [(), ("ledger", "charges")])
def test_a_completed_purchase_without_its_charge_breaks_all_or_nothing(unread: Sequence[str]) -> None:
    final = ended(PENDING, COMPLETE_P, balances={"A": FIFTY}, ledger={"A": FIFTY})
    final = blind(replace(final, charges=()), unread)
    assert "all-or-nothing" in broken(at_once(PENDING, [(COMPLETE_P, OK)], final))


def test_a_lead_sold_to_nobody_breaks_all_or_nothing() -> None:
    history = at_once(PENDING, [(COMPLETE_P, CANCELLED)], ended(PENDING, leads={"L1": sold()}))
    assert broken(history) == {"all-or-nothing", "serializable"}
    assert why(history, "all-or-nothing") == "lead L1 is sold, but no purchase of it is completed"


def test_a_completed_purchase_with_an_unsold_lead_breaks_all_or_nothing() -> None:
    start = Start({"A": FIFTY}, LEADS, {"p": PurchaseStart("A", ("L1", "L2"))})
    complete = CompleteCredit("p", "A", Decimal(20))
    history = at_once(start, [(complete, OK)], ended(start, complete, leads={"L2": sold(0)}))
    assert {"all-or-nothing", "no-lost-acknowledgement"} & broken(history) == {"all-or-nothing"}
    assert "its lead L2 is available" in why(history, "all-or-nothing")


def test_a_lead_that_was_marked_needs_no_purchase() -> None:
    history = serially(TWO_BUYERS, [MarkSold(("L1",))])
    assert broken(history) == set()


# webhooks


def fresh(again: bool) -> Result:
    return Result(Status.OK, value=(("already_completed", again),))


def test_an_event_that_takes_effect_twice_is_not_idempotent() -> None:
    deliver = Deliver("evt", PAID, "p")
    final = ended(STRIPE, deliver, leads={"L1": sold(2)})
    history = at_once(STRIPE, [(deliver, fresh(False)), (deliver, fresh(False))], final)
    assert broken(history) == {"webhook-idempotent", "sold-once", "serializable"}
    reasons = [violation.why for violation in check(history, ("webhook-idempotent",))]
    assert "event evt was delivered 2 times and took effect in 2 of them" in reasons


def test_two_events_of_one_payment_are_one_payment() -> None:
    first, second = Deliver("e1", PAID, "p"), Deliver("e2", PAID, "p")
    final = ended(STRIPE, first, leads={"L1": sold(2)})
    assert "webhook-idempotent" in broken(at_once(STRIPE, [(first, OK), (second, OK)], final))
    assert broken(serially(STRIPE, [first, second])) == set()


def test_a_claim_without_its_effect_loses_the_payment() -> None:
    deliver = Deliver("evt", PAID, "p")
    history = one_by_one(STRIPE, [(deliver, CANCELLED), (deliver, fresh(True))], ended(STRIPE))
    assert broken(history) == {
        "webhook-idempotent",
        "paid-is-served",
        "no-lost-acknowledgement",
        "serializable",
    }
    assert "was acknowledged in 1 of 2 deliveries" in why(history, "webhook-idempotent")


def test_a_failed_delivery_may_still_be_on_its_way() -> None:
    deliver = Deliver("evt", PAID, "p")
    assert broken(one_by_one(STRIPE, [(deliver, CANCELLED), (deliver, BUSY)], ended(STRIPE))) == {"serializable"}
    assert broken(one_by_one(STRIPE, [(deliver, CANCELLED), (deliver, CANCELLED)], ended(STRIPE))) == set()


# terminal states, paid is served


@pytest.mark.parametrize("status", ["refunded", "cancelled", "failed"])
def test_a_late_payment_revives_nothing(status: str) -> None:
    start = replace(STRIPE, purchases={"p": PurchaseStart("A", ("L1",), "stripe", status)})
    deliver = Deliver("evt", PAID, "p")
    final = replace(ended(STRIPE, deliver))
    history = at_once(start, [(deliver, OK)], final)
    assert {"terminal-states"} <= broken(history) <= {"terminal-states", "serializable"}
    assert why(history, "terminal-states") == f"purchase p was {status} from the start and ended completed"
    assert broken(serially(start, [deliver])) == set()


@pytest.mark.parametrize("ending", [Deliver("e1", EXPIRED, "p"), Deliver("e1", REFUNDED, "p"), Refund("p"), Sweep()])
def test_what_ended_before_it_was_paid_is_not_revived(ending: Operation) -> None:
    start = replace(STRIPE, purchases={"p": PurchaseStart("A", ("L1",), "stripe", reserved="expired")})
    deliver = Deliver("e2", PAID, "p")
    final = ended(start, deliver)
    assert "terminal-states" in broken(one_by_one(start, [(ending, OK), (deliver, OK)], final))
    if not isinstance(ending, Refund) and getattr(ending, "kind", "") != REFUNDED:
        assert broken(at_once(start, [(ending, OK), (deliver, OK)], final)) == set()
    assert broken(serially(start, [ending, deliver])) == set()


@pytest.mark.parametrize("status", ["pending", "cancelled", "failed"])
def test_a_payment_that_ends_without_leads_or_refund_is_not_served(status: str) -> None:
    history = at_once(STRIPE, [(Deliver("evt", PAID, "p"), OK)], ended(STRIPE, purchases={"p": status}))
    assert "paid-is-served" in broken(history)
    assert why(history, "paid-is-served") == f"purchase p was paid, but it ended {status}: no leads and no refund"


def test_a_payment_whose_lead_was_not_delivered_is_not_served() -> None:
    deliver = Deliver("evt", PAID, "p")
    history = at_once(STRIPE, [(deliver, OK)], ended(STRIPE, deliver, leads={"L1": sold(0)}))
    assert {"paid-is-served", "all-or-nothing"} <= broken(history)


def test_nobody_pays_for_a_checkout_that_was_refused() -> None:
    history = serially(STRIPE, [Checkout("B", ("L1",), "q"), Deliver("evt", PAID, "q")])
    assert [call.result.status for call in history.calls] == [Status.REFUSED, Status.REFUSED]
    assert broken(history) == set()


# acknowledgements


@pytest.mark.parametrize(
    ("start", "operation", "result"),
    [
        (TWO_BUYERS, BUY_P, OK),
        (PENDING, COMPLETE_P, OK),
        (STRIPE, CompleteStripe("p"), OK),
        (STRIPE, Deliver("evt", PAID, "p"), OK),
        (STRIPE, Deliver("evt", EXPIRED, "p"), OK),
        (STRIPE, Deliver("evt", REFUNDED, "p"), OK),
        (STRIPE, Refund("p"), OK),
        (TWO_BUYERS, Checkout("A", ("L1",), "p"), OK),
        (TWO_BUYERS, MarkSold(("L1",)), Result(Status.OK, value=(("marked", ("L1",)),))),
        (Start({"A": TEN}, {}, top_ups={"t": TopUpStart("A", TEN)}), TopUp("t"), OK),
    ],
)
def test_what_was_acknowledged_and_is_not_there_is_lost(start: Start, operation: Operation, result: Result) -> None:
    history = at_once(start, [(operation, result)], ended(start))
    assert "no-lost-acknowledgement" in broken(history)
    assert broken(at_once(start, [(operation, CANCELLED)], ended(start))) == set()
    assert broken(serially(start, [operation])) == set()


# serializable


def test_answers_that_no_order_gives_are_not_serializable_alone() -> None:
    final = ended(TWO_BUYERS, BUY_P)
    history = one_by_one(TWO_BUYERS, [(BUY_P, OK), (Validate("B", ("L1",)), OK)], final)
    assert broken(history) == {"serializable"}
    assert why(history, "serializable") == (
        "session 1 was told ok for Validate B L1, not refused lead_unavailable: no serial order gives these answers"
    )


def test_real_time_is_respected() -> None:
    final = ended(TWO_BUYERS, BUY_P)
    answers = [(Validate("B", ("L1",)), OK), (BUY_P, OK)]
    assert broken(at_once(TWO_BUYERS, answers, final)) == set()
    assert broken(at_once(TWO_BUYERS, answers[::-1], final)) == set()
    assert broken(one_by_one(TWO_BUYERS, answers[::-1], final)) == {"serializable"}


def test_a_subject_may_use_words_of_its_own() -> None:
    final = ended(TWO_BUYERS, BUY_P, unread=["ledger", "charges", "reservations", "top_ups"])
    assert broken(one_by_one(TWO_BUYERS, [(BUY_P, OK), (BUY_Q, refused("zu spaet"))], final)) == set()
    assert broken(one_by_one(TWO_BUYERS, [(BUY_P, OK), (BUY_Q, refused("insufficient_credits"))], final)) == {
        "serializable"
    }


def test_a_pending_row_that_a_refused_buyer_left_behind_does_not_matter() -> None:
    final = ended(TWO_BUYERS, BUY_P, purchases={"q": "pending"}, items={"q": ("L1",)})
    assert broken(at_once(TWO_BUYERS, [(BUY_P, OK), (BUY_Q, refused("lead_unavailable"))], final)) == set()


def test_an_unknown_outcome_may_be_either() -> None:
    unknown = Result(Status.UNKNOWN)
    for final in (ended(PENDING), ended(PENDING, COMPLETE_P)):
        history = History((Call(0, COMPLETE_P, 0, None, unknown),), PENDING, final)
        assert broken(history) == set()


# waiting


def waits(step: int, session: int, *peers: int) -> Event:
    return Event(step, session, EventKind.WAIT, peers=peers)


def test_a_deadlock_is_a_violation_even_when_all_ends_well() -> None:
    history = serially(PENDING, [COMPLETE_P])
    deadlocked = replace(history, events=(Event(3, 0, EventKind.DEADLOCK, peers=(0, 1)),))
    assert broken(deadlocked) == {"no-deadlock"}
    assert why(deadlocked, "no-deadlock") == "session 0 and session 1 waited for each other at step 3"


def test_the_code_of_a_deadlock_is_enough() -> None:
    victim = Result(Status.BUSY, "40P01")
    final = ended(PENDING, COMPLETE_P)
    assert broken(at_once(PENDING, [(COMPLETE_P, OK), (COMPLETE_Q, victim)], final)) == {"no-deadlock"}


STALLED = Start({"A": FIFTY}, LEADS, {"p": PurchaseStart("A", ("L1",)), "q": PurchaseStart("A", ("L2",))})
UPDATE, UNRELATED = UpdatePrice("L1", Decimal(12)), CompleteCredit("q", "A", TEN)


def stalled(*events: Event, unrelated: Operation = UNRELATED) -> History:
    final = serially(STALLED, [UPDATE, COMPLETE_P, unrelated]).final
    return replace(at_once(STALLED, [(UPDATE, OK), (COMPLETE_P, OK), (unrelated, OK)], final), events=events)


def test_a_workspace_that_waits_for_a_stranger_is_stalled() -> None:
    history = stalled(waits(1, 1, 0), waits(2, 2, 1))
    assert broken(history) == {"no-hang"}
    assert "shares no lead, purchase, event or workspace" in why(history, "no-hang")
    assert broken(stalled(waits(1, 2, 1), waits(2, 1, 0))) == {"no-hang"}


def test_a_queue_for_the_same_credits_or_the_same_lead_is_none() -> None:
    assert broken(stalled(waits(1, 1, 0))) == set()
    assert broken(stalled(waits(1, 2, 1))) == set()
    assert broken(stalled(waits(1, 1, 0), Event(2, 1, EventKind.WAKE), waits(3, 2, 1))) == set()


def test_buyers_with_overlapping_leads_may_queue_behind_each_other() -> None:
    start = Start({"A": FIFTY, "B": FIFTY, "C": FIFTY}, {**LEADS, "L3": LeadStart(TEN)})
    operations = [Buy("C", ("L3",), "r"), Buy("B", ("L2", "L3"), "q"), Buy("A", ("L1", "L2"), "p")]
    history = serially(start, operations)
    outcomes = [(call.operation, call.result) for call in history.calls]
    queued = replace(at_once(start, outcomes, history.final), events=(waits(1, 1, 0), waits(2, 2, 1)))
    assert broken(queued) == set()


def test_to_wait_for_one_with_whom_nothing_is_shared_is_a_stall() -> None:
    history = serially(TWO_BUYERS, [BUY_P, Buy("B", ("L2",), "q")])
    outcomes = [(call.operation, call.result) for call in history.calls]
    assert broken(replace(at_once(TWO_BUYERS, outcomes, history.final), events=(waits(1, 1, 0),))) == {"no-hang"}


def asked(start: Start, other: Operation, waiter: int, leads: tuple[str, ...] = ("L1", "L2")) -> History:
    """Bob validates beside another operation; one of the two waits for the other."""
    history = at_once(start, [(other, OK), (Validate("B", leads), OK)], ended(start, other))
    return replace(history, events=(waits(1, waiter, 1 - waiter), waits(2, waiter, 1 - waiter)))


@pytest.mark.parametrize(
    ("start", "other"), [(TWO_BUYERS, BUY_P), (PENDING, COMPLETE_P), (TWO_BUYERS, MarkSold(("L1",)))]
)
def test_a_validation_that_waits_for_another_buyer_does_not_fail_fast(start: Start, other: Operation) -> None:
    history = asked(start, other, 1)
    assert broken(history) == {"fails-fast"}
    assert len(check(history, ("fails-fast",))) == 1
    assert why(history, "fails-fast").endswith("instead of being told that another buyer is at L1")


def test_a_validation_may_wait_for_a_seller_and_a_buyer_for_a_validation() -> None:
    assert broken(asked(TWO_BUYERS, UPDATE, 1)) == set()
    assert broken(asked(TWO_BUYERS, BUY_P, 0)) == set()
    assert not_applicable("fails-fast", serially(TWO_BUYERS, [BUY_P, UPDATE])) is not None


def test_a_wait_for_other_leads_is_not_for_another_buyer() -> None:
    assert "fails-fast" not in broken(asked(TWO_BUYERS, BUY_P, 1, leads=("L2",)))


# refusals


@pytest.mark.parametrize("result", [BUSY, refused("lead_unavailable"), refused("lead_reserved")])
def test_a_price_update_is_no_reason_to_refuse(result: Result) -> None:
    update = UpdatePrice("L1", Decimal(12))
    history = at_once(TWO_BUYERS, [(update, OK), (Validate("A", ("L1",)), result)], ended(TWO_BUYERS, update))
    assert "no-false-conflict" in broken(history)
    if result == BUSY:
        assert broken(history) == {"no-false-conflict"}


def test_another_buyer_at_work_is_a_reason_to_be_busy() -> None:
    answers = [(Validate("B", ("L1",)), OK), (BUY_P, BUSY)]
    assert broken(at_once(TWO_BUYERS, answers, ended(TWO_BUYERS))) == set()
    assert broken(one_by_one(TWO_BUYERS, answers, ended(TWO_BUYERS))) == {"no-false-conflict", "serializable"}


def test_a_buyer_of_another_lead_is_none() -> None:
    answers = [(Validate("B", ("L2",)), OK), (BUY_P, BUSY)]
    assert broken(at_once(TWO_BUYERS, answers, ended(TWO_BUYERS))) == {"no-false-conflict"}


def test_ones_own_abandoned_purchase_is_no_reason() -> None:
    history = at_once(PENDING, [(Buy("A", ("L1",), "new"), refused("already_pending"))], ended(PENDING))
    assert broken(history) == {"no-false-conflict", "serializable"}
    held = at_once(STRIPE, [(Buy("A", ("L1",), "new"), refused("lead_reserved"))], ended(STRIPE))
    assert "no-false-conflict" in broken(held)


@pytest.mark.parametrize("reserved", ["held", "expired"])
def test_only_a_reservation_that_still_holds_is_a_reason(reserved: str) -> None:
    start = replace(STRIPE, purchases={"p": PurchaseStart("A", ("L1",), "stripe", reserved=reserved)})
    history = at_once(start, [(BUY_Q, refused("lead_reserved"))], ended(start))
    assert ("no-false-conflict" in broken(history)) == (reserved == "expired")


def test_a_request_that_is_wrong_in_itself_is_refused_rightly() -> None:
    operations = [
        Validate("A", ()),
        Validate("A", ("L1", "L1")),
        CompleteCredit("p", "B", TEN),
        CompleteCredit("p", "A", Decimal(1)),
        CompleteCredit("nowhere", "A", TEN),
    ]
    assert broken(serially(PENDING, operations)) == set()


# the judge itself


def test_what_cannot_be_judged_is_not_judged() -> None:
    history = serially(TWO_BUYERS, [BUY_P])
    assert not_applicable("webhook-idempotent", history) == "nothing in this history concerns it"
    assert not_applicable("paid-is-served", history) == "nothing in this history concerns it"
    assert not_applicable("sold-once", history) is None


def test_judgements_are_remembered_without_being_mixed_up() -> None:
    good, bad = serially(TWO_BUYERS, [BUY_P, BUY_Q]), double_sale()
    for _ in range(2):
        assert check(good, ("sold-once",)) == []
        assert [violation.property for violation in check(bad, ("sold-once",))] == ["sold-once"]
        assert {violation.property for violation in check(bad, ("sold-once", "serializable"))} == {
            "sold-once",
            "serializable",
        }


def test_every_property_has_an_id_and_a_meaning() -> None:
    assert all(each.id == name and each.meaning for name, each in PROPERTIES.items())
    assert len({each.meaning for each in PROPERTIES.values()}) == len(PROPERTIES)
