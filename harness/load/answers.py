"""What a client was told, beside what the model says to it in a given market."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from harness.load.sample import Sample
from harness.marketplace.calls import exact
from harness.marketplace.market import Market, Purchase
from harness.marketplace.model import apply, ok, unsaleable
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
from harness.marketplace.properties.serializable import agrees
from harness.words.history import Result, Status

STATELESS = frozenset(
    {
        "unauthorized",
        "missing_scope",
        "invalid_request",
        "amount_not_payable",
        "bad_signature",
        "unknown_event_type",
        "unknown_kind",
    }
)
"""Refusals that are about the request alone: no state can make them wrong."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "lead_sold": ("lead_unavailable",),
    "lead_not_found": ("lead_unavailable", "lead_unpriced"),
    "not_found": ("purchase_not_found", "top_up_not_found"),
    "top_up_not_found": ("purchase_not_found",),
}
"""What the API calls the reasons of the model."""


def is_stateless(sample: Sample) -> bool:
    """Whether it is a refusal of the request alone, which no state can make wrong."""
    if sample.status != Status.REFUSED:
        return False
    return sample.code in STATELESS or (sample.code == "amount_mismatch" and sample.operation == "deliver")


def fits(sample: Sample, market: Market, made: str | None) -> tuple[bool, Result, Market]:
    """Whether the model answers so in this market; its answer; and the market afterwards.

    ``made`` is the purchase that came of it, where the client did not choose its id. A refusal may name any reason that
    is true, where there are several.
    """
    if is_stateless(sample):
        return True, told(sample), market
    operation = operation_of(sample, made)
    if operation is None:
        return reads(sample, market.balances, market.purchases), told(sample), market
    result, after = apply(market, operation)
    if sample.status == Status.UNKNOWN:
        return True, result, after
    if sample.status == Status.REFUSED:
        return result.status is Status.REFUSED and _is_true(sample, operation, result, market), result, after
    return agrees(result, told(sample)) and _costs(sample, after, made), result, after


def _costs(sample: Sample, after: Market, made: str | None) -> bool:
    """Whether the purchase and its total are those that the client was told of."""
    answer = sample.answer or {}
    if answer.get("purchase") not in (None, made):
        return False
    purchase = after.purchases.get(made or "")
    return purchase is None or amount(answer.get("total")) in (None, purchase.total)


def reads(sample: Sample, balances: Mapping[str, Decimal], purchases: Mapping[str, Purchase]) -> bool:
    """Whether a read was told what is there."""
    answer = sample.answer or {}
    balance = amount(answer.get("balance"))
    if balance is not None and sample.workspace is not None and balances.get(sample.workspace) != balance:
        return False
    if sample.purchase is None:
        return True
    purchase = purchases.get(sample.purchase)
    foreign = purchase is not None and sample.workspace not in (None, purchase.workspace)
    if sample.status == Status.REFUSED:
        return sample.code in ("not_found", "purchase_not_found") and (purchase is None or foreign)
    if purchase is None or foreign or answer.get("status") not in (None, purchase.status):
        return False
    leads, total = answer.get("leads"), amount(answer.get("total"))
    return (leads is None or sorted(leads) == list(purchase.leads)) and total in (None, purchase.total)


def _is_true(sample: Sample, operation: Operation, result: Result, market: Market) -> bool:
    answer = sample.answer or {}
    accepted = WORDS.get(sample.code, (sample.code,))
    if isinstance(operation, Buy) and sample.code == "insufficient_credits":
        balance = market.balances.get(operation.workspace, Decimal(0))
        wanted = [market.leads[lead].price or Decimal(0) for lead in operation.leads if lead in market.leads]
        price = sum(wanted, Decimal(0))
        required, available = amount(answer.get("required")), amount(answer.get("available"))
        return balance < price and required in (None, price) and available in (None, balance)
    if sample.code == "lead_sold":
        return any(market.leads[lead].status == "sold" for lead in sample.leads or () if lead in market.leads)
    if isinstance(operation, Buy | Checkout | Validate):
        reasons = {unsaleable(market, operation.workspace, (lead,)) for lead in operation.leads or ()}
        if reasons.intersection(accepted):
            return True
    return agrees(result, Result(Status.REFUSED, sample.code)) or result.code in accepted


def operation_of(sample: Sample, made: str | None) -> Operation | None:
    """What was asked for, in the words of the model; None for what the model does not know: reads, new top-ups.

    ``made`` is the purchase that came of it, where the client did not choose its id.
    """
    name, workspace, leads = made or "", sample.workspace or "", sample.leads or ()
    match sample.operation:
        case "buy":
            return Buy(workspace, leads, name)
        case "checkout":
            return Checkout(workspace, leads, name)
        case "deliver":
            return Deliver(sample.event or "", sample.kind or "", name)
        case "top_up":
            return TopUp(name)
        case "complete_credit":
            return CompleteCredit(name, workspace, Decimal(sample.amount or 0))
        case "complete_stripe":
            return CompleteStripe(name)
        case "refund":
            return Refund(name)
        case "mark_sold":
            return MarkSold(leads)
        case "validate":
            return Validate(workspace, leads)
        case "update_price":
            return UpdatePrice(leads[0], Decimal(sample.amount or 0))
        case "sweep":
            return Sweep()
    return None


def is_modelled(sample: Sample) -> bool:
    """Whether the model alone can say what the answer should be: it knows no keys and makes no top-ups."""
    replayed = bool(sample.answer and sample.answer.get("replayed"))
    return sample.operation != "buy_credits" and sample.code != "key_reused" and not replayed


def brief(sample: Sample) -> str:
    """A sample in one short phrase."""
    about = [sample.event, sample.purchase] if sample.event else [sample.purchase or sample.key]
    return " ".join([sample.operation, *(word for word in about if word)])


def told(sample: Sample) -> Result:
    """What the client was told, as the model would say it."""
    if sample.status != Status.OK:
        return Result(Status(sample.status), sample.code)
    answer = dict(sample.answer or {})
    values: dict[str, Any] = {}
    if isinstance(answer.get("already_completed"), bool):
        values["already_completed"] = answer["already_completed"]
    if (balance := amount(answer.get("balance"))) is not None:
        values["balance"] = balance
    if isinstance(answer.get("marked"), list):
        values["marked"] = tuple(sorted(answer["marked"]))
    return ok(**values)


def amount(text: object) -> Decimal | None:
    """An amount as it was told; one that is none is not a number, which equals nothing."""
    if text is None:
        return None
    try:
        return exact(Decimal(str(text)))
    except InvalidOperation:
        return Decimal("NaN")
