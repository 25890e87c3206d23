"""charged-once: a purchase is charged at most once, exactly its total, to its own workspace."""

from __future__ import annotations

from decimal import Decimal

from harness.marketplace.properties.facts import Facts
from harness.marketplace.properties.property import Judgement, Property


def judge(facts: Facts) -> Judgement:
    if facts.final.charges is not None:
        return judge_charges(facts)
    return judge_balances(facts)


def judge_charges(facts: Facts) -> Judgement:
    """Each entry of the ledger against the purchase that it names."""
    by_purchase: dict[str, list[tuple[str, Decimal]]] = {}
    for name, workspace, amount in facts.final.charges or ():
        by_purchase.setdefault(name, []).append((workspace, amount))
    for name, charges in sorted(by_purchase.items()):
        claim = facts.claims.get(name)
        guilty = (("purchase", name), *(("charge", f"{amount} to {workspace}") for workspace, amount in charges))
        if claim is None:
            yield f"{name} was charged {charges[0][1]} to {charges[0][0]}, and there is no such purchase", guilty
        elif claim.method != "credits":
            yield f"purchase {name} is paid by {claim.method} and was charged {charges[0][1]} credits as well", guilty
        elif len(charges) > 1:
            amounts = ", ".join(str(amount) for _, amount in charges)
            yield f"purchase {name} was charged {len(charges)} times: {amounts}", guilty
        elif charges[0][0] != claim.workspace:
            yield f"purchase {name} of {claim.workspace} was charged to {charges[0][0]}", guilty
        elif charges[0][1] not in claim.totals:
            total = " or ".join(map(str, sorted(claim.totals)))
            yield f"purchase {name} costs {total} and was charged {charges[0][1]}", guilty


def judge_balances(facts: Facts) -> Judgement:
    """No ledger to read: what a workspace lost must be what its completed purchases cost.

    A workspace that gained more than it should is blamed here only when no top-up can be the cause.
    """
    for workspace in facts.accounted:
        taken, bought = facts.taken(workspace), facts.bought(workspace)
        costs = facts.sums(bought)
        topped_up = any(row.workspace == workspace for row in facts.start.top_ups.values())
        if taken in costs or (topped_up and taken < min(costs)):
            continue
        cost = " or ".join(map(str, sorted(costs)))
        yield (
            f"workspace {workspace} was charged {taken}, and its {len(bought)} completed credit purchases cost {cost}",
            (("workspace", workspace), ("charged", str(taken)), ("cost", cost)),
        )


CHARGED_ONCE = Property(
    "charged-once",
    "a purchase is charged at most once, exactly its total, to its own workspace",
    judge,
    needs=("balances", "purchases"),
)
