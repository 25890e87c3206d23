"""``harness faults``: every operation struck at every step."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.db.provision import chosen_source, provision
from harness.doors.asking import cases, opened, require_writable, subject_of
from harness.doors.saving import Saving
from harness.faults.crash import CRASHABLE, CrashReport, crash_rounds
from harness.faults.document import with_crashes
from harness.faults.sweep import Sweep, chosen_cases, chosen_faults, playable_names, run_sweep
from harness.report.progress import Progress
from harness.words.dsn import is_dsn
from harness.words.errors import UsageError


def faults(
    *,
    subject_name: str,
    operations: Sequence[str] | None,
    kinds: Sequence[str] | None,
    sqlstates: Sequence[str] | None,
    pairs: int,
    beside: int,
    crashes: int | None,
    seed: int,
    isolation: str,
    database: str,
    workers: int,
    json_file: Path | None,
    reports: Path,
    schedule_files: Path,
) -> int:
    """Strike, crash, report, save; returns the exit code. ``crashes`` None: ``CRASHES``, if the server is ours."""
    if crashes and is_dsn(chosen_source(database)):
        raise UsageError(
            "not-our-server",
            "--crashes was asked for on a server that the harness did not start",
            expected="a server of ours to crash",
            remedy="leave out --dsn and HARNESS_DSN, or --crashes",
        )
    require_writable(schedule_files / "any")
    subject = subject_of(subject_name)
    saving = Saving("faults", subject.name, reports=reports, json_file=json_file)
    sweep = Sweep(
        subject=subject,
        cases=chosen_cases(cases(), operations),
        faults=chosen_faults(kinds, sqlstates),
        schedule_files=schedule_files,
        pairs=pairs,
        beside=beside,
        seed=seed,
        isolation=isolation,
        workers=workers,
    )
    with opened(database) as server, Progress(sys.stderr, playable_names(sweep), None, None) as progress:
        document = run_sweep(server, sweep, progress.update, progress.interrupted)
    if crashes is None:
        crashes = 0 if is_dsn(chosen_source(database)) else CRASHES
    if crashes and not document["interrupted"]:
        document = _crashed(document, database, sweep, crashes)
    return saving.ended(document)


CRASHES = 5
"""How often a server of ours is crashed when nobody says how often."""


def _crashed(document: dict[str, Any], database: str, sweep: Sweep, rounds: int) -> dict[str, Any]:
    """The document with that many crashes of another server of the same source, or as many as Ctrl-C lets be."""
    seen = [CrashReport()]
    interrupted = False
    with (
        provision(database, settings=CRASHABLE) as server,
        Progress(sys.stderr, ["crash"], None, rounds, words=("crash", "crashes")) as progress,
    ):

        def tick(report: CrashReport) -> None:
            seen.append(report)
            progress.update("crash", report.rounds, bool(report.violations))

        try:
            crash_rounds(server, sweep.subject, rounds=rounds, seed=sweep.seed, tick=tick)
        except KeyboardInterrupt:
            interrupted = True
    return with_crashes(document, seen[-1], interrupted=interrupted)
