"""all-or-nothing: a purchase is completed, its leads sold and its charge made; or none of the three."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from harness.marketplace.properties.facts import Claim, Facts
from harness.marketplace.properties.property import Judgement, Property


def judge(facts: Facts) -> Judgement:
    yield from judge_leads(facts)
    yield from judge_charges(facts) if facts.final.charges is not None else judge_balances(facts)


def judge_leads(facts: Facts) -> Judgement:
    for name in facts.completed:
        for lead in facts.items.get(name, ()):
            state = facts.leads.get(lead)
            if state is not None and (state.status == "available" or state.sold_count < 1):
                yield (
                    f"purchase {name} is completed, but its lead {lead} is {state.status} with sold_count "
                    f"{state.sold_count}",
                    (("purchase", name), ("lead", lead)),
                )
    delivered = {
        lead
        for name, leads in facts.items.items()
        if facts.status.get(name) in ("completed", "refunded")
        for lead in leads
    }
    for lead, state in facts.final.leads:
        before = facts.start.leads.get(lead)
        if before is None or before.status == "sold" or lead in delivered or facts.marked(lead):
            continue
        if state.status == "sold" or state.sold_count > 0:
            yield f"lead {lead} is sold, but no purchase of it is completed", (("lead", lead),)


def judge_charges(facts: Facts) -> Judgement:
    charged = {name for name, _, _ in facts.final.charges or ()}
    for name, claim in sorted(facts.claims.items()):
        status, guilty = facts.status.get(name, "missing"), (("purchase", name),)
        if claim.method != "credits" or facts.started.get(name, "pending") != "pending":
            continue
        if status == "completed" and name not in charged and claim.totals != {Decimal(0)}:
            yield f"purchase {name} is completed, but nobody was charged for it", guilty
        if status not in ("completed", "refunded") and name in charged:
            yield f"purchase {name} was charged, but it is {status}", guilty


def judge_balances(facts: Facts) -> Judgement:
    """No ledger to read: blame purchases only when exactly their cost is too much, or too little, to be there."""
    for workspace in facts.accounted:
        taken, bought = facts.taken(workspace), facts.bought(workspace)
        costs = facts.sums(bought)
        if taken in costs:
            continue
        undone = [
            claim
            for name, claim in sorted(facts.claims.items())
            if claim.workspace == workspace
            and claim.method == "credits"
            and facts.started.get(name, "pending") == "pending"
            and facts.status.get(name) not in ("completed", "refunded")
        ]
        guilty = (("workspace", workspace), ("charged", str(taken)))
        if any(taken - cost in _parts(undone) for cost in costs):
            yield (
                f"workspace {workspace} was charged {taken}, with the cost of a purchase that is not completed",
                guilty,
            )
        elif any(cost - taken in _parts(bought) for cost in costs):
            due = " or ".join(map(str, sorted(costs)))
            yield f"workspace {workspace} completed purchases for {due}, but was charged only {taken}", guilty


def _parts(claims: Iterable[Claim]) -> set[Decimal]:
    """What some of these purchases, at least one, cost together."""
    reached: set[Decimal] = set()
    for claim in claims:
        reached |= {so_far + total for so_far in (*reached, Decimal(0)) for total in claim.totals}
    return reached - {Decimal(0)}


ALL_OR_NOTHING = Property(
    "all-or-nothing",
    "a purchase is completed with all its leads sold to it and its charge made, or none of the three",
    judge,
    needs=("balances", "leads", "purchases"),
)
