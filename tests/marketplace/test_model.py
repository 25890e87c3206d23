"""The sequential model, against what the contract says in words."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.marketplace.market import Market
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
from harness.marketplace.refusals import REFUSALS
from harness.marketplace.start import LeadStart, Start
from harness.words.history import Result, Status

from .drawn import EXPIRED, OPERATIONS, PAID, REFUNDED, START, TEN, numbered


def run(*operations: Operation, start: Start = START) -> tuple[list[Result], Market]:
    market, results = initial(start), []
    for operation in operations:
        result, market = apply(market, operation)
        results.append(result)
    return results, market


def last(*operations: Operation) -> Result:
    return run(*operations)[0][-1]


def balance(market: Market, workspace: str) -> Decimal:
    return market.balances[workspace]


def test_a_purchase_takes_the_money_sells_the_lead_and_completes() -> None:
    (result,), market = run(CompleteCredit("p", "A", TEN))
    assert result.status is Status.OK
    assert (result["already_completed"], result["balance"]) == (False, Decimal(5))
    assert balance(market, "A") == 5
    assert (market.leads["L1"].status, market.leads["L1"].sold_count) == ("sold", 1)
    assert market.purchases["p"].status == "completed"


def test_a_repeat_gets_the_first_answer_and_costs_nothing() -> None:
    results, market = run(CompleteCredit("p", "A", TEN), TopUp("t"), CompleteCredit("p", "A", TEN))
    assert (results[2]["already_completed"], results[2]["balance"]) == (True, Decimal(5))
    assert balance(market, "A") == Decimal("10.01")
    assert market.leads["L1"].sold_count == 1


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (CompleteCredit("nowhere", "A", TEN), "purchase_not_found"),
        (CompleteCredit("p", "B", TEN), "purchase_not_found"),
        (CompleteCredit("s", "A", Decimal("0.05")), "wrong_payment_method"),
        (CompleteCredit("p", "A", Decimal("9.99")), "amount_mismatch"),
        (CompleteCredit("p", "A", Decimal(-10)), "amount_mismatch"),
        (CompleteCredit("p", "A", Decimal("NaN")), "amount_mismatch"),
        (CompleteCredit("back", "B", TEN), "purchase_not_pending"),
        (CompleteCredit("both", "A", Decimal(20)), "insufficient_credits"),
        (CompleteStripe("p"), "wrong_payment_method"),
        (CompleteStripe("nowhere"), "purchase_not_found"),
        (Validate("A", None), "no_leads"),
        (Validate("A", ()), "no_leads"),
        (Validate("A", ("L1", "L1")), "duplicate_leads"),
        (Validate("A", ("L1", "mine")), "own_lead"),
        (Validate("A", ("unpriced",)), "lead_unpriced"),
        (Validate("A", ("unlisted",)), "lead_unavailable"),
        (Validate("A", ("sold",)), "lead_unavailable"),
        (Validate("A", ("unknown",)), "lead_unavailable"),
        (Validate("B", ("L3",)), "lead_reserved"),
        (Buy("B", ("L1", "L3"), "q"), "lead_reserved"),
        (Buy("A", ("L1", "L2"), "q"), "insufficient_credits"),
        (Checkout("B", ("L3",), "q"), "lead_reserved"),
        (Refund("p"), "purchase_not_refundable"),
        (Deliver("evt", PAID, "nowhere"), "purchase_not_found"),
    ],
)
def test_a_refusal_has_a_word_and_changes_nothing(operation: Operation, code: str) -> None:
    (result,), market = run(operation)
    assert (result.status, result.code) == (Status.REFUSED, code)
    assert code in REFUSALS
    assert market == initial(START)


def test_the_second_buyer_of_a_lead_is_refused() -> None:
    results, market = run(Buy("B", ("L1",), "q"), CompleteCredit("p", "A", TEN))
    assert [result.code for result in results] == ["", "lead_unavailable"]
    assert (balance(market, "A"), balance(market, "B")) == (Decimal(15), Decimal(40))


def test_ones_own_reservation_and_an_expired_one_bind_nobody() -> None:
    assert last(Validate("A", ("L3",))).status is Status.OK
    assert last(Validate("A", ("L2",))).status is Status.OK


def test_a_paid_purchase_is_delivered_once() -> None:
    results, market = run(Deliver("evt", PAID, "s"), Deliver("evt", PAID, "s"), Deliver("evt-2", PAID, "s"))
    assert [result["already_completed"] for result in results] == [False, True, True]
    assert market.purchases["s"].status == "completed"
    assert market.leads["L3"].sold_count == 1


@pytest.mark.parametrize(
    ("before", "purchase", "status"),
    [
        ([Buy("A", ("L2",), "q")], "late", "refund_required"),
        ([Deliver("e", EXPIRED, "late")], "late", "refund_required"),
        ([Sweep()], "late", "refund_required"),
        ([Refund("late")], "late", "refunded"),
        ([], "gone", "refund_required"),
        ([], "late", "completed"),
    ],
)
def test_a_captured_payment_ends_with_leads_or_a_refund(before: list[Operation], purchase: str, status: str) -> None:
    market = run(*before, Deliver("evt", PAID, purchase))[1]
    assert market.purchases[purchase].status == status
    assert all(lead.sold_count <= 1 for lead in market.leads.values())


def test_a_refund_gives_the_money_back_once_and_the_lead_stays_sold() -> None:
    results, market = run(CompleteCredit("p", "A", TEN), Refund("p"), Refund("p"), CompleteCredit("p", "A", TEN))
    assert [result.status for result in results] == [Status.OK, Status.OK, Status.OK, Status.REFUSED]
    assert balance(market, "A") == 15
    assert market.leads["L1"].status == "sold"


def test_a_purchase_refunded_before_its_payment_is_not_revived() -> None:
    market = run(Deliver("e1", REFUNDED, "s"), Deliver("e2", PAID, "s"))[1]
    assert market.purchases["s"].status == "refunded"
    assert market.leads["L3"].sold_count == 0


def test_marking_takes_each_available_lead_once() -> None:
    results, market = run(MarkSold(("L1", "L1", "sold", "unlisted", "unknown")), MarkSold(("L1", "L2")), MarkSold(None))
    assert [result["marked"] for result in results] == [("L1",), ("L2",), ()]
    assert {name for name, lead in market.leads.items() if lead.sold_count} == {"L1", "L2", "sold"}


def test_a_top_up_brings_the_amount_of_its_row_once() -> None:
    results, market = run(TopUp("t"), TopUp("t"))
    assert [result["already_completed"] for result in results] == [False, True]
    assert balance(market, "A") == Decimal("20.01")


def test_a_sweep_cancels_what_has_expired_and_nothing_else() -> None:
    before, after = initial(START), run(Sweep())[1]
    changed = {name for name in before.purchases if before.purchases[name] != after.purchases[name]}
    assert changed == {"late"}
    assert after.purchases["late"].status == "cancelled"


def test_a_checkout_holds_its_leads_until_it_expires() -> None:
    codes = [
        result.code
        for result in run(
            Checkout("B", ("L2",), "q"), Validate("A", ("L2",)), Deliver("e", EXPIRED, "q"), Validate("A", ("L2",))
        )[0]
    ]
    assert codes == ["", "lead_reserved", "", ""]


def test_items_keep_their_price() -> None:
    results, market = run(UpdatePrice("L1", Decimal(12)), CompleteCredit("p", "A", TEN), Buy("B", ("L2",), "q"))
    assert results[1].status is Status.OK
    assert (balance(market, "A"), balance(market, "B")) == (Decimal(5), Decimal(40))
    assert run(UpdatePrice("L1", Decimal(12)), Buy("B", ("L1",), "q"))[1].balances["B"] == 38


def test_twenty_times_five_cents_is_one_credit() -> None:
    names = [f"L{n}" for n in range(20)]
    start = Start({"A": TEN}, {name: LeadStart(Decimal("0.05")) for name in names})
    market = run(*(Buy("A", (name,), f"p-{name}") for name in names), start=start)[1]
    assert balance(market, "A") == 9


def test_the_state_is_what_the_probes_read() -> None:
    state = state_of(run(CompleteCredit("p", "A", TEN))[1])
    assert dict(state.balances) == {"A": Decimal(5), "B": Decimal(50)}
    assert state.ledger == state.balances
    assert ("p", "A", TEN) in (state.charges or ())
    assert dict(state.items)["both"] == ("L1", "L2")
    assert dict(state.reservations or ()) == {"s": ("L3",)}
    assert dict(state.purchases)["gone"] == "cancelled"
    assert dict(state.top_ups or ()) == {"t": "pending"}
    assert hash(state) == hash(state_of(run(CompleteCredit("p", "A", TEN))[1]))


@given(st.lists(OPERATIONS, max_size=12).map(numbered))
def test_money_is_conserved_and_no_lead_is_sold_twice(operations: list[Operation]) -> None:
    market = run(*operations)[1]
    for workspace, opening in START.workspaces.items():
        spent = sum(
            purchase.charged
            for purchase in market.purchases.values()
            if purchase.workspace == workspace and purchase.status == "completed"
        )
        came = sum(
            row.amount for row in market.top_ups.values() if row.status == "completed" and row.workspace == workspace
        )
        assert balance(market, workspace) == opening + came - spent
        assert balance(market, workspace) >= 0
    for name, lead in market.leads.items():
        owners = [each for each, row in market.purchases.items() if row.status == "completed" and name in row.leads]
        assert len(owners) <= lead.sold_count <= 1
        assert (lead.status == "sold") == (lead.sold_count == 1)


@given(st.lists(OPERATIONS, max_size=8).map(numbered), OPERATIONS)
def test_what_is_repeated_changes_nothing_more(operations: list[Operation], again: Operation) -> None:
    """But for purchases and prices, which a client names anew each time."""
    if isinstance(again, Buy | Checkout):
        return
    market = run(*operations)[1]
    _, once = apply(market, again)
    _, twice = apply(once, again)
    assert state_of(twice) == state_of(once)


@given(st.lists(OPERATIONS, max_size=12).map(numbered))
def test_nothing_that_is_over_comes_back(operations: list[Operation]) -> None:
    market = initial(START)
    for operation in operations:
        before = market
        result, market = apply(market, operation)
        assert result.status is Status.OK or market == before
        for name, purchase in before.purchases.items():
            after = market.purchases[name].status
            if purchase.status in ("cancelled", "failed"):
                assert after in (purchase.status, "refund_required", "refunded")
            if purchase.status in ("completed", "refund_required"):
                assert after in (purchase.status, "refunded")
            if purchase.status == "refunded":
                assert after == "refunded"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("checkout.session.async_payment_succeeded", "completed"),
        ("checkout.session.async_payment_failed", "failed"),
        (EXPIRED, "cancelled"),
    ],
)
def test_every_kind_of_event_ends_a_checkout_in_its_own_way(kind: str, status: str) -> None:
    opened = initial(START)
    result, after = apply(opened, Deliver("e", kind, "s"))
    assert result.status is Status.OK
    assert after.purchases["s"].status == status
    assert apply(after, Deliver("e", kind, "s")) == (Result(Status.OK, value=(("already_completed", True),)), after)


def test_a_webhook_about_a_top_up_brings_its_credits_once() -> None:
    market = initial(START)
    name, row = next(iter(market.top_ups.items()))
    _, expired = apply(market, Deliver("late", EXPIRED, name))
    assert expired.top_ups == market.top_ups
    _, paid = apply(expired, Deliver("first", PAID, name))
    assert paid.balances[row.workspace] == market.balances[row.workspace] + row.amount
    result, again = apply(paid, Deliver("second", PAID, name))
    assert result.get("already_completed") is True
    assert again.balances == paid.balances
    assert apply(paid, Deliver("third", REFUNDED, name))[0].code == "top_up_not_refundable"
