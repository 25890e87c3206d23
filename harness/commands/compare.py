"""``harness compare``: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from harness import doors
from harness.options import REPORTS, Database, Dsn, Positive, Reports, Whole, place, seconds


def compare(
    base: Annotated[str, Parameter(show_env_var=False)],
    candidate: Annotated[str, Parameter(show_env_var=False)],
    /,
    *,
    profile: str = "functions",
    operation: list[str] | None = None,
    budget: str | None = None,
    seed: Whole = 0,
    strict: bool = False,
    fail_fast: bool = False,
    leads: Positive = 50_000,
    database: Database = "auto",
    dsn: Dsn = None,
    baseline: Path | None = None,
    reports: Reports = REPORTS,
    json: Path | None = None,
) -> int:
    """Say whether CANDIDATE is slower than BASE: both on one server in the same minutes, in paired rounds.

    Parameters
    ----------
    base:
        a subject, a git revision of one (main:reference, HEAD~1:sql/crm), or the document of a saved comparison
    candidate:
        likewise
    profile:
        what is called: functions (by SQL), api (requests to the purchase API), or load:SCENARIO (whole load runs)
    operation:
        only this operation of [calls] (may be given several times)
    budget:
        how long at most: 2m (30s if left out, 10m for load runs)
    seed:
        of the ids, and of the order of the rounds
    strict:
        exit 6 when it cannot be told of some function
    fail_fast:
        end with the first operation that is slower
    leads:
        how many are in the tables, at least; the calls of all rounds need some 28,000
    baseline:
        add the candidate's figures to the history in this directory, reports/baseline say
    json:
        write a copy of the run document here
    """
    return doors.compare_versions(
        base=base,
        candidate=candidate,
        profile=profile,
        operations=operation,
        budget_s=seconds(budget) if budget else None,
        seed=seed,
        strict=strict,
        fail_fast=fail_fast,
        leads=leads,
        database=place(dsn, database),
        baseline=baseline,
        reports=reports,
        json_file=json,
    )
