"""paid-is-served: a captured Stripe payment ends with its leads delivered, or with a refund that is owed or made."""

from __future__ import annotations

from harness.marketplace.properties.facts import Facts
from harness.marketplace.properties.property import Judgement, Property
from harness.words.history import Status

ANSWERED = (Status.OK, Status.REFUSED)
"""After these Stripe does not try again; after any other it does, and the payment is still on its way."""


def judge(facts: Facts) -> Judgement:
    for name, calls in sorted(facts.payments.items()):
        # Nobody can pay for a purchase that was never opened.
        if name not in facts.made or not any(call.result.status in ANSWERED for call in calls):
            continue
        status, guilty = facts.status.get(name, "missing"), (("purchase", name),)
        if status not in ("completed", "refund_required", "refunded"):
            yield f"purchase {name} was paid, but it ended {status}: no leads and no refund", guilty
        elif status == "completed":
            undelivered = [lead for lead in facts.items[name] if facts.leads[lead].sold_count < 1]
            if undelivered:
                yield f"purchase {name} was paid, but {', '.join(undelivered)} was not delivered", guilty


PAID_IS_SERVED = Property(
    "paid-is-served",
    "a captured Stripe payment ends with leads delivered or a refund due",
    judge,
    needs=("leads", "purchases"),
    concerns=lambda facts: bool(facts.payments),
)
