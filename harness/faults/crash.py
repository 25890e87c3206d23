"""Crash and recovery under load: is everything there that somebody was told?

In every round a handful of clients work at the same time, and at a random moment of their work the server goes down:
by its own immediate shutdown, or with all its processes killed. It starts again and recovers; what is there then is
held against what the clients were told. They connect again, find out what became of the operation whose answer they
never got, ask for it again if nothing did, and go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from random import Random
from time import perf_counter
from typing import Any

import psycopg

from harness.db.any_server import AnyServer, Crash
from harness.db.settings import Setting
from harness.faults.outcome import contradicted, is_there
from harness.faults.traffic import Writer, draw_writers, made_by, market
from harness.marketplace.calls import Client
from harness.marketplace.operations import Deliver, Operation, TopUp
from harness.marketplace.properties import check_once
from harness.marketplace.subject import Subject
from harness.marketplace.world import World
from harness.stress.arena import SAFETY, put_in_place
from harness.stress.clients import Connection, clients
from harness.stress.journal import Journal
from harness.verify.prepared import new_database
from harness.words.history import Call, History, Status
from harness.words.verdict import Violation

WRITERS = 6
LENGTH = 40
"""Operations of a writer's program: more than are asked for before the crash, however late the server hears of it."""
MOMENT_MAX = 64
"""The operation, of all writers together, that calls for the crash at the latest."""
AFTER = 2
"""Operations with which a client goes on after the crash."""
DELAY_SECONDS_MAX = 0.003
"""Between the operation that calls for the crash and the crash: about as long as a transaction takes."""

CRASHABLE: Mapping[str, Setting] = {"full_page_writes": True}
"""Settings for a server that is to be crashed: a process that is killed while it writes leaves half a page."""


@dataclass(frozen=True, slots=True)
class CrashReport:
    """What the rounds so far have shown. Operations are counted up to the crash of their round, not after it."""

    rounds: int = 0
    interrupted: int = 0
    """Rounds whose crash cut at least one client off in the middle of an operation."""
    acknowledged: int = 0
    refused: int = 0
    """Clear no's: refused, busy or failed, with nothing changed."""
    committed: int = 0
    """Unknown outcomes that were found done."""
    rolled_back: int = 0
    """Unknown outcomes of which nothing was found."""
    lost: int = 0
    """Acknowledged operations that were not there after recovery."""
    again: int = 0
    """Operations that were asked for after recovery: the unknown ones that had to be, and those that came next."""
    violations: tuple[Violation, ...] = ()
    recovery_seconds: tuple[float, ...] = ()
    """From the order to start again to the first answer, round by round."""

    @property
    def unknown(self) -> int:
        return self.committed + self.rolled_back

    @property
    def holds(self) -> bool:
        return not self.lost and not self.violations


def crash_rounds(
    server: AnyServer,
    subject: Subject,
    *,
    rounds: int,
    seed: int,
    tick: Callable[[CrashReport], None] = lambda _: None,
) -> CrashReport:
    """Crash an open server of our own so many times under clients of ``subject``; at the end it is up again.

    Who does what and when the crash comes depends on ``seed``; how the clients then meet does not, for nobody schedules
    them. ``tick`` is called after every round. Raises ``UsageError`` for a server that is not ours or a subject that
    cannot play, ``CouldNotRun`` when the server does not come back.
    """
    server.ensure_roles(subject.roles)
    with new_database(server) as name, asyncio.Runner() as runner:
        put_in_place(server.dsn(name), subject)
        rehearsal = _Rounds(server, server.dsn(name), subject, runner)
        report = CrashReport()
        for number in range(rounds):
            report = rehearsal.play(report, Random(f"{seed} {number}"))
            tick(report)
        return report


class _Rounds:
    """What all rounds have in common: one market, whose start is put back before each of them."""

    def __init__(self, server: AnyServer, dsn: str, subject: Subject, runner: asyncio.Runner) -> None:
        self._server = server
        self._dsn = dsn
        self._subject = subject
        self._runner = runner
        self._start = market(subject)
        self._world = World(subject, self._start, made_by(WRITERS, LENGTH))
        self._installed = False
        self._perform = Client(subject, self._world.names).perform

    def play(self, report: CrashReport, random: Random) -> CrashReport:
        """One round; returns the report with it."""
        with self._owner() as owner:
            self._world.reset(owner)
        journal, writers = Journal(), draw_writers(self._subject, random, WRITERS, LENGTH)
        self._run(self._until_crash(journal, writers, random))
        recovery = self._recover()

        with self._owner() as owner:
            before, found = journal.calls, self._world.read(owner)
            unknown = [call for call in before if call.result.status is Status.UNKNOWN]
            committed = [call for call in unknown if is_there(call.operation, self._start, found)]
            self._run(self._after_crash(journal, writers, committed))
            seen = check_once(History(before, self._start, found), SAFETY)
            lost = sum(violation.property == "no-lost-acknowledgement" for violation in seen)
            seen += contradicted(before, self._start, found)
            seen += check_once(History(journal.calls, self._start, self._world.read(owner)), SAFETY)
        acknowledged = sum(call.result.status is Status.OK for call in before)
        return replace(
            report,
            rounds=report.rounds + 1,
            interrupted=report.interrupted + bool(unknown),
            acknowledged=report.acknowledged + acknowledged,
            refused=report.refused + len(before) - len(unknown) - acknowledged,
            committed=report.committed + len(committed),
            rolled_back=report.rolled_back + len(unknown) - len(committed),
            lost=report.lost + lost,
            again=report.again + len(journal.calls) - len(before),
            violations=(*report.violations, *dict.fromkeys(seen)),
            recovery_seconds=(*report.recovery_seconds, recovery),
        )

    def _recover(self) -> float:
        """Seconds from the order to start until the first answer."""
        began = perf_counter()
        self._server.restart()
        with psycopg.connect(self._dsn) as connection:
            connection.execute("SELECT")
        return perf_counter() - began

    @contextmanager
    def _owner(self) -> Iterator[psycopg.Connection[Any]]:
        """A superuser's session for the start and the end, while the server is up."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            # Whatever the server is told of commits: if a start were lost, all that follows would look lost.
            connection.execute("SET synchronous_commit = on")
            if self._installed:
                self._world.attach(connection)
            else:
                self._world.install(connection)
                self._installed = True
            yield connection

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            self._runner.run(work)
        except ExceptionGroup as failures:
            # One is enough to say what is wrong.
            raise failures.exceptions[0] from None

    async def _until_crash(self, journal: Journal, writers: Sequence[Writer], random: Random) -> None:
        left = random.randint(WRITERS, MOMENT_MAX)
        delay, how = random.uniform(0, DELAY_SECONDS_MAX), random.choice(tuple(Crash))
        due = asyncio.Event()

        async def write(writer: Writer, connection: Connection) -> None:
            nonlocal left
            for operation in writer:
                left -= 1
                if left == 0:
                    due.set()
                result = await journal.ask(self._perform, connection, writer.session, operation)
                if result.status is Status.UNKNOWN or connection.closed:
                    break
                if result.status is Status.OK:
                    writer.knows(operation)
            # Whoever is done, or cut off by something else, does not keep the crash waiting.
            due.set()

        async with clients(self._dsn, self._subject, len(writers)) as connections, asyncio.TaskGroup() as group:
            for writer, connection in zip(writers, connections, strict=True):
                group.create_task(write(writer, connection))
            await due.wait()
            await asyncio.sleep(delay)
            # In a thread of its own, for the clients go on until they are cut off.
            await asyncio.to_thread(self._server.crash, how)

    async def _after_crash(self, journal: Journal, writers: Sequence[Writer], committed: Collection[Call]) -> None:
        before = journal.calls

        async def go_on(writer: Writer, connection: Connection) -> None:
            for call in before:
                if call.session == writer.session and call.result.status is Status.UNKNOWN:
                    if call in committed:
                        writer.knows(call.operation)
                    # Stripe delivers again until it has an answer, and need not look.
                    if call not in committed or isinstance(call.operation, Deliver | TopUp):
                        await ask(writer, connection, call.operation)
            for operation in islice(writer, AFTER):
                await ask(writer, connection, operation)

        async def ask(writer: Writer, connection: Connection, operation: Operation) -> None:
            result = await journal.ask(self._perform, connection, writer.session, operation)
            if result.status is Status.OK:
                writer.knows(operation)

        async with clients(self._dsn, self._subject, len(writers)) as connections, asyncio.TaskGroup() as group:
            for writer, connection in zip(writers, connections, strict=True):
                group.create_task(go_on(writer, connection))
