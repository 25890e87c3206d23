"""The command line. It reads like the README: verify, explore, replay, scenarios, db."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from harness import __version__, doors
from harness.commands.compare import compare
from harness.commands.export import export
from harness.commands.gate import gate
from harness.commands.load import load
from harness.commands.monitor import monitor
from harness.commands.report import report
from harness.commands.serve import serve
from harness.commands.smoke import smoke
from harness.configuration import configure
from harness.options import (
    REPORTS,
    Database,
    Dsn,
    Isolation,
    Natural,
    Positive,
    Reports,
    ScenarioFiles,
    ShardText,
    Strategy,
    SubjectName,
    Through,
    Whole,
    cores,
    part,
    place,
    seconds,
)
from harness.unwinding import unwinding
from harness.words.errors import ExitCode, HarnessError, UsageError

app = App(
    name="harness",
    help="Finds double sales and double charges in PostgreSQL functions by running them in every order, step by step.",
    version=__version__,
    default_parameter=Parameter(negative_iterable=()),
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
configure(app)
database_app = App(name="db", help="A PostgreSQL server to look around in: start, stop, status, psql.")
app.command(database_app)
app.command(compare)
app.command(gate)
app.command(export)
app.command(load)
app.command(monitor)
app.command(report)
app.command(serve)
app.command(smoke)


@app.command
def verify(
    *,
    subject: SubjectName = "reference",
    budget: str | None = None,
    max_schedules: Positive | None = None,
    seed: Whole = 0,
    strict: bool = False,
    faults: bool = False,
    shard: ShardText = None,
    scenario: list[str] | None = None,
    scenario_files: ScenarioFiles = None,
    isolation: Isolation = "read committed",
    through: Through = "calls",
    database: Database = "auto",
    dsn: Dsn = None,
    workers: Positive | None = None,
    json: Path | None = None,
    junit: Path | None = None,
    reports: Reports = REPORTS,
    schedules: Path | None = None,
) -> int:
    """Run every scenario on a subject under every schedule that the budget allows, and judge every property.

    Parameters
    ----------
    budget:
        how long to explore: 60s (the default), 5m, 1h
    max_schedules:
        how many schedules to run instead, shared evenly by the scenarios; the same seed then gives the same report
    seed:
        of the sampled schedules
    strict:
        exit 6 when a scenario is inconclusive
    faults:
        sweep every operation with faults as well (see harness faults)
    scenario:
        only this scenario (may be given several times)
    isolation:
        level of the transactions of scenarios that do not ask for one
    workers:
        processes, one per core; as many as there are cores
    json:
        write the run document here
    junit:
        write a JUnit report here
    schedules:
        directory for the schedule files of counterexamples: schedules in that of --reports, if left out
    """
    if budget is not None and max_schedules is not None:
        raise UsageError("two-limits", "--budget and --max-schedules exclude each other", remedy="give one of them")
    return doors.verify(
        subject_name=subject,
        budget_s=None if max_schedules is not None else seconds(budget or "60s"),
        max_schedules=max_schedules,
        seed=seed,
        strict=strict,
        with_faults=faults,
        shard=part(shard),
        scenario_names=scenario,
        scenario_files=scenario_files,
        isolation=isolation,
        through=through,
        database=place(dsn, database),
        workers=workers or cores(),
        json_file=json,
        junit_file=junit,
        reports=reports,
        schedule_files=schedules or reports / "schedules",
    )


@app.command
def explore(
    scenario: Annotated[str, Parameter(show_env_var=False)],
    /,
    *,
    strategy: Strategy = "exhaustive",
    max: Positive | None = None,
    preemptions: Natural | None = None,
    subject: SubjectName = "reference",
    scenario_files: ScenarioFiles = None,
    seed: Whole = 0,
    isolation: Isolation = "read committed",
    through: Through = "calls",
    database: Database = "auto",
    dsn: Dsn = None,
    reports: Reports = REPORTS,
    schedules: Path | None = None,
) -> int:
    """Run one scenario under one strategy and show what comes of it.

    Parameters
    ----------
    strategy:
        exhaustive (every schedule, fewest preemptions first), random, urw, pct, or verify's mixture of them
    max:
        how many schedules at most; without it exhaustive ends when all are done, the others on Ctrl-C
    preemptions:
        exhaustive: only schedules with at most so many preemptions
    seed:
        of the sampled schedules
    isolation:
        level of the transactions of a scenario that does not ask for one
    schedules:
        directory for the schedule files of counterexamples: schedules in that of --reports, if left out
    """
    if preemptions is not None and strategy != "exhaustive":
        raise UsageError(
            "no-bound", f"--preemptions says nothing to {strategy}", expected="--strategy exhaustive with --preemptions"
        )
    return doors.explore(
        scenario_name=scenario,
        scenario_files=scenario_files,
        strategy=strategy,
        most=max,
        preemptions=preemptions,
        subject_name=subject,
        seed=seed,
        isolation=isolation,
        through=through,
        database=place(dsn, database),
        reports=reports,
        schedule_files=schedules or reports / "schedules",
    )


@app.command
def faults(
    *,
    subject: SubjectName = "reference",
    operation: list[str] | None = None,
    fault: list[str] | None = None,
    sqlstate: list[str] | None = None,
    pairs: Natural = 500,
    beside: Natural = 500,
    crashes: Natural | None = None,
    seed: Whole = 0,
    isolation: Isolation = "read committed",
    database: Database = "auto",
    dsn: Dsn = None,
    workers: Positive | None = None,
    json: Path | None = None,
    reports: Reports = REPORTS,
    schedules: Path | None = None,
) -> int:
    """Strike every operation of a subject at every step, lock timeouts at sampled ones, and judge every property.

    Parameters
    ----------
    operation:
        only this operation (may be given several times)
    fault:
        only this fault (may be given several times): cancel, terminate, cut-before-send, cut-after-send, error or
        lock-timeout
    sqlstate:
        raise this error (may be given several times); XX000, 40001 and 23505 if left out
    pairs:
        how many schedules with two faults to draw
    beside:
        how many schedules with a fault beside another client to draw
    crashes:
        how often to crash a server under load afterwards: 5 times if left out, and never one that --dsn names
    seed:
        of what is drawn
    isolation:
        level of the transactions
    workers:
        processes, one per core; as many as there are cores
    json:
        write the run document here
    schedules:
        directory for the schedule files of counterexamples: schedules in that of --reports, if left out
    """
    return doors.faults(
        subject_name=subject,
        operations=operation,
        kinds=fault,
        sqlstates=sqlstate,
        pairs=pairs,
        beside=beside,
        crashes=crashes,
        seed=seed,
        isolation=isolation,
        database=place(dsn, database),
        workers=workers or cores(),
        json_file=json,
        reports=reports,
        schedule_files=schedules or reports / "schedules",
    )


@app.command
def model(
    *,
    subject: SubjectName = "reference",
    budget: str | None = None,
    lives: Positive | None = None,
    steps: Positive = 40,
    seed: Whole = 0,
    isolation: Isolation = "read committed",
    database: Database = "auto",
    dsn: Dsn = None,
    json: Path | None = None,
    reports: Reports = REPORTS,
    schedules: Path | None = None,
) -> int:
    """Let Hypothesis make up whole lives of the marketplace on a subject, and judge every property after every step.

    Parameters
    ----------
    budget:
        how long, instead of how many lives: 60s, 5m, 1h
    lives:
        how many, 100 if left out
    steps:
        of each life at most
    seed:
        of what is made up: the same seed gives the same lives
    isolation:
        level of all transactions
    json:
        write the run document here
    schedules:
        directory for the schedule file of a counterexample: schedules in that of --reports, if left out
    """
    return doors.model(
        subject_name=subject,
        budget_s=None if budget is None else seconds(budget),
        lives=lives,
        steps=steps,
        seed=seed,
        isolation=isolation,
        database=place(dsn, database),
        json_file=json,
        reports=reports,
        schedule_files=schedules or reports / "schedules",
    )


@app.command
def replay(
    file: Annotated[Path, Parameter(show_env_var=False)],
    /,
    *,
    step: bool = False,
    subject: Annotated[str | None, Parameter(help="the subject's folder, when it is not one of ours")] = None,
    scenario_files: ScenarioFiles = None,
    database: Database = "auto",
    dsn: Dsn = None,
) -> int:
    """Run the schedule in FILE again and show it, step by step.

    Parameters
    ----------
    step:
        wait for Enter before each step
    """
    return doors.replay(
        file, step=step, subject_name=subject, scenario_files=scenario_files, database=place(dsn, database)
    )


@app.command
def scenarios(*, subject: SubjectName = "reference", scenario_files: ScenarioFiles = None) -> int:
    """List the scenarios, what each is about, and which of them the subject can play."""
    return doors.list_scenarios(subject, scenario_files)


@database_app.command
def start(*, database: Database = "auto", port: Positive | None = None) -> int:
    """Start a server that stays until it is stopped, and print its DSN.

    Parameters
    ----------
    port:
        also listen on this port of 127.0.0.1
    """
    return doors.start_database(database, port)


@database_app.command
def stop() -> int:
    """Stop that server and remove all that it left on disk."""
    return doors.stop_database()


@database_app.command
def status() -> int:
    """Say whether that server runs, and where."""
    return doors.database_status()


@database_app.command
def psql(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True, show_env_var=False)]) -> int:
    """Open psql on that server; further arguments are psql's."""
    return doors.psql(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the ``harness`` command; returns the exit code."""
    try:
        with unwinding(signal.SIGTERM, signal.SIGHUP):
            doors.called(sys.argv[1:] if arguments is None else arguments)
            return int(app(arguments, exit_on_error=False, print_error=False) or 0)
    except CycloptsError as error:
        # What follows is some of the commands, cut off in the middle.
        said = str(error).partition(" Available commands:")[0]
        return _fail(f"{said.rstrip('.')}; see harness --help", ExitCode.USAGE)
    except HarnessError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted", doors.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone. Python must not try to write the rest of it when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.COULD_NOT_RUN
    except Exception:
        # A defect of ours is no verdict: Python's own exit code would say that a property is violated.
        traceback.print_exc()
        return ExitCode.COULD_NOT_RUN


def _fail(message: str, code: int) -> int:
    said = " ".join(message.split())
    print(f"harness: {said}", file=sys.stderr)
    try:
        doors.tell_github_why(said)
    except HarnessError as error:
        print(f"harness: {error}", file=sys.stderr)
    return code
