"""One comparison from beginning to end: two subjects on one server, a control, the rounds, and the document."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from time import monotonic
from typing import Any

import psycopg
from psycopg import sql

from harness.compare.api import PROCESSES, WARM, ApiSide, require_the_api
from harness.compare.calls import CallFailed
from harness.compare.catalog import read_catalog
from harness.compare.cause import causes
from harness.compare.core import on_one_core
from harness.compare.document import compare_document
from harness.compare.figure import API_FIGURES, FIGURES
from harness.compare.measure import counters
from harness.compare.plan import LEADS, NEEDS, ROUNDS_MAX, SPARE, Plan, plan_for
from harness.compare.request import ROUTES
from harness.compare.rounds import USED_UP, Course, Tick, run_rounds
from harness.compare.side import Side, make_ready
from harness.compare.version import Version
from harness.compare.waits import lock_waits
from harness.db.any_server import AnyServer
from harness.db.routines import CATALOG_ONLY, in_schemas
from harness.load.service import require_api
from harness.marketplace.subject import Subject
from harness.verify.prepared import new_database
from harness.words.errors import UsageError

ROUNDS_SHARE, WAITS_SHARE = 0.85, 0.93
"""Of the budget, up to the end of the rounds and of the lock waits; the rest is for causes and putting things away."""
NAMES = ("base", "candidate", "control")
FUNCTIONS, API = "functions", "api"
PROFILES = FUNCTIONS, API
FIGURES_OF = {FUNCTIONS: FIGURES, API: API_FIGURES}
NO_WAITS = {API: "one client waits for nobody; the profile functions measures them"}
"""Profiles in which lock waits are not measured."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a comparison is asked for. ``operations`` are names of ``[calls]``; without any, all that both have."""

    base: Version
    candidate: Version
    budget_s: float
    seed: int = 0
    strict: bool = False
    fail_fast: bool = False
    """End with the first operation that is slower."""
    operations: tuple[str, ...] = ()
    leads: int = LEADS
    rounds: int = ROUNDS_MAX
    profile: str = FUNCTIONS
    """What is called: ``FUNCTIONS`` by SQL, or the ``API``."""


def compare(server: AnyServer, options: Options, tick: Tick) -> dict[str, Any]:
    """Compare on an open server; the run document. Raises ``UsageError`` and ``CouldNotRun``."""
    began = monotonic()
    plan = _plan(options)
    with _sides(server, options, plan) as (sides, databases), counters(server, list(databases.values())) as counting:
        functions = called_functions(sides[0].dsn, options.base.subject, plan.operations)
        figures = FIGURES_OF[options.profile]
        with on_one_core([pid for side in sides for pid in side.pids] if server.local else []):
            courses, interrupted = run_rounds(
                sides,
                plan,
                counting,
                databases,
                began + options.budget_s * ROUNDS_SHARE,
                tick,
                figures,
                fail_fast=options.fail_fast,
            )
        waits: Mapping[str, Mapping[str, float]] = {}
        found: dict[str, list[dict[str, Any]]] = {}
        try:
            # Waits decide nothing: after Ctrl-C only the causes of what is slower are still looked for.
            if not interrupted and options.profile == FUNCTIONS:
                waits = _waits(server, sides, courses, plan, began + options.budget_s * WAITS_SHARE)
            for course in courses:
                if course.slower:
                    found[course.operation] = causes_of(sides, course.operation, functions[course.operation])
        except KeyboardInterrupt:
            interrupted = True
    return compare_document(
        options,
        courses,
        figures=figures,
        leads=plan.stock.leads,
        server=told(server, counted=counting is not None),
        functions=functions if options.profile == FUNCTIONS else {name: [ROUTES[name]] for name in plan.operations},
        causes=found,
        waits=waits,
        no_waits=NO_WAITS.get(options.profile),
        seconds=monotonic() - began,
        interrupted=interrupted,
    )


def _waits(
    server: AnyServer, sides: Sequence[Side], courses: Sequence[Course], plan: Plan, until: float
) -> Mapping[str, Mapping[str, float]]:
    """Lock waits of all operations that nobody refused, and that there is stock left of."""
    return lock_waits(
        sides,
        [each.operation for each in courses if each.reason in ("", USED_UP)],
        server.dsn("postgres"),
        plan.stock.seed,
        until,
    )


def told(server: AnyServer, *, counted: bool) -> dict[str, Any]:
    """The server, for the run document."""
    return {"version": server.version, "local": server.local, "counted": counted, "machine": machine()}


def machine() -> str:
    """Twelve hex digits that tell this machine from another, and nothing about it."""
    return sha256(f"{platform.node()} {platform.machine()} {os.cpu_count()}".encode()).hexdigest()[:12]


def called_functions(dsn: str, subject: Subject, operations: Sequence[str]) -> dict[str, list[str]]:
    """Operation to the subject's functions that its statements call, in the order in which they do."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("SET search_path = {}").format(sql.SQL(CATALOG_ONLY)))
        known = {routine.name for routine in in_schemas(connection, subject.schemas)}
    return {
        operation: [
            name
            for name in dict.fromkeys(re.findall(r"(\w+)\s*\(", "\n".join(subject.calls[operation])))
            if name in known
        ]
        for operation in operations
    }


def causes_of(sides: Sequence[Side], operation: str, functions: Sequence[str]) -> list[dict[str, Any]]:
    """What has changed between base and candidate for an operation, for the run document."""
    base, candidate = sides[0], sides[1]
    try:
        executed = [side.explain(operation) for side in (base, candidate)]
    except (psycopg.Error, CallFailed):
        # Without auto_explain, or with nothing left in stock, there are still the catalogs to compare.
        executed = [[], []]
    before, after = (read_catalog(side.dsn, side.subject) for side in (base, candidate))
    return [each.entry() for each in causes(executed[0], executed[1], before, after, functions)]


def _plan(options: Options) -> Plan:
    subjects = [options.base.subject, options.candidate.subject]
    known = set(ROUTES if options.profile == API else NEEDS)
    for name in options.operations:
        if name not in known or not any(name in subject.calls for subject in subjects):
            raise UsageError("no-call", f"[calls] of neither subject has {name}", expected=", ".join(sorted(known)))
    only, spare = options.operations, SPARE
    if options.profile == API:
        require_api()
        for subject in subjects:
            require_the_api(subject)
        only, spare = tuple(name for name in ROUTES if not only or name in only), SPARE + PROCESSES * WARM
    return plan_for(subjects, options.seed, leads=options.leads, only=only, rounds=options.rounds, spare=spare)


@contextmanager
def _sides(server: AnyServer, options: Options, plan: Plan) -> Iterator[tuple[Sequence[Side], dict[str, str]]]:
    """Base, candidate and control, ready to be called, and the database of each. The control is a copy of the base."""
    base, candidate = options.base.subject, options.candidate.subject
    server.ensure_roles(dict.fromkeys((*base.roles, *candidate.roles)))
    with ExitStack() as exits:
        databases = {"base": exits.enter_context(new_database(server))}
        same = base.digest == candidate.digest
        if not same:
            databases["candidate"] = exits.enter_context(new_database(server))
        with ThreadPoolExecutor(len(databases)) as pool:
            made = [
                pool.submit(make_ready, server.dsn(database), {"base": base, "candidate": candidate}[name], plan)
                for name, database in databases.items()
            ]
        for each in made:
            each.result()
        for name in ("control", *(["candidate"] if same else [])):
            databases[name] = exits.enter_context(new_database(server, template=databases["base"]))
        subjects = {"base": base, "candidate": candidate, "control": base}
        make: Callable[..., Side] = Side
        if options.profile == API:
            # Here, for the command line must start without the packages that it needs.
            from harness.gateway.process import gateway_process

            make = partial(ApiSide, gateway=exits.enter_context(gateway_process()).base)
        sides = [make(name, subjects[name], server.dsn(databases[name]), plan, local=server.local) for name in NAMES]
        for side in sides:
            exits.callback(side.close)
        with ThreadPoolExecutor(len(sides)) as pool:
            for opened in [pool.submit(side.open) for side in sides]:
                opened.result()
        yield sides, databases
