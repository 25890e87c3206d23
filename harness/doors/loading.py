"""``harness load``: a service under load, and the judgement on everything that was done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

from harness.db.provision import chosen_source
from harness.doors.asking import opened, require_writable, subject_of
from harness.doors.ending import LOOK_EVERY_S, ending
from harness.doors.saving import Saving
from harness.doors.saying import say
from harness.load.generator import Generator, require_locust
from harness.load.nemesis import Strikes
from harness.load.plan import Plan, find_scenario, scenario_files
from harness.load.service import require_api
from harness.report.progress import Progress
from harness.resources import bundled
from harness.verify.prepared import telling_of_a_lost_server
from harness.words.dsn import is_dsn
from harness.words.errors import ExitCode, UsageError

BEFORE = "before"
"""The seed's way back: the functions stay, and the API does not use them."""


def list_loads() -> int:
    """The scenarios that there are; returns the exit code."""
    folder = bundled("locustfiles")
    known = [find_scenario(path.stem, folder) for path in scenario_files(folder)]
    widest = max(len(each.name) for each in known)
    say("\n".join(f"{each.name:{widest}}  {each.about}" for each in known))
    return ExitCode.HOLDS


def load(
    *,
    scenario_name: str,
    subject_name: str,
    users: int | None,
    duration_s: float,
    rate: float,
    arrivals: str,
    processes: int,
    workers: int,
    master_port: int,
    kills_per_second: float,
    crashes: int,
    seed: int,
    host: str | None,
    prepared: Path | None,
    database: str,
    json_file: Path | None,
    junit_file: Path | None,
    reports: Path,
    samples: Path | None,
) -> int:
    """Load, judge, report, save; returns the exit code."""
    require_locust()
    require_api()
    # Here, for the command line must start without the packages that it needs.
    from harness.load.run import SETTINGS, prepare_load, run_load

    if crashes and is_dsn(chosen_source(database)):
        raise UsageError(
            "not-our-server",
            "--crash was asked for on a server that the harness did not start",
            expected="a server of ours to crash",
            remedy="leave out --dsn and HARNESS_DSN, or --crash",
        )
    scenario = find_scenario(scenario_name, bundled("locustfiles"))
    before = subject_name == BEFORE
    plan = Plan(
        scenario=scenario,
        subject=replace(subject_of("reference"), name=BEFORE) if before else subject_of(subject_name),
        before=before,
        users=users or scenario.users,
        seconds=duration_s,
        rate=rate,
        pattern=arrivals,
        processes=processes,
        workers=workers,
        port=master_port,
        strikes=Strikes(kills_per_second, crashes),
        host=host.rstrip("/") if host else None,
        seed=seed,
    )
    require_writable(*(folder / "any" for folder in (prepared, samples) if folder))
    saving = Saving("load", scenario.name, reports=reports, json_file=json_file, junit_file=junit_file)
    with (
        _folder(prepared or samples) as folder,
        opened(database, SETTINGS) as server,
        telling_of_a_lost_server(),
    ):
        if prepared is not None:
            document = prepare_load(server, plan, folder, _wait_for_ctrl_c, _tell)
        else:
            with progress(duration_s) as tick:
                document = run_load(server, plan, folder, tick, _tell)
    return saving.ended(document)


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    """A new directory that is gone afterwards, or the one that is wanted, which stays."""
    if wanted is None:
        with TemporaryDirectory(prefix="harness-load-") as name:
            yield Path(name)
        return
    if wanted.exists() and any(wanted.iterdir()):
        raise UsageError(
            "folder-not-empty", f"{wanted} is not empty", expected="a new directory: samples of two runs do not mix"
        )
    wanted.mkdir(parents=True, exist_ok=True)
    yield wanted.absolute()


@contextmanager
def progress(seconds: float) -> Iterator[Callable[[int], None]]:
    """For who watches. It begins with the first request: before it there is something to be read."""
    with ExitStack() as entered:
        shown: list[Progress] = []

        def tick(requests: int) -> None:
            if not requests:
                return
            if not shown:
                words = ("request", "requests")
                shown.append(entered.enter_context(Progress(sys.stderr, ["load"], seconds, None, words=words)))
            shown[0].update("load", requests, 0)

        yield tick


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _wait_for_ctrl_c(generator: Generator) -> None:
    variables = " ".join(f"{name}={value}" for name, value in generator.environment().items())
    with ending() as ended:
        _tell(f"ready; now, as often as you like:\n    {variables} \\\n    {' '.join(generator.command())}")
        _tell("Ctrl-C when you are done: then all that was sampled is judged")
        # Not its wait(): a signal in the middle of that would wait for itself.
        while not ended.is_set():
            sleep(LOOK_EVERY_S)
    _tell("judging")
