"""no-lost-acknowledgement: what a client was told is there in the end."""

from __future__ import annotations

from harness.marketplace.operations import (
    Buy,
    BuyCredits,
    Checkout,
    CompleteCredit,
    CompleteStripe,
    Deliver,
    MarkSold,
    Refund,
    Request,
    TopUp,
)
from harness.marketplace.properties.facts import EXPIRED, REFUNDED, Facts
from harness.marketplace.properties.property import Judgement, Property
from harness.words.history import Call, Status

SETTLED = ("completed", "refund_required", "refunded", "cancelled", "failed")


def judge(facts: Facts) -> Judgement:
    for call in facts.calls:
        if call.result.status is Status.OK and (loss := lost(facts, call)):
            yield f"session {call.session} was told that {loss}", (("session", str(call.session)),)


def lost(facts: Facts, call: Call) -> str:
    """What an acknowledged operation left no trace of; empty when all of it is there."""
    match call.operation:
        case Buy(_, _, name) | CompleteCredit(name):
            return status_lost(facts, name, "was completed", ("completed", "refunded"))
        case Checkout(_, _, name):
            return status_lost(facts, name, "was opened", ("pending", *SETTLED))
        case Request(_, _, name, _, method):
            made = call.result.get("purchase", name)
            if method == "credits":
                return status_lost(facts, made, "was completed", ("completed", "refunded"))
            return status_lost(facts, made, "was opened", ("pending", *SETTLED))
        case BuyCredits(_, _, name):
            made = call.result.get("top_up", name)
            if facts.final.top_ups is None or made in dict(facts.final.top_ups):
                return ""
            return f"top-up {made} was made, and it is missing"
        case CompleteStripe(name):
            return status_lost(facts, name, "was completed", SETTLED)
        case Refund(name):
            return status_lost(facts, name, "was refunded", ("refunded",))
        case Deliver(_, kind, name):
            if kind == REFUNDED:
                return status_lost(facts, name, "was refunded", ("refunded",))
            return status_lost(facts, name, "was over" if kind == EXPIRED else "was paid", SETTLED)
        case MarkSold():
            marked = call.result.get("marked") or ()
            gone = [lead for lead in marked if lead in facts.leads and facts.leads[lead].sold_count < 1]
            return f"{', '.join(gone)} was marked as sold, and it is not" if gone else ""
        case TopUp(name):
            status = dict(facts.final.top_ups or ()).get(name, "completed")
            return f"top-up {name} was credited, and it is {status}" if status != "completed" else ""
    return ""


def status_lost(facts: Facts, name: str, told: str, allowed: tuple[str, ...]) -> str:
    if name not in facts.made:
        return ""
    status = facts.status.get(name, "missing")
    return "" if status in allowed else f"purchase {name} {told}, and it is {status}"


NO_LOST_ACKNOWLEDGEMENT = Property(
    "no-lost-acknowledgement",
    "what a client was told is there in the end",
    judge,
    needs=("leads", "purchases"),
)
