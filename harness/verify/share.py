"""A worker's share of a verification: its scenarios in turn, on one core, until the limits are reached."""

from __future__ import annotations

import time
from collections.abc import Callable

from harness.db.plan import Plan
from harness.explore.exhaustive import Exhaustive
from harness.explore.mixture import Mixture
from harness.explore.strategy import Strategy
from harness.explore.urw import URW
from harness.marketplace.scenario import Scenario
from harness.verify.enquiry import Enquiry, seed_of
from harness.verify.explain import explain
from harness.verify.orders import Order, ShareReport
from harness.verify.theatre import Theatre
from harness.verify.turns import take_turns

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

        def ran(enquiry: Enquiry) -> None:
            tally = enquiry.campaign.tally
            progress(enquiry.scenario.name, tally.schedules, len(tally.findings))

        take_turns(enquiries, deadline, ran, stopped, first=order.first)
        explain(enquiries, order.explaining_s)
        reports = [enquiry.report() for enquiry in enquiries]
        return ShareReport(reports, theatre.reached.told)


def strategy_of(order: Order, scenario: Scenario, quota: int | None) -> Strategy:
    """How a scenario of this order is explored."""
    seed = seed_of(order.seed, scenario.name)
    if order.sweep_bound is None:
        return Mixture(seed)
    return Exhaustive(order.sweep_bound) if quota is None else URW(seed)
