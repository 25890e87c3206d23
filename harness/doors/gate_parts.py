"""The parts of a gate, each run as its own command would run it, with what time it is given."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.compare.plan import plan_for
from harness.compare.run import Options as Comparison
from harness.compare.run import compare
from harness.compare.version import Version, find_version
from harness.db.provision import chosen_source, provision
from harness.doors.asking import cases, from_here, opened, scenarios_of
from harness.doors.loading import progress
from harness.faults.sweep import Sweep, chosen_cases, chosen_faults, playable_names, run_sweep
from harness.gate.part import COMPARE, FAULTS, LOAD, NAMES, TESTS, VERIFY
from harness.gate.project_tests import run_tests
from harness.gate.revision import changed, folder_at, merge_base
from harness.gate.touched import NOTHING, Touched, touched_by
from harness.load.generator import require_locust
from harness.load.plan import Plan, find_scenario
from harness.load.service import require_api
from harness.marketplace.covering import covering
from harness.marketplace.subject import Subject
from harness.report.progress import Progress
from harness.resources import bundled
from harness.verify.orders import Limits
from harness.verify.prepared import require_superuser, telling_of_a_lost_server
from harness.verify.run import Options, chosen, playable
from harness.verify.run import verify as run_verification
from harness.verify.shards import Shard
from harness.words.dsn import is_dsn
from harness.words.errors import CouldNotRun, UsageError

EXPLORING = 0.7
"""The part of its time in which something explores: the rest is for a server, and for what was found."""
EXPLAINING = 0.2
"""The part in which that is made small. When it is over the smallest so far is shown, and called no minimum."""
HURRIED_MAX = 30
"""Where a change concerns more scenarios, those in which every operation meets every other are hurried alone."""
REPLAYS = 3
"""How often a run that breaks something is made again, to see that it goes the same way."""
DRAWN = 60
"""Schedules with two faults, and as many with a fault beside another client."""
LOADED = "marketplace_mix"
LOAD_S_MIN, LOAD_S_MAX = 3.0, 20.0
LOAD_AROUND_S = 6.0
"""What a load takes besides: a market is filled and a service started, and in the end everything is judged."""
LOAD_USERS = 16
COMPARE_S_MIN = 10.0
"""With less, nothing can be told of functions."""
LEAST_S = {LOAD: LOAD_S_MIN + LOAD_AROUND_S, COMPARE: COMPARE_S_MIN}
"""What a part takes at least, seconds."""


class LeftOut(Exception):
    """There is nothing for a part to do; the text says why."""


@dataclass(frozen=True)
class Asked:
    """What is asked of a gate. ``tests`` is a command; ``base`` None is the branch that changes usually go to."""

    subject: Subject
    without: Sequence[str]
    tests: str | None
    base: str | None
    shard: Shard | None
    seed: int
    scenario_files: Path | None
    isolation: str
    database: str
    workers: int
    schedule_files: Path

    @property
    def parts(self) -> list[str]:
        """What shares the budget."""
        return [name for name in NAMES if name not in self.without and (name != TESTS or self.tests is not None)]

    @cached_property
    def base_seen(self) -> str:
        """The commit that the change began at. Raises ``CouldNotRun``."""
        return merge_base(self.base, self.folder)

    @cached_property
    def changed(self) -> list[dict[str, Any]]:
        """The files of the subject that the change has touched. Raises ``CouldNotRun``."""
        files = changed(self.base_seen, [self.folder, *self.subject.migrations], self.folder)
        return [{**each, "file": from_here(Path(each["file"]))} for each in files]

    @cached_property
    def touched(self) -> Touched:
        """What the change has touched of the subject; nothing where nobody knows the change."""
        try:
            return touched_by(self.changed, self.subject.calls, self.subject.migrations)
        except CouldNotRun:
            return NOTHING  # the comparison, if it was asked for, will say so

    @property
    def folder(self) -> Path:
        """The subject's."""
        return self.subject.file.path.parent.absolute()

    @property
    def files(self) -> dict[str, str]:
        """The name of each file of the subject's SQL to where it lies."""
        return {path.name: from_here(path.absolute()) for path in self.subject.migrations}


def run_part(asked: Asked, name: str, given_s: float) -> Mapping[str, Any]:
    """The document of one part. Raises ``LeftOut``, and ``CouldNotRun`` where it was to run and could not."""
    return _RUNS[name](asked, given_s)


def tell(text: str) -> None:
    """What goes on, for who watches."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _tests(asked: Asked, given_s: float) -> Mapping[str, Any]:
    assert asked.tests is not None
    return run_tests(asked.tests, given_s, tell)


def _verify(asked: Asked, given_s: float) -> Mapping[str, Any]:
    limits = _limits(given_s)
    scenarios = scenarios_of(None, asked.scenario_files)
    able = playable(asked.subject, scenarios)[0]
    concerned = [each for each in able if asked.touched.concerns(each)]
    first = {each.name for each in (concerned if len(concerned) <= HURRIED_MAX else covering(concerned))}
    options = Options(
        subject=asked.subject,
        scenarios=scenarios,
        limits=limits,
        schedule_files=asked.schedule_files,
        seed=asked.seed,
        isolation=asked.isolation,
        workers=asked.workers,
        replays=REPLAYS,
        shard=asked.shard,
        first=lambda scenario: scenario.name in first,
    )
    names = [scenario.name for scenario, _ in chosen(options, able)]
    with opened(asked.database) as server, Progress(sys.stderr, names, limits.seconds, None) as shown:
        return run_verification(server, options, shown.update, shown.interrupted)


def _limits(given_s: float) -> Limits:
    return Limits(seconds=given_s * EXPLORING, explaining_s=given_s * EXPLAINING)


def _faults(asked: Asked, given_s: float) -> Mapping[str, Any]:
    limits = _limits(given_s)
    sweep = Sweep(
        asked.subject,
        chosen_cases(cases(), None),
        chosen_faults(None, None),
        asked.schedule_files,
        pairs=DRAWN,
        beside=DRAWN,
        seed=asked.seed,
        isolation=asked.isolation,
        workers=asked.workers,
        replays=REPLAYS,
        limits=limits,
        shard=asked.shard,
        first=asked.touched.concerns,
    )
    with opened(asked.database) as server, Progress(sys.stderr, playable_names(sweep), limits.seconds, None) as shown:
        return run_sweep(server, sweep, shown.update, shown.interrupted)


def _load(asked: Asked, given_s: float) -> Mapping[str, Any]:
    require_locust()
    require_api()
    # Here, for the command line must start without the packages that it needs.
    from harness.load.run import SETTINGS, run_load

    seconds = round(min(LOAD_S_MAX, max(LOAD_S_MIN, given_s - LOAD_AROUND_S)))  # Locust takes whole ones
    scenario = find_scenario(LOADED, bundled("locustfiles"))
    plan = Plan(scenario=scenario, subject=asked.subject, users=LOAD_USERS, seconds=seconds, seed=asked.seed)
    theirs = is_dsn(chosen_source(asked.database))
    with (
        TemporaryDirectory(prefix="harness-load-") as folder,
        provision(asked.database, settings={} if theirs else SETTINGS) as server,
        telling_of_a_lost_server(),
        progress(seconds) as tick,
    ):
        require_superuser(server)
        try:
            return run_load(server, plan, Path(folder), tick, tell)
        except UsageError as error:
            if error.slug == "no-api":
                raise LeftOut(error.seen) from error
            raise


def _compare(asked: Asked, given_s: float) -> Mapping[str, Any]:
    base = asked.base_seen
    folder = from_here(asked.folder)
    if not asked.changed:
        raise LeftOut(f"nothing changed in {folder} since {base[:12]}")
    below = folder_at(base, asked.folder)
    if below is None:
        raise LeftOut(f"{folder} is new since {base[:12]}: there is nothing to compare it with")
    budget_s = max(COMPARE_S_MIN, given_s)
    with TemporaryDirectory(prefix="harness-compare-") as scratch:
        before = find_version(f"{base}:{below}", bundled("sql"), Path(scratch))
        able = plan_for([before.subject, asked.subject], asked.seed).operations
        options = Comparison(
            base=before,
            candidate=Version(asked.subject.name, asked.subject),
            budget_s=budget_s,
            seed=asked.seed,
            # The fewer functions, the more can be told of each in the same time.
            operations=tuple(name for name in asked.touched.operations if name in able) if asked.touched.only else (),
        )
        shown = Progress(sys.stderr, ["compare"], budget_s, None, words=("round", "rounds"))
        with opened(asked.database) as server, telling_of_a_lost_server(), shown:
            return compare(server, options, shown.update)


_RUNS: Mapping[str, Callable[[Asked, float], Mapping[str, Any]]] = {
    TESTS: _tests,
    VERIFY: _verify,
    FAULTS: _faults,
    LOAD: _load,
    COMPARE: _compare,
}
