"""``harness gate``: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness import doors
from harness.options import (
    REPORTS,
    Database,
    Dsn,
    Isolation,
    Positive,
    Reports,
    ScenarioFiles,
    ShardText,
    SubjectName,
    Whole,
    cores,
    part,
    place,
    seconds,
)

PartName = Literal["tests", "verify", "faults", "load", "compare"]


def gate(
    *,
    subject: SubjectName = "reference",
    budget: str | None = None,
    shard: ShardText = None,
    base: str | None = None,
    without: list[PartName] | None = None,
    tests: str | None = None,
    seed: Whole = 0,
    scenario_files: ScenarioFiles = None,
    isolation: Isolation = "read committed",
    database: Database = "auto",
    dsn: Dsn = None,
    workers: Positive | None = None,
    annotate: bool = False,
    json: Path | None = None,
    junit: Path | None = None,
    reports: Reports = REPORTS,
    schedules: Path | None = None,
) -> int:
    """Everything that a change has to pass: tests, verify, faults, a short load, and a comparison with what was before.

    Parameters
    ----------
    budget:
        how long in all: 90s (the default), 10m, 1h
    base:
        the branch or commit that the change goes to, here or at origin; left out, the main branch
    without:
        leave this part out (may be given several times)
    tests:
        the command of the project's own tests
    seed:
        of everything that is drawn
    isolation:
        level of the transactions of scenarios that do not ask for one
    workers:
        processes, one per core; as many as there are cores
    annotate:
        print annotations as GitHub Actions reads them, elsewhere as well
    json:
        write the run document here
    junit:
        write a JUnit report here
    schedules:
        directory for the schedule files of counterexamples: schedules in that of --reports, if left out
    """
    # Here, for these doors are the heaviest.
    from harness.doors.asking import subject_of
    from harness.doors.gate_parts import Asked

    return doors.gate(
        Asked(
            subject=subject_of(subject),
            without=without or [],
            tests=tests,
            base=base,
            shard=part(shard),
            seed=seed,
            scenario_files=scenario_files,
            isolation=isolation,
            database=place(dsn, database),
            workers=workers or cores(),
            schedule_files=schedules or reports / "schedules",
        ),
        budget_s=seconds(budget or "90s"),
        annotate=annotate,
        reports=reports,
        json_file=json,
        junit_file=junit,
    )
