"""webhook-idempotent: n deliveries, in any order, do what one does.

"Deliveries" are whatever carries one payment to us more than once: the same event again, another event of the same
purchase, a direct completion, the webhook of a top-up.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.marketplace.operations import Deliver, TopUp
from harness.marketplace.properties.facts import EXPIRED, PAID, Facts
from harness.marketplace.properties.property import Judgement, Property
from harness.words.history import Call, Status


def judge(facts: Facts) -> Judgement:
    yield from judge_events(facts)
    yield from judge_marks(facts)
    yield from judge_top_ups(facts)


def judge_events(facts: Facts) -> Judgement:
    """One event has its effect in one of its deliveries, and has had it once any of them was acknowledged."""
    for event, calls in sorted(deliveries(facts).items()):
        operation: Deliver = calls[0].operation
        guilty = (("event", event), ("purchase", operation.purchase))
        if (fresh := count_fresh(calls)) > 1:
            yield f"event {event} was delivered {len(calls)} times and took effect in {fresh} of them", guilty
        acknowledged = sum(call.result.status is Status.OK for call in calls)
        status = facts.status.get(operation.purchase)
        if acknowledged and operation.kind in (PAID, EXPIRED) and status == "pending":
            yield (
                f"event {event} was acknowledged in {acknowledged} of {len(calls)} deliveries, but purchase "
                f"{operation.purchase} is still pending",
                guilty,
            )


def judge_marks(facts: Facts) -> Judgement:
    """A purchase that was paid several times over marks its leads once."""
    for name, calls in sorted(facts.payments.items()):
        if len(calls) < 2:
            continue
        if count_fresh(calls) > 1 and facts.status.get(name) == "completed":
            yield f"purchase {name} was completed afresh by {count_fresh(calls)} deliveries", (("purchase", name),)
        for lead in facts.items.get(name, ()):
            owners = [other for other in facts.completed if lead in facts.items.get(other, ())]
            entitled = len(owners) + facts.marked(lead)
            counted = facts.leads[lead].sold_count if lead in facts.leads else 0
            if name in owners and counted > entitled:
                yield (
                    f"purchase {name} was delivered {len(calls)} times, and its lead {lead} counted as sold {counted} "
                    f"times",
                    (("purchase", name), ("lead", lead), ("sold_count", str(counted))),
                )


def judge_top_ups(facts: Facts) -> Judgement:
    by_name: dict[str, list[Call]] = {}
    for call in facts.attempts(TopUp):
        by_name.setdefault(call.operation.top_up, []).append(call)
    for name, calls in sorted(by_name.items()):
        if len(calls) < 2:
            continue
        row = facts.start.top_ups[name]
        guilty = (("top-up", name), ("workspace", row.workspace))
        if row.workspace not in facts.accounted:
            continue
        extra = min(facts.sums(facts.bought(row.workspace))) - facts.taken(row.workspace)
        if count_fresh(calls) > 1:
            yield f"top-up {name} was credited afresh by {count_fresh(calls)} of {len(calls)} deliveries", guilty
        elif extra > 0 and extra % row.amount == 0:
            yield (
                f"top-up {name} of {row.amount} was delivered {len(calls)} times and credited "
                f"{extra // row.amount + 1} times",
                guilty,
            )


def deliveries(facts: Facts) -> dict[str, list[Call]]:
    """Event to its deliveries, where there was more than one."""
    found: dict[str, list[Call]] = {}
    for call in facts.attempts(Deliver):
        found.setdefault(call.operation.event, []).append(call)
    return {event: calls for event, calls in found.items() if len(calls) > 1}


def count_fresh(calls: Sequence[Call]) -> int:
    """How many were told that it was they who did the work."""
    return sum(call.result.status is Status.OK and call.result.get("already_completed") is False for call in calls)


def concerned(facts: Facts) -> bool:
    topped = [call.operation.top_up for call in facts.attempts(TopUp)]
    return (
        bool(deliveries(facts))
        or any(len(calls) > 1 for calls in facts.payments.values())
        or len(topped) > len(set(topped))
    )


WEBHOOK_IDEMPOTENT = Property(
    "webhook-idempotent",
    "n deliveries of a webhook, in any order, do what one does",
    judge,
    needs=("leads", "purchases"),
    concerns=concerned,
)
