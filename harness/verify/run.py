"""The whole of ``harness verify``, from a server to the run document."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from harness.db.any_server import AnyServer
from harness.db.migrate import apply
from harness.db.pinning import choose_core
from harness.marketplace.scenario import Scenario
from harness.marketplace.subject import Subject
from harness.requests.requester import ROUTED
from harness.requests.seats import MakeApp
from harness.verify.coverage import counted, measured_sites
from harness.verify.document import shard_entry, subject_entry, verify_document
from harness.verify.orders import Hurried, Limits, Order, names_of, nobody
from harness.verify.prepared import new_database, prepare, require_superuser, telling_of_a_lost_server
from harness.verify.privileges import judge_privileges
from harness.verify.shards import Planned, Shard
from harness.verify.share import Progress
from harness.verify.workers import run_workers
from harness.words.errors import UsageError


@dataclass(frozen=True, slots=True)
class Options:
    """What to verify and how far. ``isolation`` is that of scenarios that ask for none; ``workers`` how many processes.

    ``schedule_files`` is the directory for the schedule files of counterexamples, ``shard`` the part that is to be run,
    ``first`` what is true of scenarios that are hurried (``harness.verify.turns``).
    """

    subject: Subject
    scenarios: Sequence[Scenario]
    limits: Limits
    schedule_files: Path
    seed: int = 0
    strict: bool = False
    isolation: str = "read committed"
    workers: int = 1
    pinned: bool = True
    replays: int = 10
    all_scenarios: bool = True
    api: MakeApp | None = None
    shard: Shard | None = None
    first: Hurried = nobody


def playable(
    subject: Subject, scenarios: Sequence[Scenario], *, by_requests: bool = False
) -> tuple[list[Scenario], dict[str, str]]:
    """The scenarios that the subject can play, and why it cannot play the others. ``UsageError`` for none.

    ``by_requests``: those in which nothing is a request are left out, being the same without.
    """
    able, skipped = [], {}
    for scenario in scenarios:
        if lacking := subject.lacks(scenario.start, scenario.operations):
            skipped[scenario.name] = f"{subject.name} has no {', no '.join(lacking)}"
        elif by_requests and not any(isinstance(each, ROUTED) for each in scenario.operations):
            skipped[scenario.name] = "the API has no route for any of its operations"
        else:
            able.append(scenario)
    if not able:
        raise UsageError(
            "nothing-to-verify",
            "; ".join(dict.fromkeys(skipped.values())) or "no scenario is selected",
            expected="a subject with the operations of at least one selected scenario",
            remedy="add them to [calls] in its subject.toml, or select other scenarios",
        )
    return able, skipped


def verify(server: AnyServer, options: Options, progress: Progress, on_interrupt: Callable[[], None]) -> dict[str, Any]:
    """Verify ``options.subject`` on an open server and return the run document.

    Raises ``UsageError`` for a subject that the server refuses, or that can play none of the scenarios.
    """
    began = time.monotonic()
    subject = options.subject
    able, skipped = playable(subject, options.scenarios, by_requests=options.api is not None)
    mine = chosen(options, able)
    require_superuser(server)
    server.ensure_roles(subject.roles)
    extra = []
    if options.all_scenarios and (options.shard is None or options.shard.index == 1):
        with new_database(server) as name, telling_of_a_lost_server():
            extra.append(_judge_privileges(server.dsn(name), subject))
    with ExitStack() as databases, telling_of_a_lost_server():
        template = databases.enter_context(new_database(server))
        prepared = prepare(server.dsn(template), subject)
        orders = []
        for number, share in enumerate(_shares(mine, options.workers)):
            dsn = server.dsn(databases.enter_context(new_database(server, template)))
            orders.append(_order(server, dsn, options, number, share))
        explored, interrupted = run_workers(orders, prepared.plan, progress, on_interrupt)
    scenarios = [scenario for scenario, _ in mine]
    order_of = {scenario.name: number for number, scenario in enumerate(scenarios)}
    reports = sorted(explored.scenarios, key=lambda report: order_of[report.name])
    others = [each for each in options.scenarios if each.name in skipped]
    sites = measured_sites(prepared.plan, subject.migrations)
    return verify_document(
        subject=subject_entry(subject, len(prepared.plan.points), by_requests=options.api is not None),
        server={
            "version": server.version,
            "local": server.local,
            "workers": len(orders),
            "pinned": orders[0].core is not None,
        },
        seed=options.seed,
        limits=options.limits.entry,
        strict=options.strict,
        interrupted=interrupted,
        seconds=time.monotonic() - began,
        reports=reports,
        coverage=counted(sites, explored.reached),
        skipped=skipped,
        scenarios=scenarios if options.shard else [*scenarios, *others],
        extra_properties=extra,
        schedule_files=options.schedule_files,
        shard=shard_entry(options.shard, [*able, *others], options.isolation, sites, explored.reached),
    )


def _judge_privileges(dsn: str, subject: Subject) -> dict[str, Any]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        apply(connection, subject.migrations)
        return judge_privileges(connection, subject)


def chosen(options: Options, scenarios: Sequence[Scenario]) -> list[Planned]:
    """The scenarios of this run, each with its part of the schedules. ``UsageError`` for a shard without any.

    The parts are those of the whole, whatever the shard.
    """
    total = options.limits.schedules
    planned: list[Planned] = [(scenario, None) for scenario in scenarios]
    if total is not None:
        part, rest = divmod(total, len(scenarios))
        planned = [(scenario, part + (number < rest)) for number, scenario in enumerate(scenarios)]
    return options.shard.of_all(planned) if options.shard else planned


def _shares(planned: Sequence[Planned], workers: int) -> list[tuple[Planned, ...]]:
    """The scenarios dealt out in turn to the workers."""
    workers = max(1, min(workers, len(planned)))
    return [tuple(planned[number::workers]) for number in range(workers)]


def _order(server: AnyServer, dsn: str, options: Options, number: int, share: tuple[Planned, ...]) -> Order:
    return Order(
        dsn=dsn,
        subject=options.subject,
        local=server.local,
        core=choose_core(number) if options.pinned and server.local else None,
        scenarios=share,
        seconds=options.limits.seconds,
        seed=options.seed,
        isolation=options.isolation,
        replays=options.replays,
        explaining_s=options.limits.explaining_s,
        first=names_of(share, options.first),
        api=options.api,
    )
