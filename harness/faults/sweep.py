"""The fault sweep: every fault at every step of every operation, alone; in pairs and beside another client, by samples.

Each is an ordinary campaign over a scenario with a nemesis: what a single fault can do is enumerated, so that no step
is left out; pairs, a fault while another client is at work, and lock timeouts, which need one, are drawn by uniform
random walks from the seed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import combinations_with_replacement, product
from pathlib import Path
from random import Random
from typing import Any

from harness.db.any_server import AnyServer
from harness.db.pinning import choose_core
from harness.faults.case import Case
from harness.faults.document import Swept, faults_document, needs_another
from harness.marketplace.scenario import Scenario
from harness.marketplace.subject import Subject
from harness.verify.orders import Hurried, Limits, Order, names_of, nobody
from harness.verify.prepared import new_database, prepare, require_superuser, telling_of_a_lost_server
from harness.verify.run import playable
from harness.verify.shards import Planned, Shard
from harness.verify.share import Progress
from harness.verify.workers import run_workers
from harness.words.errors import UsageError
from harness.words.fault import Fault, FaultKind

PREEMPTIONS_MAX = 2
"""The strike is one preemption; one more lets a ghost and its client's retry, or two clients, take turns."""

TIMEOUTS = 60
"""Schedules of a lock timeout for each operation. It takes another client to wait for, and with two there are too many
schedules to run them all."""

DRAWN_EACH = 20
"""Schedules of each combination that is drawn."""

SQLSTATES = ("XX000", "40001", "23505")
"""The errors that are raised where no others are asked for: internal error, serialization failure, unique violation."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What to sweep. ``pairs`` and ``beside`` are numbers of schedules, ``schedule_files`` the directory for those of
    counterexamples; single faults are tried in every schedule of up to ``bound`` preemptions.

    ``limits`` end it earlier, by time; ``shard`` is the part that is to be run, in which an operation's single faults
    stay together. What ``first`` says is true of is hurried (``harness.verify.turns``)."""

    subject: Subject
    cases: Sequence[Case]
    faults: Sequence[Fault]
    schedule_files: Path
    pairs: int = 0
    beside: int = 0
    seed: int = 0
    isolation: str = "read committed"
    workers: int = 1
    replays: int = 10
    bound: int = PREEMPTIONS_MAX
    limits: Limits = field(default_factory=Limits)
    shard: Shard | None = None
    first: Hurried = nobody


def chosen_faults(kinds: Sequence[str] | None, sqlstates: Sequence[str] | None) -> list[Fault]:
    """The faults of these kinds (None: all), an error for each of these SQLSTATEs. Raises ``UsageError``."""
    faults: list[Fault] = []
    for kind in kinds or list(FaultKind):
        if kind not in list(FaultKind):
            raise UsageError(
                "unknown-fault",
                f"there is no fault {kind!r}",
                expected=" or ".join(FaultKind),
                remedy="see docs/faults.md",
            )
        states = (sqlstates or SQLSTATES) if kind == FaultKind.ERROR else ("",)
        for state in states:
            try:
                faults.append(Fault(FaultKind(kind), state))
            except ValueError as error:
                raise UsageError("bad-sqlstate", str(error), expected="XX000, for example") from error
    return list(dict.fromkeys(faults))


def chosen_cases(known: dict[str, Case], names: Sequence[str] | None) -> list[Case]:
    """The cases of these names (None: all). Raises ``UsageError``."""
    for name in names or ():
        if name not in known:
            raise UsageError(
                "unknown-operation", f"there is no operation {name!r} to sweep", expected=" or ".join(known)
            )
    return [known[name] for name in dict.fromkeys(names or known)]


def planned(sweep: Sweep) -> list[Planned]:
    """All scenarios of the whole sweep, each with the number of schedules to draw; None where all are to be run."""
    return [each for group in _groups(sweep) for each in group]


def _groups(sweep: Sweep) -> list[list[Planned]]:
    """Those with single faults, case by case; then one by one those of which schedules are drawn."""
    singles: list[list[Planned]] = [
        [
            # Nobody has to wait for a lock while there is nobody else.
            (case.scenario([fault], beside=True), TIMEOUTS) if needs_another(fault) else (case.scenario([fault]), None)
            for fault in sweep.faults
        ]
        for case in sweep.cases
    ]
    random = Random(f"{sweep.seed}:faults")
    twice = [
        case.scenario(pair, beside=any(map(needs_another, pair)))
        for case, pair in product(sweep.cases, combinations_with_replacement(sweep.faults, 2))
    ]
    raced = [
        case.scenario([fault], beside=True)
        for case, fault in product(sweep.cases, sweep.faults)
        if not needs_another(fault)
    ]
    drawn = [*_drawn(twice, sweep.pairs, random), *_drawn(raced, sweep.beside, random)]
    return [*singles, *([each] for each in drawn)]


def mine(sweep: Sweep) -> tuple[list[Planned], dict[str, str]]:
    """The scenarios of the sweep, or of its shard, that its subject can play, and why it cannot play others.

    Raises ``UsageError`` for none.
    """
    _, skipped = playable(sweep.subject, [scenario for scenario, _ in planned(sweep)])
    groups = [able for group in _groups(sweep) if (able := [each for each in group if each[0].name not in skipped])]
    return [each for group in (sweep.shard.of_groups(groups) if sweep.shard else groups) for each in group], skipped


def playable_names(sweep: Sweep) -> list[str]:
    """The scenarios that are to be run. Raises ``UsageError`` for none."""
    return [scenario.name for scenario, _ in mine(sweep)[0]]


def _drawn(scenarios: Sequence[Scenario], schedules: int, random: Random) -> list[Planned]:
    """So many schedules dealt out to as many of the scenarios as it takes, which ones being a matter of chance."""
    count = min(len(scenarios), math.ceil(schedules / DRAWN_EACH))
    if not count:
        return []
    part, rest = divmod(schedules, count)
    return [(each, part + (number < rest)) for number, each in enumerate(random.sample(list(scenarios), count))]


def run_sweep(server: AnyServer, sweep: Sweep, progress: Progress, on_interrupt: Callable[[], None]) -> dict[str, Any]:
    """Sweep a subject on an open server and return the run document.

    Raises ``UsageError`` for a subject that the server refuses, or that has none of the operations.
    """
    began = time.monotonic()
    subject = sweep.subject
    plans, skipped = mine(sweep)
    require_superuser(server)
    server.ensure_roles(subject.roles)
    workers = max(1, min(sweep.workers, len(plans)))
    with ExitStack() as databases, telling_of_a_lost_server():
        template = databases.enter_context(new_database(server))
        prepared = prepare(server.dsn(template), subject)
        orders = [
            Order(
                dsn=server.dsn(databases.enter_context(new_database(server, template))),
                subject=subject,
                local=server.local,
                core=choose_core(number) if server.local else None,
                scenarios=tuple(plans[number::workers]),
                seconds=sweep.limits.seconds,
                seed=sweep.seed,
                isolation=sweep.isolation,
                replays=sweep.replays,
                explaining_s=sweep.limits.explaining_s,
                first=names_of(plans, sweep.first),
                sweep_bound=sweep.bound,
            )
            for number in range(workers)
        ]
        explored, interrupted = run_workers(orders, prepared.plan, progress, on_interrupt)
    place = {scenario.name: number for number, (scenario, _) in enumerate(plans)}
    reports = sorted(explored.scenarios, key=lambda report: place[report.name])
    return faults_document(
        Swept(
            subject=subject,
            points=len(prepared.plan.points),
            server={"version": server.version, "local": server.local, "workers": workers, "pinned": server.local},
            cases=sweep.cases,
            faults=sweep.faults,
            wanted={"pairs": sweep.pairs, "beside": sweep.beside},
            seed=sweep.seed,
            limits=sweep.limits,
            seconds=time.monotonic() - began,
            interrupted=interrupted,
            reports=reports,
            skipped=skipped,
            shard=_shard_entry(sweep),
        ),
        sweep.schedule_files,
    )


def _shard_entry(sweep: Sweep) -> dict[str, Any] | None:
    """What a part must tell for the parts to be merged (``harness.faults.merge``)."""
    if sweep.shard is None:
        return None
    return {
        "index": sweep.shard.index,
        "of": sweep.shard.of,
        "scenarios": [scenario.name for scenario, _ in planned(sweep)],
        "operations": [case.name for case in sweep.cases],
        "isolation": sweep.isolation,
    }
