"""no-overdraft: no balance is below zero, in the end or in any answer."""

from __future__ import annotations

from decimal import Decimal

from harness.marketplace.properties.facts import Facts, brief
from harness.marketplace.properties.property import Judgement, Property


def is_amount(value: Decimal) -> bool:
    """NaN is a value of PostgreSQL's numeric, and greater than every number: no CHECK of >= 0 keeps it out."""
    return value.is_finite() and value >= 0


def judge(facts: Facts) -> Judgement:
    for workspace, balance in facts.final.balances:
        if not is_amount(balance):
            yield f"workspace {workspace} ended with a balance of {balance}", (("workspace", workspace),)
    for call in facts.calls:
        told = call.result.get("balance")
        if isinstance(told, Decimal) and not is_amount(told):
            yield f"{brief(call.operation)} was told a balance of {told}", (("session", str(call.session)),)


NO_OVERDRAFT = Property("no-overdraft", "no balance is ever below zero", judge)
