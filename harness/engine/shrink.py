"""Make a failing schedule small, and prove how small it can be.

First the switches of the run are dropped one by one and in halves, as long as the property stays broken (delta
debugging: A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", TSE 2002). Then all
schedules with fewer preemptions are run: either one of them fails, which is better, or the number is a proved minimum.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.engine.campaign import Finding, Judge, Trial
from harness.explore.exhaustive import Exhaustive
from harness.explore.sparse import Sparse
from harness.explore.strategy import Strategy
from harness.words.schedule import count_preemptions, switches_of


@dataclass(frozen=True, slots=True)
class Shrunk:
    """``proved`` when every schedule with fewer preemptions was run and kept the property."""

    finding: Finding
    proved: bool
    tries: int


class Shrinker:
    """Shrinks findings of one trial; ``max_tries`` bounds the runs of one shrink, the proof included.

    It also ends when the clock says ``deadline``, with the smallest run so far.
    """

    def __init__(
        self,
        trial: Trial,
        judge: Judge,
        *,
        max_tries: int = 5000,
        deadline: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trial = trial
        self._judge = judge
        self._max_tries = max_tries
        self._deadline = deadline
        self._clock = clock
        self._tries = 0

    def shrink(self, finding: Finding, *, clean_up_to: int | None = None) -> Shrunk:
        """``clean_up_to``: all schedules with at most so many preemptions are known to keep the property."""
        self._tries = 0
        best = self._drop_switches(finding)
        while best.preemptions > (-1 if clean_up_to is None else clean_up_to) + 1:
            smaller, complete = self._search_below(best)
            if smaller is None:
                return Shrunk(best, complete, self._tries)
            best = self._drop_switches(smaller)
            if smaller.preemptions == best.preemptions:
                # Found in the order of preemptions: nothing with fewer failed before it.
                return Shrunk(best, True, self._tries)
        return Shrunk(best, True, self._tries)

    @property
    def _may_go_on(self) -> bool:
        return self._tries < self._max_tries and self._clock() < self._deadline

    def _drop_switches(self, best: Finding) -> Finding:
        size = max(1, len(switches_of(best.run.decisions)) // 2)
        while size:
            start = 0
            while self._may_go_on and start < len(schedule := switches_of(best.run.decisions)):
                found = self._try(Sparse(schedule[:start] + schedule[start + size :]), best.violation.property)
                if found is not None and found.size < best.size:
                    best = found
                else:
                    start += size
            size //= 2
        return best

    def _search_below(self, best: Finding) -> tuple[Finding | None, bool]:
        """The first failing schedule with fewer preemptions, and whether all of them were run."""
        strategy = Exhaustive(bound=best.preemptions - 1)
        while self._may_go_on:
            if not strategy.begin():
                return None, True
            found = self._run(strategy, best.violation.property)
            if found is not None:
                return found, False
        return None, False

    def _try(self, strategy: Strategy, property_id: str) -> Finding | None:
        strategy.begin()
        return self._run(strategy, property_id)

    def _run(self, strategy: Strategy, property_id: str) -> Finding | None:
        self._tries += 1
        run, history = self._trial.run(strategy)
        strategy.end(run.decisions)
        for violation in self._judge(history):
            if violation.property == property_id:
                return Finding(violation, run, history, count_preemptions(run.decisions), 0)
        return None
