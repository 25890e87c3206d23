"""no-false-conflict: a buyer is turned away for a reason only.

A lead is refused when it is sold, reserved for another, or locked by an overlapping operation of another buyer.
A price update is no reason, nor is any other writer that does not buy; nor is the buyer's own abandoned purchase.
"""

from __future__ import annotations

from harness.marketplace.model import malformed
from harness.marketplace.operations import (
    Buy,
    Checkout,
    CompleteCredit,
    CompleteStripe,
    Deliver,
    MarkSold,
    Refund,
    Request,
    Sweep,
    Validate,
)
from harness.marketplace.properties.facts import POSSIBLE, Facts
from harness.marketplace.properties.property import Judgement, Property
from harness.words.history import Call, Status

BUYERS = (Validate, Buy, Checkout, Request, CompleteCredit)
SELLERS = (Buy, Request, CompleteCredit, CompleteStripe, Deliver, MarkSold)
"""What can leave a lead sold."""
RETRY = ("40001", "40P01")
"""The server's own conflicts, which it finds by page, relation or circle, not by lead."""
ELSEWHERE = ("insufficient_credits", "amount_not_payable", "key_reused", "key_in_progress")
"""Answers that are not about leads: the sequential model judges them, and of keys ``key-once``."""


def judge(facts: Facts) -> Judgement:
    for call in facts.attempts(*BUYERS):
        result = call.result
        if result.code in ELSEWHERE:
            continue
        if result.status is Status.BUSY:
            founded = is_locked(facts, call) or (result.code in RETRY and overlapped(facts, call))
        elif result.status is Status.REFUSED:
            founded = is_out_of_order(facts, call) or any(is_taken(facts, call, lead) for lead in facts.leads_of(call))
        else:
            continue
        if not founded:
            leads = ", ".join(facts.leads_of(call))
            word = result.code or result.status.value
            yield (
                f"session {call.session} was refused {leads} ({word}), though nobody had bought, reserved or locked it",
                (("session", str(call.session)), ("code", word), ("leads", leads)),
            )


def is_locked(facts: Facts, call: Call) -> bool:
    """Another buyer's operation on one of the leads ran at the same time."""
    wanted = set(facts.leads_of(call))
    return any(
        other is not call and other.overlaps(call) and wanted & set(facts.leads_of(other))
        for other in facts.attempts(*BUYERS, *SELLERS)
    )


def overlapped(facts: Facts, call: Call) -> bool:
    return any(other is not call and other.overlaps(call) for other in facts.calls)


def is_taken(facts: Facts, call: Call, lead: str) -> bool:
    """The lead was, or may have been, sold or reserved for another when the answer was given."""
    row, buyer = facts.start.leads.get(lead), workspace_of(call)
    if row is None or row.status != "available" or row.price is None or row.seller == buyer:
        return True
    if any(
        lead in claim.leads and claim.reserved == "held" and claim.workspace != buyer
        for claim in facts.start.purchases.values()
    ):
        return True
    for other in facts.calls:
        if other is call or call.precedes(other) or lead not in facts.leads_of(other):
            continue
        if isinstance(other.operation, BUYERS + SELLERS) and other.overlaps(call):
            return True
        if other.result.status in POSSIBLE and (
            other.operation.workspace != buyer if reserves(other) else isinstance(other.operation, SELLERS)
        ):
            return True
    return False


def reserves(call: Call) -> bool:
    """It asks for a checkout, which holds the leads against everybody but its own workspace."""
    operation = call.operation
    return isinstance(operation, Checkout) or (isinstance(operation, Request) and operation.method == "stripe")


def is_out_of_order(facts: Facts, call: Call) -> bool:
    """The request itself was wrong, so that the leads need not be at fault."""
    operation = call.operation
    if not isinstance(operation, CompleteCredit):
        return bool(malformed(operation.leads))
    claim = facts.claims.get(operation.purchase)
    if claim is None or claim.workspace != operation.workspace or claim.method != "credits" or not claim.leads:
        return True
    if operation.amount not in claim.totals or facts.started.get(operation.purchase, "pending") != "pending":
        return True
    if operation.purchase not in facts.started and not any(
        other.precedes(call) for other in facts.attempts(Buy, Checkout) if makes(other, operation.purchase)
    ):
        return True  # the purchase was refused, or was just being made
    return any(
        other is not call
        and not call.precedes(other)
        and (
            isinstance(other.operation, Sweep)
            or (
                isinstance(other.operation, CompleteCredit | CompleteStripe | Deliver | Refund)
                and other.operation.purchase == operation.purchase
            )
        )
        for other in facts.calls
    )


def makes(call: Call, purchase: str) -> bool:
    """Whether a call asked for a purchase and got it, or may have got it."""
    return call.operation.purchase == purchase and call.result.status in POSSIBLE


def workspace_of(call: Call) -> str:
    workspace: str = call.operation.workspace
    return workspace


NO_FALSE_CONFLICT = Property(
    "no-false-conflict",
    "a buyer is refused only what is sold, reserved or locked by another buyer",
    judge,
    concerns=lambda facts: bool(facts.attempts(*BUYERS)),
)
