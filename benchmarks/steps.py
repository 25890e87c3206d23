"""Steps and schedules a second in real functions: one worker, pinned with its backends and free to migrate, in turn.

    python -m benchmarks.steps [--schedules 1000] [--rounds 3] [SCENARIO ...]

The whole of a schedule counts: reset, run, reading the end, judging. Medians of the rounds.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from harness.db.any_server import AnyServer
from harness.db.provision import provision
from harness.explore.mixture import Mixture
from harness.marketplace.scenario import Scenario, load_scenarios
from harness.marketplace.subject import Subject, load_subject
from harness.resources import bundled
from harness.verify.enquiry import Enquiry
from harness.verify.orders import Order
from harness.verify.prepared import prepare
from harness.verify.theatre import Theatre

SCENARIOS = (
    "two-buyers-one-lead",
    "three-buyers-one-lead",
    "two-pending-purchases-one-lead",
    "overlapping-completions-opposite-order",
    "webhook-replayed-while-the-first-runs",
    "purchase-cancelled-beside-a-buyer",
)


def measure(
    server: AnyServer, subject: Subject, scenario: Scenario, schedules: int, *, pinned: bool
) -> Sequence[float]:
    """Schedules a second, steps a second, median steps of a schedule."""
    everywhere = os.sched_getaffinity(0)
    with server.database() as dsn:
        prepared = prepare(dsn, subject)
        order = Order(dsn, subject, server.local, min(everywhere), (), None, 0, "read committed", 0)
        try:
            with Theatre(order if pinned else replace(order, core=None), prepared.plan) as theatre:
                enquiry = Enquiry(order, prepared.plan, scenario, None, theatre.trial(scenario), Mixture(0))
                for _ in range(20):
                    enquiry.campaign.advance()
                tally = enquiry.campaign.tally
                steps, runs, began = tally.total_steps, tally.schedules, time.perf_counter()
                while tally.schedules < runs + schedules and enquiry.campaign.advance():
                    pass
                seconds = time.perf_counter() - began
                return (
                    (tally.schedules - runs) / seconds,
                    (tally.total_steps - steps) / seconds,
                    median(tally.steps.elements()),
                )
        finally:
            os.sched_setaffinity(0, everywhere)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("scenario", nargs="*", default=SCENARIOS)
    chosen = parser.parse_args()
    subject = load_subject("reference", bundled("sql"))
    scenarios = load_scenarios(bundled("scenarios"))
    with provision("embedded") as server:
        server.ensure_roles(subject.roles)
        for name in chosen.scenario:
            figures: dict[bool, list[Sequence[float]]] = {True: [], False: []}
            for _ in range(chosen.rounds):
                for pinned in (True, False):
                    figures[pinned].append(measure(server, subject, scenarios[name], chosen.schedules, pinned=pinned))
            for pinned, rounds in figures.items():
                schedules, steps, length = (median(column) for column in zip(*rounds, strict=True))
                print(
                    f"{name:42} {'pinned' if pinned else 'free':6} {schedules:6.0f} schedules/s "
                    f"{steps:7.0f} steps/s, {length:g} steps a schedule",
                    flush=True,
                )


if __name__ == "__main__":
    main()
