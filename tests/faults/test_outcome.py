"""What became of an operation, read from what is there."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from harness.faults.outcome import contradicted, is_there
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
    TopUp,
)
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart
from harness.words.history import Call, Result, Status

START = Start(
    workspaces={"A": Decimal(50), "B": Decimal(50)},
    leads={name: LeadStart() for name in ("L1", "L2", "L3", "L4")} | {"L5": LeadStart(status="sold")},
    purchases={
        "c": PurchaseStart("A", ("L2",)),
        "s": PurchaseStart("A", ("L3",), "stripe", reserved="held"),
        "d": PurchaseStart("A", ("L5",), status="completed"),
    },
    top_ups={"t": TopUpStart("A", Decimal(5))},
)

EFFECTIVE: list[Operation] = [
    Buy("A", ("L1",), "p"),
    Checkout("A", ("L1",), "p"),
    CompleteCredit("c", "A", Decimal(10)),
    CompleteStripe("s"),
    Deliver("e", "checkout.session.completed", "s"),
    Deliver("e", "checkout.session.expired", "s"),
    Deliver("e", "charge.refunded", "s"),
    MarkSold(("L1", "L4")),
    TopUp("t"),
    Refund("d"),
]


def after(*operations: Operation) -> Market:
    market = initial(START)
    for operation in operations:
        result, market = apply(market, operation)
        assert result.status is Status.OK
    return market


@pytest.mark.parametrize("operation", EFFECTIVE, ids=str)
def test_an_effect_is_found_where_it_is_and_only_there(operation: Operation) -> None:
    assert not is_there(operation, START, state_of(initial(START)))
    assert is_there(operation, START, state_of(after(operation)))
    others = [each for each in EFFECTIVE if type(each) not in (type(operation), Deliver, CompleteStripe)]
    if isinstance(operation, Buy | Checkout | MarkSold):
        others = [each for each in others if not isinstance(each, Buy | Checkout | MarkSold)]
    else:
        others.remove(Checkout("A", ("L1",), "p"))
        others = [each for each in others if each != MarkSold(("L1", "L4"))]
    assert not is_there(operation, START, state_of(after(*others)))


def test_a_lead_that_is_sold_to_somebody_was_not_marked() -> None:
    assert not is_there(MarkSold(("L1",)), START, state_of(after(Buy("A", ("L1",), "p"))))


def call(operation: Operation, status: Status, session: int = 0) -> Call:
    return Call(session, operation, session, None if status is Status.UNKNOWN else session, Result(status, "word"))


@pytest.mark.parametrize("status", [Status.REFUSED, Status.BUSY, Status.FAILED])
@pytest.mark.parametrize("operation", [each for each in EFFECTIVE if not isinstance(each, MarkSold)], ids=str)
def test_a_no_whose_effect_is_there_is_contradicted(operation: Operation, status: Status) -> None:
    refused = call(operation, status)
    (found,) = contradicted([refused], START, state_of(after(operation)))
    assert found.property == "no-lost-acknowledgement"
    assert found.why.startswith(f"session 0 was told {status} word for ")
    assert list(contradicted([refused], START, state_of(initial(START)))) == []


@pytest.mark.parametrize("status", [Status.OK, Status.UNKNOWN])
def test_a_no_is_not_contradicted_by_what_somebody_else_did(status: Status) -> None:
    refused = call(Deliver("e", "checkout.session.completed", "s"), Status.FAILED)
    theirs = call(CompleteStripe("s"), status, session=1)
    assert list(contradicted([refused, theirs], START, state_of(after(CompleteStripe("s"))))) == []


def test_who_makes_a_purchase_is_no_excuse_for_who_changes_it() -> None:
    bought, refused = call(Buy("A", ("L1",), "p"), Status.OK), call(Refund("p"), Status.REFUSED, session=1)
    state = state_of(after(Buy("A", ("L1",), "p"), Refund("p")))
    assert len(list(contradicted([bought, refused], START, state))) == 1
    completed = replace(state, purchases=tuple((name, "completed") for name, _ in state.purchases))
    assert list(contradicted([bought, refused], START, completed)) == []
