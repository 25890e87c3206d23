"""``harness faults``: every operation struck at every step."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from harness.doors.asking import cases, opened, require_writable, subject_of
from harness.doors.saying import colour, exit_code, say, width
from harness.faults.sweep import Sweep, chosen_cases, chosen_faults, playable_names, run_sweep
from harness.report.faults import render_faults
from harness.report.progress import Progress
from harness.verify.document import write_document


def faults(
    *,
    subject_name: str,
    operations: Sequence[str] | None,
    kinds: Sequence[str] | None,
    sqlstates: Sequence[str] | None,
    pairs: int,
    beside: int,
    seed: int,
    isolation: str,
    database: str,
    workers: int,
    json_file: Path | None,
    schedule_files: Path,
) -> int:
    """Strike, report, save; returns the exit code."""
    for file in (json_file, schedule_files / "any"):
        if file is not None:
            require_writable(file)
    sweep = Sweep(
        subject=subject_of(subject_name),
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
    say(render_faults(document, width=width(), colour=colour()))
    if json_file is not None:
        write_document(document, json_file)
    return exit_code(document)
