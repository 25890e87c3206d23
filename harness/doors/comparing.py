"""``harness compare``: two versions of a subject, and whether one of them is slower."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.compare.run import Options, compare
from harness.compare.version import find_version
from harness.doors.asking import opened, require_writable
from harness.doors.saying import colour, exit_code, say, width
from harness.report.compare import render_compare
from harness.report.progress import Progress
from harness.resources import bundled
from harness.verify.document import write_document
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
    json_file: Path | None,
) -> int:
    """Measure, report, save; returns the exit code."""
    require_writable(json_file)
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
    say(render_compare(document, width=width(), colour=colour()))
    if json_file is not None:
        write_document(document, json_file)
    return exit_code(document)
