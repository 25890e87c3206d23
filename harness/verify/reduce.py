"""The smallest scenario that still breaks a property, and what makes it the smallest.

One thing after the other is taken away (``harness.marketplace.smaller``) as long as some schedule of what is left
breaks the same property: the greedy half of delta debugging (A. Zeller and R. Hildebrandt, "Simplifying and Isolating
Failure-Inducing Input", TSE 2002), with a search of schedules as its test. The switches that break it now are tried
first: what has nothing to do with it goes with one run. In the end every single removal has been searched through, up
to a stated number of preemptions, and found to keep the property.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from harness.engine.campaign import Finding, Trial
from harness.engine.execution import Hang
from harness.engine.shrink import Shrinker, Shrunk
from harness.explore.exhaustive import Exhaustive
from harness.explore.sparse import Sparse
from harness.explore.strategy import Diverged, Strategy
from harness.marketplace.properties import check
from harness.marketplace.scenario import Scenario
from harness.marketplace.smaller import smaller
from harness.words.errors import UsageError
from harness.words.schedule import count_preemptions, switches_of

BOUND = 2
"""Every removal is searched through for schedules of at least so many preemptions."""

SCHEDULES_MAX = 20_000
"""The most schedules of one reduction."""

NEVER_BROKEN = 1_000
"""More preemptions than anybody asks for."""

ANYTHING = "ok|refused|busy|failed|unknown"
"""What must have happened in a reduced scenario: something."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """``scenario`` breaks the property, and ``finding`` is its smallest run that does.

    ``minimal``: whatever single thing is taken away, no schedule of up to ``bound`` preemptions breaks the property any
    more. ``proved``: no schedule of ``scenario`` with fewer preemptions than those of ``finding`` breaks it. Both are
    True only when every one of these schedules was run. ``schedules`` is how many were run for all of it.
    """

    scenario: Scenario
    finding: Finding
    bound: int
    minimal: bool
    proved: bool
    schedules: int


def reduce(
    trial_of: Callable[[Scenario], Trial],
    scenario: Scenario,
    property_id: str,
    *,
    finding: Finding | None = None,
    bound: int = BOUND,
    schedules_max: int = SCHEDULES_MAX,
) -> Reduced | None:
    """Make ``scenario`` small. ``trial_of`` stages a scenario (``Theatre.trial``).

    ``finding`` is a run of it that broke the property, if there is one already; without it one is searched for, up to
    ``bound`` preemptions, and there may be none: None. Raises what staging or running the scenario itself raises.
    """
    return _Reduction(trial_of, property_id, schedules_max).reduce(scenario, finding, bound)


class _Reduction:
    """One reduction under way: how many schedules are left to it, and what it knows to be clean."""

    def __init__(self, trial_of: Callable[[Scenario], Trial], property_id: str, schedules_max: int) -> None:
        self._trial_of = trial_of
        self._property = property_id
        self._judge = partial(check, ids=(property_id,))
        self._schedules_max = schedules_max
        self._schedules = 0
        self._clean: dict[str, int] = {}
        """Digest of a scenario to the preemptions up to which all its schedules were run and keep the property."""

    def reduce(self, scenario: Scenario, finding: Finding | None, bound: int) -> Reduced | None:
        scenario = replace(scenario, properties=(self._property,), exercises={}, happened=(ANYTHING,))
        if finding is None and (finding := self._search(self._trial_of(scenario), scenario.digest, bound)) is None:
            return None
        # Most of what is not needed goes with one run each; what is left is quickly searched.
        scenario, finding = self._take_away(scenario, finding, None)
        finding = self._shrink(scenario, finding).finding
        bound = max(bound, finding.preemptions)
        before = None
        while scenario is not before:
            scenario, finding = self._take_away(scenario, finding, finding.preemptions)
            before = scenario
            scenario, finding = self._take_away(scenario, finding, bound)
        minimal = all(self._clean.get(each.digest, -1) >= bound for each in smaller(scenario))
        shrunk = self._shrink(scenario, finding)
        return Reduced(scenario, shrunk.finding, bound, minimal, shrunk.proved, self._schedules)

    def _shrink(self, scenario: Scenario, finding: Finding) -> Shrunk:
        left = max(1, self._schedules_max - self._schedules)
        shrinker = Shrinker(self._trial_of(scenario), self._judge, max_tries=left)
        shrunk = shrinker.shrink(finding, clean_up_to=self._clean.get(scenario.digest))
        self._schedules += shrunk.tries
        if shrunk.proved:
            self._clean[scenario.digest] = shrunk.finding.preemptions - 1
        return shrunk

    def _take_away(self, scenario: Scenario, finding: Finding, bound: int | None) -> tuple[Scenario, Finding]:
        """One thing after the other, as long as the property can be broken with at most ``bound`` preemptions.

        Without a bound: by the very switches that break it now.
        """
        at = 0
        while at < len(candidates := [*smaller(scenario)]):
            found = self._attempt(candidates[at], finding, bound)
            if found is None:
                at += 1
            else:
                scenario, finding = candidates[at], found
        return scenario, finding

    def _attempt(self, candidate: Scenario, finding: Finding, bound: int | None) -> Finding | None:
        most = finding.preemptions if bound is None else bound
        if self._schedules >= self._schedules_max or self._clean.get(candidate.digest, -1) >= most:
            return None
        try:
            trial = self._trial_of(candidate)
        except UsageError:
            self._clean[candidate.digest] = NEVER_BROKEN  # the subject cannot have such a start
            return None
        same = Sparse(switches_of(finding.run.decisions))
        same.begin()
        try:
            found = self._run(trial, same)
            if found is not None and found.preemptions <= most:
                return found
            return None if bound is None else self._search(trial, candidate.digest, bound)
        except (Hang, Diverged):
            return None  # and it is not known to be clean

    def _search(self, trial: Trial, digest: str, bound: int) -> Finding | None:
        """The first run that breaks the property, those with few preemptions first."""
        strategy = Exhaustive(bound)
        while self._schedules < self._schedules_max:
            if not strategy.begin():
                self._clean[digest] = bound
                return None
            if (found := self._run(trial, strategy)) is not None:
                self._clean[digest] = found.preemptions - 1
                return found
        return None

    def _run(self, trial: Trial, strategy: Strategy) -> Finding | None:
        self._schedules += 1
        run, history = trial.run(strategy)
        strategy.end(run.decisions)
        for violation in self._judge(history):
            return Finding(violation, run, history, count_preemptions(run.decisions), self._schedules)
        return None
