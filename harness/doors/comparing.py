"""``harness compare``: two versions of a subject, and whether one of them is slower."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from harness.db.any_server import AnyServer
from harness.db.provision import chosen_source, provision
from harness.doors.asking import opened
from harness.doors.saving import Saving
from harness.doors.saying import say
from harness.load.generator import require_locust
from harness.load.plan import Scenario, find_scenario
from harness.load.service import require_api
from harness.report.progress import Progress
from harness.resources import bundled
from harness.verify.prepared import require_superuser, telling_of_a_lost_server
from harness.words.dsn import is_dsn
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
    names = [Path(each).stem if saved_run(each) is not None else each for each in (base, candidate)]
    saving = Saving("compare", "-".join(names), reports=reports, json_file=json_file)
    began = monotonic()
    saved = {side: text for side, text in (("base", base), ("candidate", candidate)) if saved_run(text) is not None}
    documents = [each for each in map(saved_run, saved.values()) if each is not None]
    scenario = None
    if profile.startswith(LOAD):
        require_locust()
        require_api()
        scenario = find_scenario(profile.removeprefix(LOAD), bundled("locustfiles"))
    elif profile not in PROFILES:
        expected = f"{', '.join(PROFILES)}, or {LOAD}SCENARIO"
        raise UsageError("no-profile", f"there is no profile {profile!r}", expected=expected)
    if scenario is not None and operations:
        raise UsageError(
            "no-call", f"{profile} has no operations to choose from", expected="no --operation with a load run"
        )
    budget_s = budget_s or (BUDGET_S if scenario is None else LOAD_BUDGET_S)
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
            with _server(database, scenario) as server, telling_of_a_lost_server(), progress as shown:
                if scenario is not None:
                    return compare_load(server, options, scenario, shown.update)
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


@contextmanager
def _server(database: str, scenario: Scenario | None) -> Iterator[AnyServer]:
    """For load runs one with the settings of a server under load."""
    if scenario is None:
        with opened(database) as server:
            yield server
        return
    # Here, for the command line must start without the packages that it needs.
    from harness.load.run import SETTINGS

    with provision(database, settings={} if is_dsn(chosen_source(database)) else SETTINGS) as server:
        require_superuser(server)
        yield server
