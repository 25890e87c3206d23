"""terminal-states: completed, refunded, cancelled and failed never change backwards."""

from __future__ import annotations

from harness.marketplace.operations import CompleteCredit, Deliver, Sweep
from harness.marketplace.properties.facts import EXPIRED, Facts
from harness.marketplace.properties.property import Judgement, Property
from harness.words.history import Call, Status

FORWARD = {
    "completed": {"refunded"},
    "refund_required": {"refunded"},
    # Paid although it was over: the money is owed back, the purchase does not come back.
    "cancelled": {"refund_required", "refunded"},
    "failed": {"refund_required", "refunded"},
    "refunded": set(),
}
"""Terminal status to the statuses that may follow it."""


def judge(facts: Facts) -> Judgement:
    for name, before in sorted(facts.started.items()):
        after = facts.status.get(name, "missing")
        if before in FORWARD and after != before and after not in FORWARD[before]:
            guilty = (("purchase", name), ("before", before), ("after", after))
            yield f"purchase {name} was {before} from the start and ended {after}", guilty
    for name in facts.completed:
        paid = payments(facts, name)
        for call, word in endings(facts, name):
            if facts.started.get(name, "pending") == "pending" and paid and all(map(call.precedes, paid)):
                guilty = (("purchase", name), ("before", word), ("after", "completed"))
                yield f"purchase {name} was {word} before it was paid, and yet it ended completed", guilty


def payments(facts: Facts, name: str) -> list[Call]:
    """The operations that can have completed a purchase."""
    credit = [call for call in facts.attempts(CompleteCredit) if call.operation.purchase == name]
    return [*facts.payments.get(name, ()), *credit]


def endings(facts: Facts, name: str) -> list[tuple[Call, str]]:
    """The acknowledged operations that put an end to a pending purchase, each with the status that they give it."""
    ended = [(call, "refunded") for call in facts.refunds.get(name, ()) if call.result.status is Status.OK]
    for call in facts.attempts(Deliver, Sweep):
        operation = call.operation
        if call.result.status is not Status.OK or call.result.get("already_completed"):
            continue  # it changed nothing
        if isinstance(operation, Sweep):
            row = facts.start.purchases.get(name)
            # Where nothing is reserved, nothing expires.
            expired = row is not None and row.reserved == "expired" and facts.final.reservations is not None
        else:
            expired = operation.kind == EXPIRED and operation.purchase == name
        if expired:
            ended.append((call, "cancelled"))
    return ended


TERMINAL_STATES = Property(
    "terminal-states",
    "completed, refunded, cancelled and failed purchases never change backwards",
    judge,
    needs=("purchases",),
)
