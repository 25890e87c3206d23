"""``harness compare``: two versions of a subject, and whether one of them is slower."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from harness.compare.baseline import append_baseline
from harness.compare.run import FUNCTIONS, PROFILES, Options, compare
from harness.compare.saved import saved_run, unpaired_document
from harness.compare.version import find_version
from harness.doors.asking import opened
from harness.doors.saving import Saving
from harness.doors.saying import say
from harness.report.progress import Progress
from harness.resources import bundled
from harness.verify.prepared import telling_of_a_lost_server
from harness.words.errors import UsageError


def compare_versions(
    *,
    base: str,
    candidate: str,
    profile: str,
    operations: Sequence[str] | None,
    budget_s: float,
    seed: int,
    strict: bool,
    fail_fast: bool,
    leads: int,
    database: str,
    baseline: Path | None,
    reports: Path,
    json_file: Path | None,
) -> int:
    """Measure, report, save; returns the exit code."""
    saving = Saving("compare", f"{base}-{candidate}", reports=reports, json_file=json_file)
    began = monotonic()
    saved = {side: text for side, text in (("base", base), ("candidate", candidate)) if saved_run(text) is not None}
    documents = [each for each in map(saved_run, saved.values()) if each is not None]
    if profile not in PROFILES:
        raise UsageError("no-profile", f"there is no profile {profile!r}", expected=" or ".join(PROFILES))
    if documents and profile != FUNCTIONS:
        raise UsageError(
            "bad-saved-run",
            f"a saved run can be compared with by the profile {FUNCTIONS} alone",
            remedy="name two subjects, or revisions of one",
        )
    if documents:
        # The other one finds the same rows.
        seed, leads = documents[0]["seed"], documents[0]["leads"]
    with TemporaryDirectory(prefix="harness-compare-") as scratch:

        def measured(base: str, candidate: str) -> dict[str, Any]:
            options = Options(
                base=find_version(base, bundled("sql"), Path(scratch)),
                candidate=find_version(candidate, bundled("sql"), Path(scratch)),
                budget_s=budget_s,
                seed=seed,
                strict=strict,
                fail_fast=fail_fast,
                operations=tuple(operations or ()),
                leads=leads,
                profile=profile,
            )
            progress = Progress(sys.stderr, ["compare"], budget_s, None, words=("round", "rounds"))
            with opened(database) as server, telling_of_a_lost_server(), progress as shown:
                return compare(server, options, shown.update)

        if saved:
            of = {
                side: saved_run(text) or measured(text, text)
                for side, text in (("base", base), ("candidate", candidate))
            }
            document = unpaired_document(
                of["base"], of["candidate"], saved=saved, strict=strict, seconds=monotonic() - began
            )
        else:
            document = measured(base, candidate)
    code = saving.ended(document)
    if baseline is not None:
        for path in append_baseline(document, saving.began, baseline):
            say(f"added to {path}")
    return code
