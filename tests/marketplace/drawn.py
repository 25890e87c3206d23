"""A market with one of everything, and operations drawn at random on it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from harness.marketplace.operations import (
    Buy,
    Checkout,
    CompleteCredit,
    CompleteStripe,
    Deliver,
    MarkSold,
    Operation,
    Purchasing,
    Read,
    Refund,
    Request,
    Sweep,
    TopUp,
    UpdatePrice,
    Validate,
)
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart

PAID, EXPIRED, REFUNDED = "checkout.session.completed", "checkout.session.expired", "charge.refunded"
TEN = Decimal(10)

START = Start(
    workspaces={"A": Decimal(15), "B": Decimal(50)},
    leads={
        "L1": LeadStart(TEN),
        "L2": LeadStart(TEN),
        "L3": LeadStart(Decimal("0.05")),
        "mine": LeadStart(TEN, seller="A"),
        "unpriced": LeadStart(None),
        "unlisted": LeadStart(TEN, status="unlisted"),
        "sold": LeadStart(TEN, status="sold"),
    },
    purchases={
        "p": PurchaseStart("A", ("L1",)),
        "both": PurchaseStart("A", ("L2", "L1")),
        "s": PurchaseStart("A", ("L3",), method="stripe", reserved="held"),
        "late": PurchaseStart("B", ("L2",), method="stripe", reserved="expired"),
        "gone": PurchaseStart("B", ("L1",), method="stripe", status="cancelled"),
        "back": PurchaseStart("B", ("sold",), status="refunded"),
    },
    top_ups={"t": TopUpStart("A", Decimal("5.01"))},
)


WORKSPACES, LEADS = st.sampled_from(["A", "B"]), st.sampled_from([*START.leads, "unknown"])
PURCHASES = st.sampled_from([*START.purchases, "nowhere"])
LISTS = st.lists(LEADS, max_size=3).map(tuple)
METHODS = st.sampled_from(["credits", "stripe"])
AMOUNTS = st.sampled_from([TEN, Decimal(20), Decimal("0.05"), Decimal(0), Decimal(-10)])
OPERATIONS: st.SearchStrategy[Any] = st.one_of(
    st.builds(Validate, WORKSPACES, LISTS | st.none()),
    st.builds(Buy, WORKSPACES, LISTS, st.just("new")),
    st.builds(Checkout, WORKSPACES, LISTS, st.just("new")),
    st.builds(Request, WORKSPACES, LISTS, st.just("new"), st.sampled_from(["k1", "k2"]), METHODS),
    st.builds(Read, WORKSPACES, PURCHASES),
    st.builds(CompleteCredit, PURCHASES, WORKSPACES, AMOUNTS),
    st.builds(CompleteStripe, PURCHASES),
    st.builds(Deliver, st.sampled_from(["e1", "e2"]), st.sampled_from([PAID, EXPIRED, REFUNDED]), PURCHASES),
    st.builds(MarkSold, LISTS | st.none()),
    st.just(TopUp("t")),
    st.just(Sweep()),
    st.builds(Refund, PURCHASES),
    st.builds(UpdatePrice, st.sampled_from(list(START.leads)), st.sampled_from([TEN, Decimal(12)])),
)


def numbered(operations: list[Operation]) -> list[Operation]:
    """Every purchase that is made gets a name of its own."""
    return [
        replace(operation, purchase=f"new{place}") if isinstance(operation, Purchasing) else operation
        for place, operation in enumerate(operations)
    ]
