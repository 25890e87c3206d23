"""``harness smoke``: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from harness import doors
from harness.options import REPORTS, Database, Dsn, Positive, Reports, SubjectName, Whole, cores, place, seconds


def smoke(
    *files: Annotated[Path, Parameter(show_env_var=False)],
    subject: SubjectName = "reference",
    budget: str | None = None,
    seed: Whole = 0,
    database: Database = "auto",
    dsn: Dsn = None,
    workers: Positive | None = None,
    reports: Reports = REPORTS,
    schedules: Path | None = None,
) -> int:
    """Run a few schedules of a few scenarios on the subjects that FILES belong to: seconds, before a commit.

    Parameters
    ----------
    files:
        of the subjects that are to be tried; without any, --subject says which
    budget:
        how long to explore, 1.2s if left out, all subjects together; a server and what is found come on top
    seed:
        of the sampled schedules
    workers:
        processes, one per core; as many as there are cores
    schedules:
        directory for the schedule files of counterexamples: schedules in that of --reports, if left out
    """
    return doors.smoke(
        files,
        subject_name=subject,
        budget_s=seconds(budget or "1.2s"),
        seed=seed,
        database=place(dsn, database),
        workers=workers or cores(),
        schedule_files=schedules or reports / "schedules",
    )
