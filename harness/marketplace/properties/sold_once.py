"""sold-once: a lead is in at most one completed purchase, and is counted as sold at most once."""

from __future__ import annotations

from harness.marketplace.properties.facts import Facts
from harness.marketplace.properties.property import Judgement, Property


def judge(facts: Facts) -> Judgement:
    for lead, state in facts.final.leads:
        buyers = [name for name in facts.completed if lead in facts.items.get(name, ())]
        before = facts.start.leads.get(lead)
        newly = [name for name in buyers if facts.started.get(name) != "completed"]
        guilty = (("lead", lead), ("sold_count", str(state.sold_count)), *(("purchase", name) for name in buyers))
        if len(buyers) > 1:
            yield f"lead {lead} was sold to {' and '.join(buyers)}: sold_count {state.sold_count}", guilty
        elif newly and before is not None and before.status == "sold":
            yield f"lead {lead} was sold from the start, and then to {newly[0]}: sold_count {state.sold_count}", guilty
        elif state.sold_count > 1:
            yield f"lead {lead} was counted as sold {state.sold_count} times: sold_count {state.sold_count}", guilty


SOLD_ONCE = Property("sold-once", "a lead is in at most one completed purchase, and its sold_count is at most 1", judge)
