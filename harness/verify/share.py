"""A worker's share of a verification: its scenarios in turn, on one core, until the limits are reached."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from harness.db.plan import Plan
from harness.explore.exhaustive import Exhaustive
from harness.explore.mixture import Mixture
from harness.explore.strategy import Strategy
from harness.explore.urw import URW
from harness.marketplace.scenario import Scenario
from harness.verify.enquiry import Enquiry, seed_of
from harness.verify.orders import Order, ShareReport
from harness.verify.theatre import Theatre

SLICE_S_MAX = 0.25
"""How long a scenario runs before the next one of the share has its turn, seconds."""
ROUNDS_MIN = 4
"""How many turns every scenario should have, however small the budget."""

Progress = Callable[[str, int, int], None]
"""Told now and then: a scenario, its schedules so far, how many of its properties are broken."""


def explore_share(order: Order, plan: Plan, progress: Progress, stopped: Callable[[], bool]) -> ShareReport:
    """Explore the scenarios of ``order`` in turns; ``stopped`` ends it early with what there is.

    Raises ``HarnessError`` for a subject that cannot be run.
    """
    with Theatre(order, plan) as theatre:
        enquiries = [
            Enquiry(order, plan, scenario, quota, theatre.trial(scenario), strategy_of(order, scenario, quota))
            for scenario, quota in order.scenarios
        ]
        deadline = float("inf") if order.seconds is None else time.monotonic() + order.seconds
        _take_turns(enquiries, deadline, progress, stopped)
        reports = [enquiry.report() for enquiry in enquiries]
        return ShareReport(reports, theatre.reached.told)


def strategy_of(order: Order, scenario: Scenario, quota: int | None) -> Strategy:
    """How a scenario of this order is explored."""
    seed = seed_of(order.seed, scenario.name)
    if order.sweep_bound is None:
        return Mixture(seed)
    return Exhaustive(order.sweep_bound) if quota is None else URW(seed)


def _take_turns(enquiries: Sequence[Enquiry], deadline: float, progress: Progress, stopped: Callable[[], bool]) -> None:
    going = list(enquiries)
    turn = min(SLICE_S_MAX, (deadline - time.monotonic()) / (ROUNDS_MIN * len(going)))
    while going and not stopped():
        for enquiry in list(going):
            now = time.monotonic()
            if now >= deadline or stopped():
                return
            enquiry.advance(min(now + turn, deadline))
            progress(enquiry.scenario.name, enquiry.campaign.tally.schedules, len(enquiry.campaign.tally.findings))
            if enquiry.finished:
                going.remove(enquiry)
