"""Each known defect, planted alone in a correct marketplace, breaks the properties that the docs promise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from harness.marketplace import model
from harness.marketplace.market import Market
from harness.marketplace.model import ok, refused
from harness.marketplace.operations import (
    Buy,
    CompleteCredit,
    CompleteStripe,
    Deliver,
    MarkSold,
    TopUp,
    UpdatePrice,
    Validate,
)
from harness.marketplace.properties import check
from harness.words.history import Result, Status

from .simulator import Route, Step, asked, changed, done, histories, opened
from .test_scenarios import SCENARIOS


def complete(market: Market, name: str, workspace: str, amount: Decimal, skip: set[str]) -> tuple[Result, Market]:
    """``complete_credit_lead_purchase`` without some of its checks."""
    purchase = market.purchases.get(name)
    if purchase is None or (purchase.workspace != workspace and "owner" not in skip):
        if "exists" not in skip:
            return refused("purchase_not_found"), market
        balance = market.balances[workspace] - amount
        return ok(balance=balance), replace(market, balances=market.balances.put(workspace, balance))
    if purchase.method != "credits" and "method" not in skip:
        return refused("wrong_payment_method"), market
    if amount != purchase.total and "amount" not in skip:
        return refused("amount_mismatch"), market
    if purchase.status == "completed" and "status" not in skip:
        return ok(already_completed=True, balance=purchase.balance_after), market
    if purchase.status != "pending" and "status" not in skip:
        return refused("purchase_not_pending"), market
    if "leads" not in skip and "status" not in skip and (code := model.unsaleable(market, workspace, purchase.leads)):
        return refused(code), market
    if not market.balances[workspace] >= amount:
        return refused("insufficient_credits"), market
    balance = market.balances[workspace] - amount
    paid = replace(market, balances=market.balances.put(workspace, balance))
    fields = {"status": "completed", "charged": purchase.charged + amount, "balance_after": balance}
    return ok(balance=balance), changed(model.sell(paid, purchase.leads), name, **fields)


def careless(*skip: str) -> dict[type, Route]:
    def complete_credit(operation: CompleteCredit) -> Iterator[Step]:
        yield lambda market: complete(market, operation.purchase, operation.workspace, operation.amount, {*skip})

    def buy(operation: Buy) -> Iterator[Step]:
        workspace, name = operation.workspace, operation.purchase
        yield asked(lambda market: model.validate(market, workspace, operation.leads))
        yield done(lambda market: opened(market, operation, "credits"))
        yield lambda market: complete(market, name, workspace, market.purchases[name].total, {*skip})

    return {CompleteCredit: complete_credit, Buy: buy}


def rounded(operation: CompleteCredit) -> Iterator[Step]:
    """An integer balance."""

    def step(market: Market) -> tuple[Result, Market]:
        result, after = model.apply(market, operation)
        whole = after.balances[operation.workspace].quantize(Decimal(1), ROUND_HALF_UP)
        return result, replace(after, balances=after.balances.put(operation.workspace, whole))

    yield step


def deliver_to_all(market: Market, name: str, *, revive: bool) -> tuple[Result, Market]:
    """``complete_stripe_lead_purchase`` that does not look at its leads, or not at what is over."""
    purchase = market.purchases[name]
    if purchase.status == "completed" or (purchase.status != "pending" and not revive):
        return model.complete_stripe(market, name)
    if revive and model.unsaleable(market, purchase.workspace, purchase.leads):
        return model.complete_stripe(market, name)
    sold = model.sell(market, purchase.leads)
    return ok(already_completed=False), changed(sold, name, status="completed", reserved=None)


def careless_webhook(*, revive: bool) -> dict[type, Route]:
    def deliver(operation: Deliver) -> Iterator[Step]:
        def step(market: Market) -> tuple[Result, Market]:
            if operation.kind != "checkout.session.completed" or operation.event in market.events:
                return model.apply(market, operation)
            result, after = deliver_to_all(market, operation.purchase, revive=revive)
            return result, replace(after, events=after.events | {operation.event})

        yield step

    def complete_stripe(operation: CompleteStripe) -> Iterator[Step]:
        yield lambda market: deliver_to_all(market, operation.purchase, revive=revive)

    return {Deliver: deliver, CompleteStripe: complete_stripe}


def blocking_leftovers(operation: Validate | Buy) -> Iterator[Step]:
    """Whatever the buyer has in a pending purchase already is refused."""

    def look(market: Market) -> tuple[Result, Market]:
        for purchase in market.purchases.values():
            own = purchase.status == "pending" and purchase.workspace == operation.workspace
            if own and {*purchase.leads} & {*(operation.leads or ())}:
                return refused("lead_unavailable"), market
        return model.validate(market, operation.workspace, operation.leads)

    yield asked(look)
    yield lambda market: model.apply(market, operation)


def nowait() -> dict[type, Route]:
    """A price update locks the lead, and validate takes any lock for a sale."""

    def update(operation: UpdatePrice) -> Iterator[Step]:
        yield done(lambda market: replace(market, events=market.events | {operation.lead}))
        yield done(lambda market: model.apply(market, operation)[1])
        yield lambda market: (ok(), replace(market, events=market.events - {operation.lead}))

    def validate(operation: Validate) -> Iterator[Step]:
        yield (
            lambda market: (
                (refused("lead_unavailable"), market)
                if market.events & {*(operation.leads or ())}
                else model.apply(market, operation)
            )
        )

    return {UpdatePrice: update, Validate: validate}


def anything_goes(operation: Validate) -> Iterator[Step]:
    leads = tuple(dict.fromkeys(operation.leads or ()))
    yield lambda market: model.validate(market, operation.workspace, leads) if leads else (ok(), market)


def pay_for_each_mention(operation: Buy) -> Iterator[Step]:
    """A list with duplicates is bought as it is."""
    yield done(lambda market: opened(market, operation, "credits"))
    yield lambda market: complete(
        market,
        operation.purchase,
        operation.workspace,
        market.purchases[operation.purchase].total,
        {"leads"},
    )


def claimed_first(operation: Deliver) -> Iterator[Step]:
    """The event is noted as processed in a transaction of its own, before its effect."""
    yield (
        lambda market: (
            (ok(already_completed=True), market)
            if operation.event in market.events
            else (None, replace(market, events=market.events | {operation.event}))
        )
    )
    yield lambda market: model.complete_stripe(market, operation.purchase)


def checked_then_done(operation: CompleteStripe | Deliver) -> Iterator[Step]:
    """The status is looked at in one transaction and the leads are marked in another."""
    name = operation.purchase
    yield (
        lambda market: (
            (ok(already_completed=True), market) if market.purchases[name].status != "pending" else (None, market)
        )
    )
    yield done(lambda market: model.sell(market, market.purchases[name].leads))
    yield lambda market: (ok(already_completed=False), changed(market, name, status="completed", reserved=None))


def in_pieces(operation: Buy) -> Iterator[Step]:
    """Check the balance, deduct, mark, complete: each by itself."""
    workspace, name = operation.workspace, operation.purchase
    seen: dict[str, Decimal] = {}

    def check_balance(market: Market) -> tuple[Result | None, Market]:
        seen["total"] = market.purchases[name].total
        return (refused("insufficient_credits") if market.balances[workspace] < seen["total"] else None), market

    def deduct(market: Market) -> Market:
        return replace(market, balances=market.balances.put(workspace, market.balances[workspace] - seen["total"]))

    yield asked(lambda market: model.validate(market, workspace, operation.leads))
    yield done(lambda market: opened(market, operation, "credits"))
    yield check_balance
    yield done(deduct)
    yield done(lambda market: model.sell(market, operation.leads))
    yield lambda market: (ok(), changed(market, name, status="completed", charged=seen["total"]))


def written_back(operation: Buy | TopUp) -> Iterator[Step]:
    """The balance is read in one transaction and written back, changed, in another."""
    seen: dict[str, Market] = {}

    def remember(market: Market) -> Market:
        seen["market"] = market
        return market

    def write(market: Market) -> tuple[Result, Market]:
        result, after = model.apply(market, operation)
        if result.status is not Status.OK:
            return result, market
        workspace = "A"
        moved = after.balances[workspace] - market.balances[workspace]
        stale = seen["market"].balances[workspace] + moved
        return ok(), replace(after, balances=after.balances.put(workspace, stale))

    yield done(remember)
    yield write


def marking_all(operation: MarkSold) -> Iterator[Step]:
    """Every known id is marked, whatever its status."""

    def step(market: Market) -> tuple[Result, Market]:
        known = [lead for lead in dict.fromkeys(operation.leads or ()) if lead in market.leads]
        return ok(), model.sell(market, known)

    yield step


@dataclass(frozen=True)
class Planted:
    """A defect, the scenarios that must find it, and what each of these must say."""

    name: str
    routes: Mapping[type, Any]
    scenarios: tuple[str, ...]
    properties: frozenset[str]


DEFECTS = [
    Planted(
        "1 double sale",
        careless("leads"),
        ("two-buyers-one-lead", "two-pending-purchases-one-lead", "three-buyers-one-lead"),
        frozenset({"sold-once", "serializable"}),
    ),
    Planted(
        "2 double charge",
        careless("status"),
        ("contract-repeated-completion", "same-purchase-completed-twice-at-once"),
        frozenset({"charged-once", "conservation"}),
    ),
    Planted(
        "3 unknown purchase",
        careless("exists"),
        ("contract-unknown-purchase",),
        frozenset({"conservation", "serializable"}),
    ),
    Planted(
        "3 foreign purchase",
        careless("owner"),
        ("contract-foreign-purchase",),
        frozenset({"conservation", "serializable"}),
    ),
    Planted(
        "3 wrong amount",
        careless("amount"),
        ("contract-wrong-amount",),
        frozenset({"charged-once", "conservation", "serializable"}),
    ),
    Planted(
        "3 wrong method",
        careless("method", "status"),
        ("contract-wrong-method", "one-purchase-by-stripe-and-by-credits"),
        frozenset({"charged-once", "conservation", "serializable"}),
    ),
    Planted(
        "4 negative amount",
        careless("amount"),
        ("contract-negative-amount",),
        frozenset({"charged-once", "conservation", "serializable"}),
    ),
    Planted(
        "5 rounding",
        {CompleteCredit: rounded},
        ("contract-rounding",),
        frozenset({"conservation", "serializable"}),
    ),
    Planted(
        "6 paid, then sold elsewhere",
        careless_webhook(revive=False),
        (
            "credits-against-unreserved-stripe",
            "credit-completion-against-stripe-completion",
            "webhook-after-expiry-and-resale",
        ),
        frozenset({"sold-once", "serializable"}),
    ),
    Planted(
        "7 revived",
        careless_webhook(revive=True),
        (
            "webhook-after-refund",
            "webhook-after-cancellation",
            "webhook-after-failure",
            "refund-against-webhook",
            "expired-session-against-payment",
        ),
        frozenset({"terminal-states", "serializable"}),
    ),
    Planted(
        "8 abandoned purchase",
        {Validate: blocking_leftovers, Buy: blocking_leftovers},
        ("abandoned-purchase-and-the-same-buyer", "own-checkout-then-credits", "abandoned-purchase-and-two-buyers"),
        frozenset({"no-false-conflict", "serializable"}),
    ),
    Planted(
        "10 false sale",
        nowait(),
        ("price-update-against-validate",),
        frozenset({"no-false-conflict", "serializable"}),
    ),
    Planted(
        "11 malformed lists",
        {Validate: anything_goes, Buy: pay_for_each_mention},
        ("contract-malformed-lead-lists", "contract-duplicate-leads"),
        frozenset({"serializable"}),
    ),
    Planted(
        "13 claimed before the effect",
        {Deliver: claimed_first},
        ("webhook-cancelled-and-redelivered",),
        frozenset({"paid-is-served", "webhook-idempotent", "no-lost-acknowledgement", "serializable"}),
    ),
    Planted(
        "negative balances",
        {Buy: in_pieces},
        ("one-workspace-credit-for-one",),
        frozenset({"no-overdraft", "serializable"}),
    ),
    Planted("leads sold twice", {Buy: in_pieces}, ("two-buyers-one-lead",), frozenset({"sold-once", "serializable"})),
    Planted(
        "partial failures",
        {Buy: in_pieces},
        ("purchase-cancelled-anywhere",),
        frozenset({"all-or-nothing", "conservation", "serializable"}),
    ),
    Planted(
        "duplicate webhooks",
        {Deliver: checked_then_done, CompleteStripe: checked_then_done},
        (
            "webhook-replayed-while-the-first-runs",
            "two-events-for-one-payment",
            "stripe-completion-called-twice-at-once",
        ),
        frozenset({"webhook-idempotent", "sold-once", "serializable"}),
    ),
    Planted(
        "lost update",
        {Buy: written_back, TopUp: written_back},
        ("one-workspace-credit-for-both", "top-up-against-purchase", "two-top-ups-at-once"),
        frozenset({"conservation", "serializable"}),
    ),
    Planted(
        "bulk marking of sold leads",
        {MarkSold: marking_all},
        ("bulk-marking-against-purchase", "two-bulk-markings-at-once", "contract-bulk-marking"),
        frozenset({"sold-once", "serializable"}),
    ),
]

CASES = [pytest.param(defect, name, id=f"{defect.name}: {name}") for defect in DEFECTS for name in defect.scenarios]


@pytest.mark.parametrize(("defect", "name"), CASES)
def test_a_planted_defect_is_found(defect: Planted, name: str) -> None:
    scenario = SCENARIOS[name]
    found: set[str] = set()
    for history in histories(scenario, defect.routes):
        found |= {violation.property for violation in check(history, scenario.properties)}
    assert defect.properties <= found


@pytest.mark.parametrize(("defect", "name"), CASES)
def test_it_is_found_without_a_ledger_too(defect: Planted, name: str) -> None:
    scenario = SCENARIOS[name]
    found: set[str] = set()
    for history in histories(scenario, defect.routes, probed=False):
        found |= {violation.property for violation in check(history, scenario.properties)}
    assert defect.properties <= found
