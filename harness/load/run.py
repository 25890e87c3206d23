"""One load run from beginning to end: a market, a service, users, and the judgement on what came of it."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from harness.db.any_server import AnyServer
from harness.db.migrate import apply
from harness.db.server import Server
from harness.db.settings import Setting
from harness.gateway.process import Remote, gateway_process
from harness.load.deliveries import samples_of
from harness.load.disturbance import Disturbance
from harness.load.document import load_document
from harness.load.figures import figures_of, rounds_of, steps_of
from harness.load.generator import Generator, require_locust
from harness.load.growth import growths
from harness.load.history import check_history
from harness.load.journal import CommitJournal
from harness.load.market import fill
from harness.load.nemesis import Nemesis
from harness.load.plan import STEPS, Plan
from harness.load.properties import Judged
from harness.load.sample import SampleFile, SampleWriter, read_samples
from harness.load.service import service, wait_until_healthy
from harness.load.stock import Stock, new_salt, this_machine
from harness.load.wal import Recorder
from harness.load.watch import Watch
from harness.marketplace.deployment import BEFORE_ROLE, rollback
from harness.stress.arena import put_in_place
from harness.verify.prepared import new_database
from harness.words.verdict import Verdict

SETTINGS: Mapping[str, Setting] = {
    # As a server is that people use; a process that is killed while it writes leaves half a page.
    "autovacuum": True,
    "full_page_writes": True,
}
"""For a server of ours under load."""

MISCHIEF: Mapping[str, float | int] = {
    "duplicates": 0.2,
    "delay_ms_max": 50,
    "reorder": 0.1,
    "drop": 0.02,
    "lose_answer": 0.05,
    "parallel": 8,
    "retry_ms_max": 500,
}
"""What befalls the gateway's deliveries on their way to the API."""

JOURNAL = "journal.jsonl"
GATEWAY = "gateway"
"""The file of the gateway's samples; those of Locust's processes begin with the name of their machine."""
CLOCK_ERROR_S = 0.1
"""How far the clocks of two machines may be apart."""
API_ROLE = "marketplace_api"
DRAIN_S_MAX = 60.0
CONNECTIONS = 16
"""Of the API to the database."""

Tell = Callable[[str], None]
Tick = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Ground:
    """A market that is ready: its database, its stock as a file, and where the run keeps what it writes."""

    server: AnyServer
    dsn: str
    stock: Stock
    folder: Path
    gateway: Remote | None
    api_pids: tuple[int, ...]

    @property
    def stock_file(self) -> Path:
        return self.folder / "stock.json"


def run_load(server: AnyServer, plan: Plan, folder: Path, tick: Tick, tell: Tell) -> dict[str, Any]:
    """Run the plan on an open server and judge it; the run document. ``tick`` hears how many requests there were.

    What the run writes goes to ``folder``. After Ctrl-C what was done until then is judged. Raises ``UsageError`` and
    ``CouldNotRun``.
    """
    require_locust()
    with _recorded_ground(server, plan, folder, tell) as ground:
        generator = _generator(plan, ground)
        if plan.workers:
            tell(f"waiting for {plan.workers} workers: {worker_command(generator)}")
        watch = Watch(ground.dsn, _postmaster(server), ground.api_pids)
        nemesis = Nemesis(server, ground.dsn, plan.strikes, plan.seconds, Random(f"{plan.seed} strikes"))
        with ExitStack() as around:

            def begin_with_the_first(requests: int) -> None:
                # Locust takes its time to start, and nobody is to be struck before there is anybody.
                if requests and not watch.begun:
                    around.enter_context(watch)
                    around.enter_context(nemesis)
                tick(requests)

            whole = generator.run(begin_with_the_first)
        delivered = _collect_deliveries(ground)
        _tell_failure(watch, tell)
    # One that died before its first sample has left no file.
    expected = (plan.workers or plan.processes) if whole else 0
    return _judge(plan, ground, watch, nemesis.done, delivered, expected, interrupted=not whole)


def prepare_load(
    server: AnyServer, plan: Plan, folder: Path, wait: Callable[[Generator], None], tell: Tell
) -> dict[str, Any]:
    """As ``run_load``, but the load is made by somebody else, until ``wait`` returns."""
    with _recorded_ground(server, plan, folder, tell) as ground:
        generator = _generator(plan, ground)
        generator.samples.mkdir(parents=True, exist_ok=True)
        with Watch(ground.dsn, _postmaster(server), ground.api_pids) as watch:
            wait(generator)
        delivered = _collect_deliveries(ground)
        _tell_failure(watch, tell)
    return _judge(plan, ground, watch, [], delivered, 0, interrupted=False)


def worker_command(generator: Generator) -> str:
    """What to run on other machines; the stock must be there, and the samples must come back from there."""
    return (
        f"locust -f {generator.locustfile} --worker --master-host HOST --master-port {generator.port} "
        f"--stock {generator.stock} --samples {generator.samples}"
    )


@contextmanager
def _recorded_ground(server: AnyServer, plan: Plan, folder: Path, tell: Tell) -> Iterator[Ground]:
    """A filled market, all of whose commits from now to the end of the block are in ``journal.jsonl``."""
    server.ensure_roles((*plan.subject.roles, *([BEFORE_ROLE] if plan.before else [])))
    with new_database(server) as name:
        dsn = server.dsn(name)
        put_in_place(dsn, plan.subject)
        boot, offset = this_machine()
        stock = Stock(
            subject=plan.subject.name,
            salt=new_salt(),
            dsn=make_conninfo(dsn, options=f"-c role={API_ROLE}"),
            host=plan.host or "",
            gateway="",
            webhook_secret=f"whsec_{secrets.token_hex(16)}",
            leads=plan.leads,
            checkouts=plan.events,
            top_ups=plan.events,
            boot=boot,
            wall_minus_monotonic=offset,
        )
        with psycopg.connect(dsn, autocommit=True) as connection:
            if plan.before:
                apply(connection, [rollback()])
            fill(connection, stock)
        lasting = isinstance(server, Server)
        with Recorder(dsn, folder / JOURNAL, schemas=plan.subject.schemas, lasting=lasting), ExitStack() as running:
            ground = Ground(server, dsn, stock, folder, None, ())
            if not plan.scenario.direct:
                ground = _served(ground, plan, running, tell)
            ground.stock.write(ground.stock_file)
            yield ground


def _served(ground: Ground, plan: Plan, running: ExitStack, tell: Tell) -> Ground:
    """With a gateway, and an API on the database: ours, or one that somebody starts on it."""
    mischief = {**MISCHIEF, "seed": plan.seed}
    gateway = running.enter_context(gateway_process(secret=ground.stock.webhook_secret, mischief=mischief))
    stock = replace(ground.stock, gateway=gateway.base)
    pids: tuple[int, ...] = ()
    environment = {
        "MARKETPLACE_DSN": ground.dsn,
        "MARKETPLACE_CONNECTIONS": str(CONNECTIONS),
        "MARKETPLACE_STORE": "before" if plan.before else "functions",
        "STRIPE_WEBHOOK_SECRET": stock.webhook_secret,
        "STRIPE_API_KEY": "sk_test_harness",
        "STRIPE_API_BASE": gateway.base,
    }
    if plan.host is None:
        host, pid = running.enter_context(service(environment, ground.folder / "api.log"))
        stock, pids = replace(stock, host=host), (pid,)
    else:
        path = ground.folder / "environment"
        path.touch(0o600)
        path.write_text("".join(f"{name}='{value}'\n" for name, value in environment.items()), encoding="utf-8")
        tell(f"start the API of {plan.host} with the variables in {path}")
        wait_until_healthy(plan.host)
    gateway.configure(url=f"{stock.host}/api/webhooks/stripe")
    return replace(ground, stock=stock, gateway=gateway, api_pids=pids)


def _generator(plan: Plan, ground: Ground) -> Generator:
    return Generator(
        locustfile=plan.scenario.file,
        stock=ground.stock_file,
        folder=ground.folder,
        users=plan.users,
        seconds=plan.seconds,
        rate=plan.rate,
        pattern=plan.pattern,
        processes=plan.processes,
        workers=plan.workers,
        port=plan.port,
        seed=plan.seed,
        step_seconds=plan.seconds / STEPS,
    )


def _collect_deliveries(ground: Ground) -> list[Judged]:
    """Let the gateway deliver what it still has, and write its deliveries beside the users' samples.

    What has been given up by then was never acknowledged: nobody will ever know of that payment.
    """
    if ground.gateway is None:
        return [Judged("webhooks-acknowledged", Verdict.NOT_APPLICABLE, 0)]
    left = ground.gateway.drain(DRAIN_S_MAX)
    deliveries, events = ground.gateway.deliveries(), ground.gateway.events()
    with SampleWriter(ground.folder / "samples" / f"{GATEWAY}.jsonl") as writer:
        for sample in samples_of(deliveries, events):
            writer.write(sample)
    why = [f"{each['type']} {each['event']} was never answered with a 2xx" for each in left]
    verdict = Verdict.VIOLATED if left else Verdict.HOLDS if deliveries else Verdict.NOT_APPLICABLE
    return [Judged("webhooks-acknowledged", verdict, len(deliveries), why)]


def _judge(
    plan: Plan,
    ground: Ground,
    watch: Watch,
    done: list[Disturbance],
    delivered: list[Judged],
    expected: int,
    *,
    interrupted: bool,
) -> dict[str, Any]:
    """Everything that was sampled, against everything that was committed. So many processes are ``expected``."""
    samples = ground.folder / "samples"
    # What the gateway delivered comes after the purchases that it is of.
    paths = sorted(samples.glob("*.jsonl"), key=lambda path: (path.stem == GATEWAY, path.name))
    steps_file = samples / "steps.json"
    steps = json.loads(steps_file.read_text(encoding="utf-8")) if steps_file.exists() else []
    figures = figures_of(read_samples(paths))
    began = perf_counter()
    elsewhere = any(not path.name.startswith((os.uname().nodename, GATEWAY)) for path in paths)
    journal = CommitJournal(ground.folder / JOURNAL)
    verdict = check_history(paths, journal, clock_error_s=CLOCK_ERROR_S if elsewhere else 0.0)
    return load_document(
        plan,
        server={"version": ground.server.version, "local": ground.server.local},
        figures=figures,
        history=verdict,
        check_seconds=perf_counter() - began,
        disturbances=done,
        growths=growths(watch.looks),
        looks=watch.looks,
        gap=watch.gap(),
        also=delivered,
        rounds=rounds_of(read_samples(paths)) if plan.scenario.name == "hot_lead" else [],
        steps=steps_of(read_samples(paths), steps),
        lost_processes=lost_processes(paths, expected),
        interrupted=interrupted,
    )


def _tell_failure(watch: Watch, tell: Tell) -> None:
    if watch.failure is not None:
        tell(f"connections, locks and memory were not looked at to the end: {watch.failure!r}")


def lost_processes(paths: Sequence[Path], expected: int) -> int:
    """Processes that did not end in good order, and those of the ``expected`` that have left no file at all."""
    users = [path for path in paths if path.stem != GATEWAY]
    return sum(not _ended_well(path) for path in paths) + max(0, expected - len(users))


def _ended_well(path: Path) -> bool:
    file = SampleFile(path)
    for _ in file:
        pass
    return file.whole


def _postmaster(server: AnyServer) -> Callable[[], int | None]:
    return lambda: server.pid if isinstance(server, Server) else None
