"""``harness model``: whole lives of the marketplace."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from harness.doors.asking import opened, require_writable, subject_of
from harness.doors.saving import Saving
from harness.report.progress import Progress
from harness.unwinding import noting_interrupt
from harness.words.errors import UsageError

LIVES = 100
"""How many when nobody says how many."""
LIVES_MAX = 10**9
"""More than any budget has time for."""


def model(
    *,
    subject_name: str,
    budget_s: float | None,
    lives: int | None,
    steps: int,
    seed: int,
    isolation: str,
    database: str,
    json_file: Path | None,
    reports: Path,
    schedule_files: Path,
) -> int:
    """Live, report, save; returns the exit code."""
    # Hypothesis takes its time to be imported, and no other command needs it.
    from harness.stateful.alone import live
    from harness.stateful.load import load_machine

    if budget_s is not None and lives is not None:
        raise UsageError("two-limits", "--budget and --lives exclude each other", remedy="give one of them")
    wanted = lives or (LIVES_MAX if budget_s else LIVES)
    subject = subject_of(subject_name)
    require_writable(schedule_files / "any")
    saving = Saving("model", subject.name, reports=reports, json_file=json_file)
    with (
        opened(database) as server,
        Progress(sys.stderr, ["life"], budget_s, None if budget_s else wanted, words=("life", "lives")) as progress,
        noting_interrupt() as interrupted,
    ):
        began = time.monotonic()

        def tick(lived: int, _blocks: int) -> bool:
            progress.update("life", lived, 0)
            return not interrupted.is_set() and (budget_s is None or time.monotonic() - began < budget_s)

        document = live(
            server,
            subject,
            load_machine(),
            lives=wanted,
            steps=steps,
            seed=seed,
            isolation=isolation,
            schedule_files=schedule_files,
            tick=tick,
            interrupted=interrupted.is_set,
        )
    return saving.ended(document)
