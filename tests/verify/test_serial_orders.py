"""What would have been, one operation after the other: every order that real time allows, and how the run differs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from harness.marketplace.model import apply, initial, state_of
from harness.marketplace.operations import Buy, MarkSold
from harness.marketplace.start import LeadStart, LeadState, Start
from harness.verify.serial_orders import TOLD_MAX, serial_orders
from harness.words.history import Call, History, Result, Status

START = Start({"A": Decimal(50), "B": Decimal(50)}, {"L1": LeadStart(Decimal(10))})
ALICE, BOB = Buy("A", ("L1",), "p"), Buy("B", ("L1",), "q")
OK = Result(Status.OK, "", (("balance", Decimal(40)),))
NAMES = ("alice", "bob")


def both_sold() -> History:
    _, after = apply(initial(START, reserving=False), ALICE)
    sold = replace(state_of(after), leads=(("L1", LeadState("sold", 2)),), reservations=None)
    return History((Call(0, ALICE, 0, 5, OK), Call(1, BOB, 1, 4, OK)), START, sold)


def test_each_order_says_how_it_ends_and_in_what_the_run_is_another() -> None:
    told = serial_orders(both_sold(), NAMES)
    assert list(told) == ["serial_orders"]
    orders = {tuple(each["order"]): each for each in told["serial_orders"]}
    assert set(orders) == {("alice: Buy A L1 p", "bob: Buy B L1 q"), ("bob: Buy B L1 q", "alice: Buy A L1 p")}
    first = orders["alice: Buy A L1 p", "bob: Buy B L1 q"]
    assert "bob is told refused lead_unavailable; " in first["ends"]
    assert "balance A 40, lead L1 sold, purchase p completed" in first["ends"]
    assert "bob was told ok (balance=40), not refused lead_unavailable" in first["differs"]
    assert "lead L1 ended sold, sold_count 2, not sold" in first["differs"]
    assert told["serial_orders"][0] is first, "the nearest comes first: here only bob's answer and the count are wrong"


def test_real_time_is_kept_and_a_run_like_an_order_differs_in_nothing() -> None:
    market = initial(START, reserving=False)
    first, market = apply(market, ALICE)
    second, market = apply(market, BOB)
    history = History((Call(0, ALICE, 0, 1, first), Call(1, BOB, 2, 3, second)), START, state_of(market))
    (only,) = serial_orders(history, NAMES)["serial_orders"]
    assert only["order"] == ["alice: Buy A L1 p", "bob: Buy B L1 q"]
    assert only["differs"] == ""


def test_what_was_told_to_try_again_is_asked_for_as_well() -> None:
    refused = replace(both_sold().calls[1], result=Result(Status.BUSY, "55P03"))
    told = serial_orders(replace(both_sold(), calls=(refused,)), NAMES)
    (only,) = told["serial_orders"]
    assert "bob was told busy 55P03, not ok" in only["differs"]


def test_many_orders_are_counted_and_the_prologue_is_told_elsewhere() -> None:
    operations = [MarkSold((f"L{number}",)) for number in range(4)]
    calls = [Call(0, ALICE, -3, -1, OK), *(Call(number, each, 0, 9, OK) for number, each in enumerate(operations))]
    told = serial_orders(History(tuple(calls), START, both_sold().final), ("a", "b", "c", "d"))
    assert len(told["serial_orders"]) == TOLD_MAX
    assert told["serial_orders_more"] == 24 - TOLD_MAX
    assert all(len(each["order"]) == 4 for each in told["serial_orders"])
