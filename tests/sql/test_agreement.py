"""The reference subject and the sequential model, side by side: whatever is asked, both answer and end alike."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import get_args

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.db.any_server import AnyServer
from harness.marketplace.calls import Client
from harness.marketplace.market import Market
from harness.marketplace.model import apply, initial, state_of
from harness.marketplace.operations import (
    Buy,
    BuyCredits,
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
from harness.marketplace.refusals import REFUSALS
from harness.marketplace.scenario import WEBHOOKS
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart
from harness.marketplace.subject import load_subject
from harness.marketplace.world import World
from harness.resources import bundled
from tests.sizes import sized
from tests.sql.shop import installed

BUYERS = ("A", "B")
LEADS = ("L1", "L2", "L3", "L4")
MADE = tuple(f"m{number}" for number in range(1, 21))
TOTAL, OWN = Decimal(-1), "own"
"""Stand for whatever the purchase costs, and whoever it belongs to."""
OLD = ("p1", "p2", "p3", "p4")
NOT_FOUND = {"lead_not_found": ["lead_unavailable", "lead_unpriced"]}
"""What the API tells to who asks for a lead that never was on sale."""
PRICES = st.sampled_from([Decimal(text) for text in ("10", "0.01", "9.99", "25.5", "40.01", "0")])
BALANCES = st.sampled_from([Decimal(text) for text in ("100", "60", "30.01", "10", "9.99", "0")])

some_leads = st.lists(st.sampled_from(LEADS), min_size=1, max_size=2, unique=True).map(tuple)
any_leads = st.one_of(some_leads, st.none(), st.lists(st.sampled_from((*LEADS, "unknown")), max_size=3).map(tuple))
buyers = st.sampled_from(BUYERS)
methods = st.sampled_from(("credits", "stripe"))
purchases = st.sampled_from((*OLD, *OLD, *MADE[:2]))
"""Those that are there from the start, and some of those that may be made on the way."""

leads = st.builds(
    LeadStart,
    price=st.one_of(PRICES, PRICES, PRICES, st.none()),
    seller=st.sampled_from((*["seller"] * 7, "A")),
    status=st.sampled_from((*["available"] * 6, "sold", "unlisted")),
)
old_purchases = st.builds(
    PurchaseStart,
    workspace=buyers,
    leads=some_leads,
    method=methods,
    status=st.sampled_from((*["pending"] * 10, "completed", "failed", "cancelled", "refunded", "refund_required")),
    reserved=st.sampled_from((*[None] * 4, "held", "expired")),
)


def settled(row: PurchaseStart) -> PurchaseStart:
    """Only what is pending holds leads."""
    return row if row.status == "pending" else replace(row, reserved=None)


starts = st.builds(
    Start,
    workspaces=st.fixed_dictionaries(dict.fromkeys((*BUYERS, "seller"), PRICES)),
    leads=st.fixed_dictionaries(dict.fromkeys(LEADS, leads)),
    purchases=st.fixed_dictionaries(dict.fromkeys(OLD, old_purchases.map(settled))),
    top_ups=st.fixed_dictionaries({name: st.builds(TopUpStart, buyers, PRICES.filter(bool)) for name in ("t1", "t2")}),
)

operations = st.one_of(
    st.builds(Validate, buyers, any_leads),
    st.builds(Buy, buyers, some_leads, st.just("")),
    st.builds(Checkout, buyers, some_leads, st.just("")),
    st.builds(Request, buyers, some_leads, st.just(""), st.just("k"), methods),
    st.builds(BuyCredits, buyers, PRICES, st.just(""), st.just("k")),
    st.builds(Read, buyers, purchases),
    st.builds(CompleteCredit, purchases, st.just(OWN), st.just(TOTAL)),
    st.builds(CompleteCredit, purchases, st.sampled_from((OWN, *BUYERS)), st.one_of(st.just(TOTAL), PRICES)),
    st.builds(CompleteStripe, purchases),
    st.builds(Deliver, st.sampled_from(("e1", "e2", "e3")), st.sampled_from(WEBHOOKS), purchases),
    st.builds(MarkSold, any_leads),
    st.builds(TopUp, st.sampled_from(("t1", "t2", "unknown"))),
    st.just(Sweep()),
    st.builds(Refund, purchases),
    st.builds(UpdatePrice, st.sampled_from(LEADS), PRICES),
)


REFUSED_START = Start(
    {"A": Decimal(60), "B": Decimal(9), "seller": Decimal(0)},
    {
        "L1": LeadStart(Decimal(10)),
        "L2": LeadStart(Decimal("9.99"), seller="A"),
        "L3": LeadStart(Decimal("0.01")),
        "L4": LeadStart(None),
    },
    {
        "p1": PurchaseStart("A", ("L1",), method="stripe", reserved="held"),
        "p2": PurchaseStart("B", ("L2",)),
        "p3": PurchaseStart("A", ("L3",), status="cancelled"),
    },
    {"t1": TopUpStart("A", Decimal(10))},
)
REFUSED_OPERATIONS: tuple[Operation, ...] = (
    Validate("A", ()),
    Validate("A", ("L1", "L1")),
    Validate("A", ("unknown",)),
    Validate("A", ("L2",)),
    Validate("A", ("L4",)),
    Validate("B", ("L1",)),
    Buy("B", ("L2",), "m1"),
    CompleteCredit("m1", "A", Decimal(10)),
    CompleteCredit("p1", "A", Decimal(10)),
    CompleteCredit("p2", "B", Decimal(5)),
    CompleteCredit("p3", "A", Decimal("0.01")),
    Refund("p2"),
    TopUp("unknown"),
    Deliver("e1", "charge.refunded", "t1"),
    Request("A", ("L3",), "m2", "k", "stripe"),
    Request("A", ("L3",), "m3", "k"),
    Request("A", ("L1",), "m4", "k"),
)
"""Every refusal, one after the other."""


class Pair:
    """One market in SQL and one in Python, and a client who asks both for the same."""

    def __init__(self, dsn: str, isolation: str) -> None:
        self.subject = load_subject("reference", bundled("sql"))
        self.runner = asyncio.Runner()
        self.owner = psycopg.connect(dsn, autocommit=True)
        self.seen: Counter[tuple[str, str]] = Counter()
        options = f"-c role={self.subject.client_role} -c default_transaction_isolation={isolation}"
        self.client = self.runner.run(psycopg.AsyncConnection.connect(dsn, autocommit=True, options=options))

    def close(self) -> None:
        self.runner.run(self.client.close())
        self.runner.close()
        self.owner.close()

    def compare(self, start: Start, operations: Sequence[Operation]) -> None:
        world = World(self.subject, start, operations)
        world.install(self.owner)
        client, market = Client(self.subject, world.names), initial(start)
        assert world.read(self.owner) == state_of(market)
        for drawn in operations:
            operation = meant(drawn, market)
            expected, market = apply(market, operation)
            seen = self.runner.run(client.perform(self.client, operation))
            self.seen[type(operation).__name__, expected.code or expected.status.value] += 1
            assert seen.status == expected.status, operation
            assert expected.code in NOT_FOUND.get(seen.code, [seen.code]), operation
            told = {name: seen.get(name, "not told") for name, _ in expected.value}
            assert told == dict(expected.value), operation
            assert world.read(self.owner) == state_of(market), operation


def meant(operation: Operation, market: Market) -> Operation:
    """The operation with ``OWN`` and ``TOTAL`` replaced by what they stand for at this moment."""
    if not isinstance(operation, CompleteCredit):
        return operation
    purchase = market.purchases.get(operation.purchase)
    workspace, total = (purchase.workspace, purchase.total) if purchase else ("A", Decimal(10))
    return replace(
        operation,
        workspace=workspace if operation.workspace == OWN else operation.workspace,
        amount=total if operation.amount == TOTAL else operation.amount,
    )


def named(operations: Sequence[Operation]) -> list[Operation]:
    """Every purchase that is made gets a name of its own."""
    made = iter(MADE)
    return [
        replace(each, purchase=next(made))
        if isinstance(each, Purchasing)
        else replace(each, top_up=f"made-{next(made)}")
        if isinstance(each, BuyCredits)
        else each
        for each in operations
    ]


@pytest.fixture(
    scope="module",
    params=[("read committed", False), ("repeatable read", True), ("serializable", False)],
    ids=["read committed", "repeatable read, instrumented", "serializable"],
)
def pair(server: AnyServer, request: pytest.FixtureRequest) -> Iterator[Pair]:
    isolation, instrumented = request.param
    with installed(server, instrumented=instrumented) as dsn:
        pair = Pair(dsn, isolation.replace(" ", "\\ "))
        yield pair
        pair.close()


def test_sql_does_what_the_model_does(pair: Pair) -> None:
    @settings(max_examples=sized(40, 1000), suppress_health_check=[HealthCheck.too_slow])
    @given(start=starts, operations=st.lists(operations, min_size=8, max_size=20).map(named))
    def agree(start: Start, operations: list[Operation]) -> None:
        pair.compare(start, operations)

    agree()
    pair.compare(REFUSED_START, REFUSED_OPERATIONS)
    # Nothing is agreed upon that never happened.
    assert {operation for operation, answer in pair.seen if answer == "ok"} == {
        each.__name__ for each in get_args(Operation)
    }
    assert {answer for _, answer in pair.seen} == REFUSALS | {"ok"}
