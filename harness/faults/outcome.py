"""Is the effect of an operation there? So finds out a client that never got its answer, and so is a no checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.marketplace.operations import (
    Buy,
    BuyCredits,
    Checkout,
    CompleteCredit,
    CompleteStripe,
    Deliver,
    MarkSold,
    Operation,
    Refund,
    Request,
    TopUp,
)
from harness.marketplace.properties.facts import EXPIRED, POSSIBLE, REFUNDED, brief
from harness.marketplace.start import Start, State
from harness.words.history import Call, Status
from harness.words.verdict import Violation

ENDED_BY = {EXPIRED: ("cancelled",), REFUNDED: ("refunded",)}
"""Kind of event to the statuses that it can leave; every other kind means that money came."""
PAID_FOR = ("completed", "refunded", "refund_required")


def is_there(operation: Operation, start: Start, state: State) -> bool:
    """Whether what this operation does has been done since the start, by it or by another that does the same."""
    before = {name: row.status for name, row in start.purchases.items()}
    now = dict(state.purchases)

    def became(name: str, *statuses: str) -> bool:
        return now.get(name) in statuses and now.get(name) != before.get(name)

    match operation:
        case Buy(_, _, name) | CompleteCredit(name) | Request(_, _, name, _, "credits"):
            return became(name, "completed", "refunded")
        case Checkout(_, _, name) | Request(_, _, name):
            return name in now and name not in before
        case CompleteStripe(name):
            return became(name, *PAID_FOR)
        case Deliver(_, kind, name):
            return became(name, *ENDED_BY.get(kind, PAID_FOR))
        case Refund(name):
            return became(name, "refunded")
        case BuyCredits(_, _, name):
            return name in dict(state.top_ups or ()) and name not in start.top_ups
        case TopUp(name):
            return dict(state.top_ups or ()).get(name) == "completed"
        case MarkSold(leads):
            served = {lead for name, items in state.items if now[name] in ("completed", "refunded") for lead in items}
            sold = {lead for lead, row in state.leads if row.status == "sold" and start.leads[lead].status != "sold"}
            return bool((sold - served) & set(leads or ()))
    return False


def contradicted(calls: Sequence[Call], start: Start, state: State) -> Iterator[Violation]:
    """The calls that were told a clear no and yet had their effect, which nobody else can have had."""
    for call in calls:
        told_no = call.result.status in (Status.REFUSED, Status.BUSY, Status.FAILED)
        if not told_no or isinstance(call.operation, MarkSold) or not is_there(call.operation, start, state):
            continue
        others = (other for other in calls if other is not call and other.result.status in POSSIBLE)
        if not any(_about(other.operation) == _about(call.operation) for other in others):
            yield Violation(
                "no-lost-acknowledgement",
                f"session {call.session} was told {call.result.status} {call.result.code} for "
                f"{brief(call.operation)}, and it is done",
                (("session", str(call.session)),),
            )


def _about(operation: Operation) -> tuple[str, str]:
    """What an operation is about, and in what way: those that make a purchase are apart from those that change it."""
    match operation:
        case Buy(_, _, name) | Checkout(_, _, name) | Request(_, _, name):
            return "makes", name
        case BuyCredits(_, _, name):
            return "makes top-up", name
        case TopUp(name):
            return "top-up", name
        case CompleteCredit(name) | CompleteStripe(name) | Refund(name) | Deliver(_, _, name):
            return "changes", name
    return "", brief(operation)
