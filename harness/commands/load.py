"""``harness load``: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from harness import doors
from harness.load.arrivals import Pattern
from harness.options import REPORTS, Database, Dsn, Natural, Positive, Reports, SubjectName, Whole, place, seconds
from harness.words.errors import UsageError

Rate = Annotated[float, Parameter(validator=Number(gt=0))]


def load(
    scenario: Annotated[str | None, Parameter(show_env_var=False)] = None,
    /,
    *,
    subject: SubjectName = "reference",
    users: Positive | None = None,
    duration: str = "30s",
    rate: Rate | None = None,
    arrivals: Pattern = "poisson",
    processes: Positive = 1,
    expect_workers: Positive | None = None,
    master_port: Positive = 5557,
    kill_backends: Rate | None = None,
    crash: Natural = 0,
    seed: Whole = 0,
    host: str | None = None,
    prepare: Path | None = None,
    database: Database = "auto",
    dsn: Dsn = None,
    json: Path | None = None,
    junit: Path | None = None,
    reports: Reports = REPORTS,
    samples: Path | None = None,
) -> int:
    """Put the purchase API, or its functions directly, under load by Locust, and check every operation that was done.

    Parameters
    ----------
    scenario:
        one of ours, or the path of a locustfile; without it they are listed
    users:
        how many clients at most; each scenario has a number of its own
    duration:
        how long: 30s, 10m, 1h
    rate:
        open model: so many arrivals a second, whatever the server does; without it clients ask again when answered
    arrivals:
        open model: how they come, poisson or constant
    processes:
        of Locust, on this machine
    expect_workers:
        wait for so many workers of Locust instead, from whatever machine
    master_port:
        where they find this one
    kill_backends:
        terminate so many backends a second while the load runs
    crash:
        crash the server so many times, and start it again
    seed:
        of what is drawn
    host:
        an API that you start yourself, on the database that is made for it
    prepare:
        make everything ready in this directory, for a Locust that you start yourself, and judge after Ctrl-C
    json:
        write the run document here
    junit:
        write a JUnit report here
    samples:
        keep the samples, the commit journal and what the processes said in this directory
    """
    if scenario is None:
        return doors.list_loads()
    if expect_workers is not None and processes > 1:
        raise UsageError("two-generators", "--processes and --expect-workers exclude each other", remedy="give one")
    if prepare is not None and (kill_backends or crash):
        raise UsageError(
            "strikes-alone", "--prepare strikes nothing", remedy="leave out --kill-backends and --crash, or --prepare"
        )
    return doors.load(
        scenario_name=scenario,
        subject_name=subject,
        users=users,
        duration_s=seconds(duration, "--duration"),
        rate=rate or 0.0,
        arrivals=arrivals,
        processes=processes,
        workers=expect_workers or 0,
        master_port=master_port,
        kills_per_second=kill_backends or 0.0,
        crashes=crash,
        seed=seed,
        host=host,
        prepared=prepare,
        database=place(dsn, database),
        json_file=json,
        junit_file=junit,
        reports=reports,
        samples=samples,
    )
