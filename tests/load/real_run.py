"""A real load, small: clients of an event loop on a database of a subject, with samples and a commit journal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import psycopg

from harness.load.finding import HistoryVerdict
from harness.load.history import check_history
from harness.load.journal import CommitJournal
from harness.load.sample import Sample, SampleWriter
from harness.load.wal import Recorder
from harness.marketplace.calls import Client
from harness.marketplace.names import Names
from harness.marketplace.operations import (
    Buy,
    Checkout,
    CompleteCredit,
    CompleteStripe,
    Deliver,
    MarkSold,
    Operation,
    Read,
    Refund,
    Request,
    TopUp,
    UpdatePrice,
    Validate,
)
from harness.marketplace.properties.facts import EXPIRED, PAID, REFUNDED
from harness.marketplace.start import LeadStart, Start, TopUpStart
from harness.marketplace.subject import CALLS, Subject
from harness.marketplace.world import World
from harness.stress.arena import put_in_place
from harness.stress.clients import clients
from harness.words.history import Result, Status

CLIENTS = 12
PAID_BY = {"credits": Buy, "stripe": Checkout}
OF = {operation: name for name, operation in CALLS.items()}


def start(leads: int) -> Start:
    """A small market, in which everybody meets everybody."""
    return Start(
        workspaces={"A": Decimal(300), "B": Decimal(60), "C": Decimal(20)},
        leads={f"L{number}": LeadStart(Decimal(number % 4) + Decimal("0.55")) for number in range(leads)},
        top_ups={f"t{number}": TopUpStart("ABC"[number % 3], Decimal("7.50")) for number in range(9)},
    )


def programs(subject: Subject, operations: int, leads: int, seed: int) -> list[list[Operation]]:
    """What each client does, one after the other; only what the subject has a call for."""
    random = Random(seed)
    all_: list[list[Operation]] = []
    for client in range(CLIENTS):
        program: list[Operation] = []
        opened, bought = [f"c{client}n0"], list[str]()
        for place in range(operations // CLIENTS):
            name, workspace = f"c{client}n{place}", random.choice("ABC")
            # The clients go through the leads together, so that many want the same.
            near = min(leads - 1, place * leads * CLIENTS // operations + random.randrange(6))
            wanted = tuple(f"L{number}" for number in sorted({near, random.randrange(max(0, near - 3), near + 1)}))
            kind = random.choice((PAID, PAID, EXPIRED, REFUNDED))
            paid = random.choice(opened[-4:])
            choice: Operation = random.choice(
                [
                    *[Buy(workspace, wanted, name)] * 5,
                    *[Checkout(workspace, wanted[:1], name)] * 3,
                    *[Deliver(f"{kind} {paid}", kind, paid)] * 4,
                    TopUp(f"t{random.randrange(9)}"),
                    MarkSold(wanted[:1]),
                    # Others come with the same key, some of them with the same request.
                    *[Request(workspace, wanted[-1:], name, f"k{place // 2}", random.choice(("credits", "stripe")))]
                    * 4,
                    *[Read(workspace, random.choice(opened[-4:]))] * 2,
                    Validate(workspace, wanted),
                    UpdatePrice(wanted[0], Decimal(random.randrange(1, 300)) / 100),
                    Refund(random.choice(bought[-3:])) if bought else Validate(workspace, wanted),
                    CompleteStripe(paid),
                    CompleteCredit(paid, workspace, Decimal(1)),
                ]
            )
            if isinstance(choice, Checkout | Request):
                opened.append(name)
            elif isinstance(choice, Buy):
                bought.append(name)
            if subject.has(type(choice)):
                program.append(choice)
        all_.append(program)
    return all_


def run(dsn: str, subject: Subject, folder: Path, *, operations: int, leads: int, seed: int = 0) -> HistoryVerdict:
    """Put the subject in the empty database at ``dsn``, load it, and judge the history."""
    todo = programs(subject, operations, leads, seed)
    put_in_place(dsn, subject)
    beginning = start(leads)
    if "top_up" not in subject.fixtures:
        beginning = Start(beginning.workspaces, beginning.leads)
    world = World(subject, beginning, [each for program in todo for each in program])
    with psycopg.connect(dsn, autocommit=True) as owner:
        world.install(owner)
        journal, samples = folder / "journal", folder / "samples.jsonl"
        with Recorder(dsn, journal, every_s=0.05), SampleWriter(samples) as writer:
            asyncio.run(_load(dsn, subject, world.names, todo, writer))
    return check_history([samples], CommitJournal(journal))


async def _load(
    dsn: str, subject: Subject, names: Names, todo: Sequence[Sequence[Operation]], writer: SampleWriter
) -> None:
    perform = Client(subject, names).perform

    async def work(number: int, connection: psycopg.AsyncConnection[Any]) -> None:
        for operation in todo[number]:
            invoked = monotonic()
            result = await perform(connection, operation)
            writer.write(_sample(names, number, operation, invoked, monotonic(), result))

    async with clients(dsn, subject, CLIENTS) as connections, asyncio.TaskGroup() as group:
        for number, connection in enumerate(connections):
            group.create_task(work(number, connection))


def answer_of(result: Result) -> str | None:
    """The purchase that the client was told of."""
    told: str | None = result.get("purchase")
    return told


def _sample(names: Names, client: int, operation: Operation, invoked: float, returned: float, result: Result) -> Sample:
    def id_of(kind: str, value: str | None) -> str | None:
        return None if value is None else str(names.id_of(kind, value))

    leads = getattr(operation, "leads", None) or ([operation.lead] if isinstance(operation, UpdatePrice) else None)
    # A client of the API does not choose the id of its purchase.
    chosen = answer_of(result) if isinstance(operation, Request) else getattr(operation, "purchase", None)
    purchase = id_of("purchase", chosen) or id_of("top_up", getattr(operation, "top_up", None))
    answer: dict[str, Any] = dict(result.value)
    for told in ("balance", "purchase"):
        if told in answer:
            answer[told] = str(answer[told]) if told == "balance" else id_of("purchase", answer[told])
    for told in ("marked", "leads"):
        if told in answer:
            answer[told] = [id_of("lead", each) for each in answer[told]]
    if isinstance(operation, Validate | Read) and answer.get("status") != "completed":
        # What is shown before is no list of the purchase's leads.
        answer.pop("leads", None)
    amount = getattr(operation, "amount", getattr(operation, "price", None))
    return Sample(
        f"c{client}",
        OF[type(operation)] if not isinstance(operation, Request) else OF[PAID_BY[operation.method]],
        invoked,
        invoked,
        None if result.status is Status.UNKNOWN else returned,
        result.status,
        result.code,
        answer=answer or None,
        workspace=id_of("workspace", getattr(operation, "workspace", None)),
        leads=None if leads is None else tuple(str(names.id_of("lead", each)) for each in leads),
        purchase=purchase,
        event=getattr(operation, "event", None),
        kind=getattr(operation, "kind", None),
        key=id_of("key", getattr(operation, "key", None)),
        amount=None if amount is None else str(amount),
    )
