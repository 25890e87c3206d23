"""The campaign of one scenario, and what it has to report: certificate, counts, minimal counterexamples."""

from __future__ import annotations

import hashlib
import time
from functools import partial
from statistics import median

from harness.db.plan import Plan
from harness.engine.campaign import Campaign, Finding
from harness.engine.execution import Hang
from harness.engine.shrink import Shrinker
from harness.explore.exhaustive import Exhaustive
from harness.explore.mixture import COMPLETE_FIRST, Mixture
from harness.explore.strategy import Diverged, Strategy
from harness.marketplace.block import Nemesis
from harness.marketplace.properties import check, not_applicable
from harness.marketplace.scenario import Scenario, labels, missing
from harness.stats.good_turing import unseen
from harness.stats.miss_bound import miss_bound
from harness.verify.certificate import ENOUGH_PREEMPTIONS, certify, opaque_places
from harness.verify.counterexample import counterexample_of
from harness.verify.orders import Counterexample, Order, ScenarioReport
from harness.verify.repeat import Repeating
from harness.verify.strikes import Strikes
from harness.verify.trial import Trial


class Enquiry:
    """The campaign of one scenario within a share."""

    def __init__(
        self, order: Order, plan: Plan, scenario: Scenario, quota: int | None, trial: Trial, strategy: Strategy
    ) -> None:
        self.scenario = scenario
        self._order = order
        self._plan = plan
        self._quota = quota
        self._trial = trial
        self._judge = partial(check, ids=scenario.properties)
        self.strategy = strategy
        self._strikes = Strikes()
        struck = any(isinstance(program, Nemesis) for program in scenario.sessions.values())
        note = partial(self._strikes.note, plan) if struck else None
        self.campaign = Campaign(
            Repeating(trial, order.replays if order.sweep_bound is None else 1), strategy, self._judge, labels, note
        )
        self._isolation = scenario.isolation or order.isolation
        self._opaque = opaque_places(plan, self._isolation)
        self._seconds = 0.0
        self._began = time.monotonic()
        self._found_after_s: dict[str, float] = {}
        self._found_after: dict[str, int] = {}
        self._counterexamples: dict[str, Counterexample] = {}

    @property
    def few_preemptions_done(self) -> bool:
        """Nothing is to be had quickly any more: it has broken something, or all schedules of few preemptions were run.

        Also where nobody counts them, because schedules are drawn.
        """
        if self.campaign.tally.findings or not isinstance(self.strategy, Exhaustive | Mixture):
            return True
        return (self.strategy.completed_bound or 0) >= COMPLETE_FIRST

    @property
    def extent(self) -> tuple[int, int]:
        """How much there is to run, to be compared with that of others: sessions, then steps of the shortest run."""
        return len(self.scenario.sessions), min(self.campaign.tally.steps, default=0)

    @property
    def finished(self) -> bool:
        return self.campaign.finished or self.campaign.tally.schedules == self._quota

    def advance(self, until: float) -> None:
        """Run schedules until the clock says ``until``, the quota is used up, or none is left."""
        campaign, tally = self.campaign, self.campaign.tally
        began = time.monotonic()
        now = began
        while now < until and tally.schedules != self._quota and campaign.advance():
            now = time.monotonic()
            if len(tally.findings) > len(self._found_after):
                for property_id in tally.findings.keys() - self._found_after.keys():
                    self._found_after[property_id] = tally.schedules
                    self._found_after_s[property_id] = now - self._began
        self._seconds += time.monotonic() - began

    def advance_for(self, seconds: float) -> None:
        self.advance(time.monotonic() + seconds)

    def report(self) -> ScenarioReport:
        """What was explored and seen, with the counterexamples of what was explained."""
        tally, scenario = self.campaign.tally, self.scenario
        inapplicable = {}
        diverged = str(tally.diverged or "")
        hang = f"{tally.hang.why}\n{tally.hang.picture}" if tally.hang else ""
        if tally.schedules:
            history = self.campaign.last_history
            assert history is not None
            inapplicable = {
                each: reason for each in scenario.properties if (reason := not_applicable(each, history)) is not None
            }
        sampled = tally.drawn["urw"]
        return ScenarioReport(
            name=scenario.name,
            isolation=self._isolation,
            strategy=self.strategy.name,
            explored=certify(
                complete=self._complete,
                completed_bound=self._completed_bound,
                miss=miss_bound(sampled) if sampled and not tally.findings else None,
                sampled=bool(sum(tally.drawn.values()) - tally.drawn["exhaustive"]),
                opaque=bool(self._opaque),
                broken_off=bool(hang or diverged),
                wanted=self._wanted_bound,
            ),
            schedules=tally.schedules,
            distinct=len(tally.distinct),
            steps=tally.total_steps,
            steps_median=median(tally.steps.elements()) if tally.steps else 0,
            distinct_outcomes=len(tally.outcomes),
            unseen_outcomes=unseen(tally.outcomes.values()).new_next,
            opaque=self._opaque,
            seconds=self._seconds,
            digest=self.campaign.digest,
            labels=dict(sorted(tally.labels.items())),
            missing={each: missing(scenario.exercised_by(each), tally.labels) for each in scenario.properties},
            not_applicable=inapplicable,
            violating=dict(tally.violating),
            counterexamples=dict(self._counterexamples),
            hang=hang,
            diverged=diverged,
            strikes=self._strikes,
        )

    @property
    def _complete(self) -> bool:
        return isinstance(self.strategy, Exhaustive | Mixture) and self.strategy.complete

    @property
    def _wanted_bound(self) -> int:
        bound = self.strategy.bound if isinstance(self.strategy, Exhaustive) else None
        return ENOUGH_PREEMPTIONS if bound is None else bound

    @property
    def _completed_bound(self) -> int | None:
        return self.strategy.completed_bound if isinstance(self.strategy, Exhaustive | Mixture) else None

    def explain(self, property_id: str, deadline: float = float("inf")) -> bool:
        """Make the finding small until the clock says ``deadline``, and tell it; whether it went the same way again."""
        made = self._counterexamples[property_id] = self._explain(self.campaign.tally.findings[property_id], deadline)
        return made.reproduced == made.replays

    def _explain(self, finding: Finding, deadline: float) -> Counterexample:
        property_id = finding.violation.property
        completed = self._completed_bound
        # A bound that was completed without breaking the property needs no second proof.
        clean_up_to = None if completed is None else min(completed, finding.preemptions - 1)
        try:
            shrunk = Shrinker(self._trial, self._judge, deadline=deadline).shrink(finding, clean_up_to=clean_up_to)
            finding, proved, tries = shrunk.finding, shrunk.proved, shrunk.tries
        except (Hang, Diverged):
            proved, tries = False, 0  # the replays below say how faithful the run is
        return counterexample_of(
            self._order,
            self._plan,
            self.scenario,
            self._trial,
            finding,
            proved=proved,
            tries=tries,
            found_after=(self._found_after[property_id], self._found_after_s[property_id]),
        )


def seed_of(seed: int, scenario: str) -> int:
    """Each scenario draws from a seed of its own, so that leaving one out does not change the others."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{scenario}".encode()).digest()[:8], "big")
