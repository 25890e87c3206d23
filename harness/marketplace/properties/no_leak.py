"""no-leak: when all is over, no connection is left, no lock is held and no transaction is open."""

from __future__ import annotations

from harness.marketplace.properties.facts import Facts
from harness.marketplace.properties.property import Judgement, Property


def judge(facts: Facts) -> Judgement:
    for leak in facts.leaks:
        yield leak, (("leak", leak),)


NO_LEAK = Property(
    "no-leak", "afterwards no connection is left over, no lock is held and no transaction is open", judge
)
