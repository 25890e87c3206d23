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
from harness.verify.coverage import sql_coverage
from harness.verify.document import subject_entry, verify_document
from harness.verify.orders import Limits, Order
from harness.verify.prepared import new_database, prepare, require_superuser, telling_of_a_lost_server
from harness.verify.privileges import judge_privileges
from harness.verify.share import Progress
from harness.verify.workers import run_workers
from harness.words.errors import UsageError


@dataclass(frozen=True, slots=True)
class Options:
    """What to verify and how far. ``isolation`` is that of scenarios that ask for none; ``workers`` how many processes.

    ``schedule_files`` is the directory for the schedule files of counterexamples.
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
    scenarios, skipped = playable(subject, options.scenarios, by_requests=options.api is not None)
    require_superuser(server)
    server.ensure_roles(subject.roles)
    extra = []
    if options.all_scenarios:
        with new_database(server) as name, telling_of_a_lost_server():
            extra.append(_judge_privileges(server.dsn(name), subject))
    with ExitStack() as databases, telling_of_a_lost_server():
        template = databases.enter_context(new_database(server))
        prepared = prepare(server.dsn(template), subject)
        orders = []
        for number, share in enumerate(_shares(options, scenarios)):
            dsn = server.dsn(databases.enter_context(new_database(server, template)))
            orders.append(_order(server, dsn, options, number, share))
        explored, interrupted = run_workers(orders, prepared.plan, progress, on_interrupt)
    order_of = {scenario.name: number for number, scenario in enumerate(scenarios)}
    reports = sorted(explored.scenarios, key=lambda report: order_of[report.name])
    return verify_document(
        subject=subject_entry(subject, len(prepared.plan.points), by_requests=options.api is not None),
        server={
            "version": server.version,
            "local": server.local,
            "workers": len(orders),
            "pinned": orders[0].core is not None,
        },
        seed=options.seed,
        limits={"seconds": options.limits.seconds, "schedules": options.limits.schedules},
        strict=options.strict,
        interrupted=interrupted,
        seconds=time.monotonic() - began,
        reports=reports,
        coverage=sql_coverage(prepared.plan, explored.reached, subject.migrations),
        skipped=skipped,
        scenarios=[*scenarios, *(each for each in options.scenarios if each.name in skipped)],
        extra_properties=extra,
        schedule_files=options.schedule_files,
    )


def _judge_privileges(dsn: str, subject: Subject) -> dict[str, Any]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        apply(connection, subject.migrations)
        return judge_privileges(connection, subject)


Share = tuple[tuple[Scenario, int | None], ...]


def _shares(options: Options, scenarios: Sequence[Scenario]) -> list[Share]:
    """The scenarios dealt out in turn, each with its part of the schedules."""
    total = options.limits.schedules
    quotas: list[int | None] = [None] * len(scenarios)
    if total is not None:
        part, rest = divmod(total, len(scenarios))
        quotas = [part + (number < rest) for number in range(len(scenarios))]
    dealt = list(zip(scenarios, quotas, strict=True))
    workers = max(1, min(options.workers, len(scenarios)))
    return [tuple(dealt[number::workers]) for number in range(workers)]


def _order(server: AnyServer, dsn: str, options: Options, number: int, share: Share) -> Order:
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
        api=options.api,
    )
