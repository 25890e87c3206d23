"""``harness export``: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from harness import doors
from harness.options import Database, Dsn, ScenarioFiles, place


def export(
    file: Annotated[Path, Parameter(show_env_var=False)],
    /,
    *,
    form: Annotated[
        Literal["spec", "psql", "pytest"],
        Parameter(name="--as", help="a specification for isolationtester, scripts for psql, or a test for pytest"),
    ],
    out: Path = Path("reports/exports"),
    subject: Annotated[str | None, Parameter(help="the subject's folder, when it is not one of ours")] = None,
    scenario_files: ScenarioFiles = None,
    database: Database = "auto",
    dsn: Dsn = None,
) -> int:
    """Write the run of the schedule in FILE for people who do not have the harness, having run it once more.

    Parameters
    ----------
    out:
        directory for what is written
    """
    return doors.export(
        file,
        form=form,
        out=out,
        subject_name=subject,
        scenario_files=scenario_files,
        database=place(dsn, database),
    )
