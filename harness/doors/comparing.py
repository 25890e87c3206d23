"""``harness compare``: two versions of a subject, and whether one of them is slower."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.compare.run import Options, compare
from harness.compare.version import find_version
from harness.doors.asking import opened
from harness.doors.saving import Saving
from harness.report.progress import Progress
from harness.resources import bundled
from harness.verify.prepared import telling_of_a_lost_server


def compare_versions(
    *,
    base: str,
    candidate: str,
    operations: Sequence[str] | None,
    budget_s: float,
    seed: int,
    strict: bool,
    leads: int,
    database: str,
    reports: Path,
    json_file: Path | None,
) -> int:
    """Measure, report, save; returns the exit code."""
    saving = Saving("compare", f"{base}-{candidate}", reports=reports, json_file=json_file)
    with TemporaryDirectory(prefix="harness-compare-") as scratch:
        options = Options(
            base=find_version(base, bundled("sql"), Path(scratch)),
            candidate=find_version(candidate, bundled("sql"), Path(scratch)),
            budget_s=budget_s,
            seed=seed,
            strict=strict,
            operations=tuple(operations or ()),
            leads=leads,
        )
        progress = Progress(sys.stderr, ["compare"], budget_s, None, words=("round", "rounds"))
        with opened(database) as server, telling_of_a_lost_server(), progress as shown:
            document = compare(server, options, shown.update)
    return saving.ended(document)
