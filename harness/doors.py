"""What each command does, between the options of the command line and what is printed."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from harness.db.any_server import AnyServer
from harness.db.detached import psql_detached, start_detached, state_directory, status_detached, stop_detached
from harness.db.provision import provision
from harness.engine.execution import Chooser
from harness.faults.case import Case, load_cases, scenario_named
from harness.faults.document import including
from harness.faults.sweep import Sweep, chosen_cases, chosen_faults, playable_names, run_sweep
from harness.marketplace.planted import find_subject
from harness.marketplace.scenario import Scenario, load_scenarios
from harness.marketplace.subject import Subject
from harness.report.faults import render_faults
from harness.report.junit import junit
from harness.report.lanes import lanes
from harness.report.model import render_model
from harness.report.progress import Progress
from harness.report.terminal import render
from harness.resources import bundled
from harness.unwinding import noting_interrupt
from harness.verify.alone import explore as explore_alone
from harness.verify.alone import replay as replay_alone
from harness.verify.alone import require_same, written_scenario
from harness.verify.coverage import sql_coverage
from harness.verify.document import subject_entry, verify_document, write_document, write_text
from harness.verify.orders import Limits
from harness.verify.prepared import require_superuser
from harness.verify.run import Options, playable
from harness.verify.run import verify as run_verification
from harness.words.errors import CouldNotRun, ExitCode, UsageError
from harness.words.recording import Recording

LIVES_MAX = 10**9
"""More than any budget has time for."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it (128 + SIGINT)."""


def verify(
    *,
    subject_name: str,
    budget_s: float | None,
    max_schedules: int | None,
    seed: int,
    strict: bool,
    with_faults: bool,
    scenario_names: Sequence[str] | None,
    scenario_files: Path | None,
    isolation: str,
    database: str,
    workers: int,
    json_file: Path | None,
    junit_file: Path | None,
    schedule_files: Path,
) -> int:
    subject = _subject(subject_name)
    scenarios = _scenarios(scenario_names, scenario_files)
    for file in (json_file, junit_file, schedule_files / "any"):
        if file is not None:
            _require_writable(file)
    options = Options(
        subject=subject,
        scenarios=scenarios,
        limits=Limits(budget_s, max_schedules),
        schedule_files=schedule_files,
        seed=seed,
        strict=strict,
        isolation=isolation,
        workers=workers,
        all_scenarios=not scenario_names,
    )
    able, _ = playable(subject, scenarios)
    sweep = Sweep(
        subject,
        chosen_cases(_cases(), None),
        chosen_faults(None, None),
        schedule_files,
        seed=seed,
        isolation=isolation,
        workers=workers,
    )
    with (
        _opened(database) as server,
        Progress(sys.stderr, [each.name for each in able], budget_s, max_schedules) as progress,
    ):
        document = run_verification(server, options, progress.update, progress.interrupted)
        if with_faults and not document["interrupted"]:
            document = including(document, run_sweep(server, sweep, lambda *_: None, progress.interrupted))
    _say(render(document, width=_width(), colour=_colour()))
    code = _exit_code(document)
    try:
        if json_file is not None:
            write_document(document, json_file)
        if junit_file is not None:
            write_text(junit_file, junit(document))
    except CouldNotRun as error:
        if code == ExitCode.VIOLATED:
            error.exit_code = ExitCode.VIOLATED  # the graver news
        raise
    return code


def explore(
    *,
    scenario_name: str,
    scenario_files: Path | None,
    strategy: str,
    most: int | None,
    preemptions: int | None,
    subject_name: str,
    seed: int,
    isolation: str,
    database: str,
    schedule_files: Path,
) -> int:
    subject = _subject(subject_name)
    (scenario,) = _scenarios([scenario_name], scenario_files)
    playable(subject, [scenario])
    _require_writable(schedule_files / "any")
    began = time.monotonic()
    with _opened(database) as server:
        with Progress(sys.stderr, [scenario.name], None, most) as progress:
            explored, plan, interrupted = explore_alone(
                server,
                subject,
                scenario,
                strategy,
                most=most,
                preemptions=preemptions,
                seed=seed,
                isolation=isolation,
                tick=progress.update,
            )
        document = verify_document(
            subject=subject_entry(subject, len(plan.points)),
            server={"version": server.version, "local": server.local, "workers": 1, "pinned": server.local},
            seed=seed,
            limits={"seconds": None, "schedules": most},
            strict=False,
            interrupted=interrupted,
            seconds=time.monotonic() - began,
            reports=explored.scenarios,
            coverage=sql_coverage(plan, explored.reached, subject.migrations),
            skipped={},
            scenarios=[scenario],
            extra_properties=[],
            schedule_files=schedule_files,
        )
    _say(render(document, width=_width(), colour=_colour()))
    return _exit_code(document)


def faults(
    *,
    subject_name: str,
    operations: Sequence[str] | None,
    kinds: Sequence[str] | None,
    sqlstates: Sequence[str] | None,
    pairs: int,
    beside: int,
    seed: int,
    isolation: str,
    database: str,
    workers: int,
    json_file: Path | None,
    schedule_files: Path,
) -> int:
    for file in (json_file, schedule_files / "any"):
        if file is not None:
            _require_writable(file)
    sweep = Sweep(
        subject=_subject(subject_name),
        cases=chosen_cases(_cases(), operations),
        faults=chosen_faults(kinds, sqlstates),
        schedule_files=schedule_files,
        pairs=pairs,
        beside=beside,
        seed=seed,
        isolation=isolation,
        workers=workers,
    )
    with _opened(database) as server, Progress(sys.stderr, playable_names(sweep), None, None) as progress:
        document = run_sweep(server, sweep, progress.update, progress.interrupted)
    _say(render_faults(document, width=_width(), colour=_colour()))
    if json_file is not None:
        write_document(document, json_file)
    return _exit_code(document)


def _cases() -> dict[str, Case]:
    return load_cases(bundled("scenarios") / "faults")


def model(
    *,
    subject_name: str,
    budget_s: float | None,
    lives: int,
    steps: int,
    seed: int,
    isolation: str,
    database: str,
    json_file: Path | None,
    schedule_files: Path,
) -> int:
    # Hypothesis takes its time to be imported, and no other command needs it.
    from harness.stateful.alone import live
    from harness.stateful.load import load_machine, load_recordings

    subject = _subject(subject_name)
    for file in (json_file, schedule_files / "any"):
        if file is not None:
            _require_writable(file)
    with (
        _opened(database) as server,
        Progress(sys.stderr, ["life"], budget_s, None if budget_s else lives, words=("life", "lives")) as progress,
        noting_interrupt() as interrupted,
    ):
        began = time.monotonic()

        def tick(lived: int, _blocks: int) -> bool:
            progress.update("life", lived, 0)
            return not interrupted.is_set() and (budget_s is None or time.monotonic() - began < budget_s)

        document = live(
            server,
            subject,
            load_machine(),
            lives=LIVES_MAX if budget_s else lives,
            steps=steps,
            seed=seed,
            isolation=isolation,
            schedule_files=schedule_files,
            recordings=load_recordings(),
            tick=tick,
        )
    document["interrupted"] = interrupted.is_set()
    _say(render_model(document, width=_width(), colour=_colour()))
    if json_file is not None:
        write_document(document, json_file)
    return _exit_code(document)


def replay(file: Path, *, step: bool, subject_name: str | None, scenario_files: Path | None, database: str) -> int:
    recording = Recording.load(file)
    subject = _subject(subject_name or recording.subject)
    scenario = written_scenario(recording) or scenario_named(recording.scenario, _cases())
    if scenario is None:
        (scenario,) = _scenarios([recording.scenario], scenario_files)
    require_same(recording, subject, scenario)
    with _opened(database) as server:
        watch = partial(_Stepping, sessions=list(scenario.sessions)) if step else lambda each: each
        replayed = replay_alone(server, subject, scenario, recording, watch)
    if replayed.story:
        _say(lanes(replayed.story, width=_width(), full=True))
    if not replayed.faithful:
        _say(f"NONDETERMINISTIC: the run was not the recorded one: {replayed.difference}")
        return ExitCode.COULD_NOT_RUN
    _say(f"{recording.property} is {'violated' if replayed.violated else 'kept'}: {recording.why}")
    _say(f"The same {len(recording.decisions)} steps, waits, answers and end as recorded.")
    return ExitCode.VIOLATED if replayed.violated else ExitCode.HOLDS


def list_scenarios(subject_name: str, scenario_files: Path | None) -> int:
    subject = _subject(subject_name)
    for scenario in _scenarios(None, scenario_files):
        lacking = subject.lacks(scenario.start, scenario.operations)
        _say(f"{scenario.name}" + (f"  (not on {subject.name}: no {', no '.join(lacking)})" if lacking else ""))
        _say(f"    {scenario.theory}")
        for name, program in scenario.sessions.items():
            steps = program if isinstance(program, Sequence) else [program]
            _say(f"    {name}: {'; '.join(map(str, steps))}")
        _say(f"    holds: {', '.join(scenario.properties)}")
    return ExitCode.HOLDS


def start_database(choice: str, port: int | None) -> int:
    server = start_detached(state_directory(Path.cwd()), choice, port=port)
    _say(f"PostgreSQL {server.version} ({server.source}) runs.")
    _say(f"  --dsn '{server.dsn}'")
    _say("  harness db psql | harness db stop")
    return ExitCode.HOLDS


def stop_database() -> int:
    stopped = stop_detached(state_directory(Path.cwd()))
    _say("No server was running." if stopped is None else f"PostgreSQL {stopped.version} is stopped and removed.")
    return ExitCode.HOLDS


def database_status() -> int:
    running = status_detached(state_directory(Path.cwd()))
    if running is None:
        _say("No server runs; harness db start")
        return ExitCode.COULD_NOT_RUN
    _say(f"PostgreSQL {running.version} ({running.source}) runs since {running.started_at}, pid {running.postmaster}.")
    _say(f"  --dsn '{running.dsn}'")
    return ExitCode.HOLDS


def psql(arguments: Sequence[str]) -> NoReturn:
    """Become psql, to which Ctrl-C means something else."""
    command = psql_detached(state_directory(Path.cwd()), arguments)
    os.execv(command[0], command)


@contextmanager
def _opened(choice: str) -> Iterator[AnyServer]:
    with provision(choice) as server:
        require_superuser(server)
        yield server


class _Stepping:
    """Asks for Enter before each step of a replay."""

    def __init__(self, chooser: Chooser, sessions: Sequence[str]) -> None:
        self._chooser = chooser
        self._sessions = sessions

    def choose(self, position: int, enabled: tuple[int, ...], current: int | None) -> int:
        chosen = self._chooser.choose(position, enabled, current)
        others = ", ".join(self._sessions[each] for each in enabled if each != chosen) or "nobody else"
        try:
            input(f"step {position}: {self._sessions[chosen]} (could also go on: {others}) [Enter] ")
        except (EOFError, BrokenPipeError):
            _say("")  # nobody answers, or nobody reads: the replay goes on
        return chosen

    def stretch(self, position: int, enabled: tuple[int, ...], chosen: int) -> int:
        del position, enabled, chosen
        return 0


def _subject(name: str) -> Subject:
    return find_subject(name, bundled("sql"))


def _scenarios(names: Sequence[str] | None, directory: Path | None) -> list[Scenario]:
    known = load_scenarios(bundled("scenarios"))
    if directory is not None:
        own = load_scenarios(directory)
        if taken := sorted(known.keys() & own.keys()):
            raise UsageError(
                "duplicate-scenario",
                f"{directory} defines {', '.join(taken)}, and so do the bundled scenarios",
                expected="names of your own",
                remedy="rename them",
            )
        known |= own
    if names is None:
        return list(known.values())
    for name in names:
        if name not in known:
            raise UsageError(
                "unknown-scenario",
                f"there is no scenario {name!r}",
                expected=" or ".join(get_close_matches(name, known, 3)) or "the name of a scenario",
                remedy="harness scenarios lists them all",
            )
    return [known[name] for name in dict.fromkeys(names)]


def _require_writable(file: Path) -> None:
    """Found out before the work, not after it."""
    directory = next(parent for parent in file.absolute().parents if parent.exists())
    if file.is_dir():
        raise UsageError("not-a-file", f"{file.absolute()} is a directory", expected="the name of a file to write")
    if not directory.is_dir() or not os.access(directory, os.W_OK | os.X_OK):
        raise CouldNotRun("read-only", f"cannot write {file}", remedy="name a file in a directory that can be written")


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 160)


def _colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _exit_code(document: Mapping[str, Any]) -> int:
    """An interrupted run can have found a violation or a hang; what it has not come to says nothing."""
    code = ExitCode(document["exit_code"])
    if document["interrupted"] and code not in (ExitCode.VIOLATED, ExitCode.COULD_NOT_RUN):
        return INTERRUPTED
    return code


def _say(text: str) -> None:
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError as error:
        # Python must not try to write the rest of it when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise CouldNotRun("no-output", f"cannot write the output: {error.strerror}") from error
