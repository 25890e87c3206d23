"""conservation: balance = opening + top-ups - completed credit purchases + refunds = ledger sum, to the last digit."""

from __future__ import annotations

from decimal import Decimal

from harness.marketplace.properties.facts import Facts
from harness.marketplace.properties.property import Judgement, Property


def judge(facts: Facts) -> Judgement:
    ledger = dict(facts.final.ledger or ())
    for workspace in facts.accounted:
        balance, taken = facts.balances[workspace], facts.taken(workspace)
        guilty = (("workspace", workspace), ("balance", str(balance)))
        costs = facts.sums(facts.bought(workspace))
        if taken not in costs:
            due = " or ".join(str(balance + taken - cost) for cost in sorted(costs))
            yield f"workspace {workspace} should have {due} credits and has {balance}", guilty
        if facts.final.ledger is not None and ledger.get(workspace, Decimal(0)) != balance:
            entries = ledger.get(workspace, Decimal(0))
            yield f"workspace {workspace} has {balance} credits, but its ledger sums to {entries}", guilty


CONSERVATION = Property(
    "conservation",
    "every balance is its opening plus top-ups and refunds minus completed credit purchases, and its ledger's sum",
    judge,
    needs=("balances", "purchases"),
)
