"""What the faults of a campaign struck: place by place, how often, and how often something was broken by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from harness.db.plan import Plan
from harness.engine.execution import Run
from harness.marketplace.resolution import Resolution, resolve
from harness.words.history import History, Status
from harness.words.stage import CLIENT_POINT, Struck

Place = tuple[str, str]
"""Where somebody stood: function and line or ``client``, and the statement that was next, or under way."""


@dataclass(slots=True)
class Strikes:
    """Of one campaign, for the report; it crosses processes."""

    steps: dict[Place, int] = field(default_factory=dict)
    """Every place that was struck, with the first step at which it was."""
    runs: Counter[tuple[Place, str]] = field(default_factory=Counter)
    """Runs by place and fault."""
    violating: Counter[tuple[Place, str]] = field(default_factory=Counter)
    not_struck: int = 0
    """Runs in which no fault found anything to strike."""
    unknown: Counter[Resolution] = field(default_factory=Counter)
    """What became of the operations whose answer nobody got."""

    def note(self, plan: Plan, run: Run, history: History, broken: Collection[str]) -> None:
        """Take one run into account, in which these properties were broken."""
        self.not_struck += not run.strikes
        for step, struck in run.strikes.items():
            place = where(plan, struck)
            self.steps[place] = min(step, self.steps.get(place, step))
            self.runs[place, struck.fault] += 1
            self.violating[place, struck.fault] += bool(broken)
        if any(call.result.status is Status.UNKNOWN for call in history.calls):
            self.unknown += resolve(history)


def where(plan: Plan, struck: Struck) -> Place:
    """Where a session stood when it was struck."""
    if struck.point == CLIENT_POINT:
        return "client", " ".join(struck.statement.split())
    point = next(each for each in plan.points if each.id == struck.point)
    return f"{point.function}:{point.line}", point.sql
