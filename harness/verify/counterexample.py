"""A finding as a counterexample: its recording, how often it was made again, and its story."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.db.plan import Plan
from harness.engine.campaign import Finding, fingerprint
from harness.marketplace.scenario import Scenario
from harness.verify.exhibit import exhibit
from harness.verify.orders import Counterexample, Order
from harness.verify.repeat import reproduced
from harness.verify.trial import Trial
from harness.words.recording import Recording


def counterexample_of(
    order: Order,
    plan: Plan,
    scenario: Scenario,
    trial: Trial,
    finding: Finding,
    *,
    proved: bool,
    tries: int,
    found_after: tuple[int, float],
    written: Mapping[str, Any] | None = None,
) -> Counterexample:
    """Run the finding again as often as the order says, and tell it.

    ``found_after`` are schedules and seconds; ``written`` is the scenario as JSON, when it stands in no file.
    """
    recording = record(order, scenario, finding, proved, written)
    story, explained = exhibit(order.subject, plan, trial, recording, finding)
    return Counterexample(
        recording=recording,
        guilty=finding.violation.guilty,
        found_after_schedules=found_after[0],
        found_after_s=found_after[1],
        shrink_tries=tries,
        replays=order.replays,
        reproduced=reproduced(trial, recording, order.replays),
        story=story,
        explained=explained,
    )


def record(
    order: Order, scenario: Scenario, finding: Finding, proved: bool, written: Mapping[str, Any] | None = None
) -> Recording:
    """What a replay of the finding must reproduce."""
    return Recording(
        subject=order.subject.name,
        subject_digest=order.subject.digest,
        scenario=scenario.name,
        scenario_digest=scenario.digest,
        isolation=scenario.isolation or order.isolation,
        property=finding.violation.property,
        why=finding.violation.why,
        preemptions=finding.preemptions,
        proved_minimum=proved,
        decisions=tuple(finding.run.decisions),
        events=tuple(finding.run.events),
        outcome=fingerprint(finding.history),
        written=written,
        through="calls" if order.api is None else "api",
    )
