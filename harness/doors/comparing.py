"""``harness compare``: two versions of a subject, and whether one of them is slower."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from harness.compare.baseline import append_baseline
from harness.compare.load import BUDGET_S as LOAD_BUDGET_S
from harness.compare.load import compare_load
from harness.compare.run import FUNCTIONS, PROFILES, Options, compare
from harness.compare.saved import saved_run, unpaired_document
from harness.compare.version import find_version
from harness.doors.asking import opened
from harness.doors.saving import Saving
from harness.doors.saying import say
from harness.load.generator import require_locust
from harness.load.plan import find_scenario
from harness.load.service import require_api
from harness.report.progress import Progress
from harness.resources import bundled
from harness.verify.prepared import telling_of_a_lost_server
from harness.words.errors import UsageError

LOAD = "load:"
"""A profile that begins so names a scenario of ``harness load``."""
BUDGET_S = 30.0


def compare_versions(
    *,
    base: str,
    candidate: str,
    profile: str,
    operations: Sequence[str] | None,
    budget_s: float | None,
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
    texts = {"base": base, "candidate": candidate}
    old = {side: document for side, text in texts.items() if (document := saved_run(text)) is not None}
    names = [Path(text).stem if side in old else text for side, text in texts.items()]
    saving = Saving("compare", "-".join(names), reports=reports, json_file=json_file)
    began = monotonic()
    scenario, settings = None, None
    if profile.startswith(LOAD):
        require_locust()
        require_api()
        # Here, for the command line must start without the packages that it needs.
        from harness.load.run import SETTINGS

        settings, scenario = SETTINGS, find_scenario(profile.removeprefix(LOAD), bundled("locustfiles"))
    elif profile not in PROFILES:
        expected = f"{', '.join(PROFILES)}, or {LOAD}SCENARIO"
        raise UsageError("no-profile", f"there is no profile {profile!r}", expected=expected)
    if scenario is not None and operations:
        raise UsageError(
            "no-call", f"{profile} has no operations to choose from", expected="no --operation with a load run"
        )
    budget_s = budget_s or (BUDGET_S if scenario is None else LOAD_BUDGET_S)
    if old and profile != FUNCTIONS:
        raise UsageError(
            "bad-saved-run",
            f"a saved run can be compared with by the profile {FUNCTIONS} alone",
            remedy="name two subjects, or revisions of one",
        )
    if old:
        # The other one finds the same rows.
        first = next(iter(old.values()))
        seed, leads = first["seed"], first["leads"]
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
            with opened(database, settings) as server, telling_of_a_lost_server(), progress as shown:
                if scenario is not None:
                    return compare_load(server, options, scenario, shown.update)
                return compare(server, options, shown.update)

        if old:
            of = {side: old[side] if side in old else measured(text, text) for side, text in texts.items()}
            document = unpaired_document(
                of["base"],
                of["candidate"],
                saved={side: texts[side] for side in old},
                strict=strict,
                seconds=monotonic() - began,
            )
        else:
            document = measured(base, candidate)
    code = saving.ended(document)
    if baseline is not None:
        for path in append_baseline(document, saving.began, baseline):
            say(f"added to {path}")
    return code
