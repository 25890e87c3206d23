"""``harness verify``, and ``harness explore`` for one scenario."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from harness.doors.asking import cases, opened, require_writable, scenarios_of, subject_of
from harness.doors.requesting import way
from harness.doors.saving import Saving
from harness.faults.document import including
from harness.faults.sweep import Sweep, chosen_cases, chosen_faults, playable_names, run_sweep
from harness.report.progress import Progress
from harness.verify.alone import explore as explore_alone
from harness.verify.coverage import sql_coverage
from harness.verify.document import subject_entry, verify_document
from harness.verify.orders import Limits
from harness.verify.run import Options, chosen, playable
from harness.verify.run import verify as run_verification
from harness.verify.shards import Shard
from harness.words.errors import UsageError

DRAWN = 100
"""Schedules with two faults, and as many with a fault beside another client, that a verification draws: a fifth of what
``harness faults`` does, which is for looking longer."""


def verify(
    *,
    subject_name: str,
    budget_s: float | None,
    max_schedules: int | None,
    seed: int,
    strict: bool,
    with_faults: bool,
    shard: Shard | None,
    scenario_names: Sequence[str] | None,
    scenario_files: Path | None,
    isolation: str,
    through: str,
    database: str,
    workers: int,
    json_file: Path | None,
    junit_file: Path | None,
    reports: Path,
    schedule_files: Path,
) -> int:
    """Verify, report, save; returns the exit code."""
    if shard and with_faults:
        raise UsageError(
            "faults-sharded", "--shard and --faults exclude each other", remedy="run harness faults beside the shards"
        )
    subject = subject_of(subject_name)
    scenarios = scenarios_of(scenario_names, scenario_files, through)
    require_writable(schedule_files / "any")
    saving = Saving("verify", subject.name, reports=reports, json_file=json_file, junit_file=junit_file)
    options = Options(
        subject=subject,
        scenarios=scenarios,
        limits=Limits(budget_s, max_schedules),
        schedule_files=schedule_files,
        seed=seed,
        strict=strict,
        isolation=isolation,
        workers=workers,
        all_scenarios=not scenario_names,
        api=way(through),
        shard=shard,
    )
    able, _ = playable(subject, scenarios, by_requests=options.api is not None)
    names = [scenario.name for scenario, _ in chosen(options, able)]
    sweep = Sweep(
        subject,
        chosen_cases(cases(), None),
        chosen_faults(None, None),
        schedule_files,
        pairs=DRAWN,
        beside=DRAWN,
        seed=seed,
        isolation=isolation,
        workers=workers,
    )
    with opened(database) as server:
        with Progress(sys.stderr, names, budget_s, max_schedules) as progress:
            document = run_verification(server, options, progress.update, progress.interrupted)
        if with_faults and not document["interrupted"]:
            with Progress(sys.stderr, playable_names(sweep), None, None) as progress:
                document = including(document, run_sweep(server, sweep, progress.update, progress.interrupted))
    return saving.ended(document)


def explore(
    *,
    scenario_name: str,
    scenario_files: Path | None,
    strategy: str,
    most: int | None,
    preemptions: int | None,
    subject_name: str,
    seed: int,
    isolation: str,
    through: str,
    database: str,
    reports: Path,
    schedule_files: Path,
) -> int:
    """Explore one scenario and report; returns the exit code."""
    subject = subject_of(subject_name)
    (scenario,) = scenarios_of([scenario_name], scenario_files, through)
    playable(subject, [scenario], by_requests=through == "api")
    require_writable(schedule_files / "any")
    saving = Saving("explore", scenario.name, reports=reports)
    began = time.monotonic()
    with opened(database) as server:
        with Progress(sys.stderr, [scenario.name], None, most) as progress:
            explored, plan, interrupted = explore_alone(
                server,
                subject,
                scenario,
                strategy,
                most=most,
                preemptions=preemptions,
                seed=seed,
                isolation=isolation,
                api=way(through),
                tick=progress.update,
            )
        document = verify_document(
            subject=subject_entry(subject, len(plan.points), by_requests=through == "api"),
            server={"version": server.version, "local": server.local, "workers": 1, "pinned": server.local},
            seed=seed,
            limits={"seconds": None, "schedules": most},
            strict=False,
            interrupted=interrupted,
            seconds=time.monotonic() - began,
            reports=explored.scenarios,
            coverage=sql_coverage(plan, explored.reached, subject.migrations),
            skipped={},
            scenarios=[scenario],
            extra_properties=[],
            schedule_files=schedule_files,
        )
    return saving.ended(document)
