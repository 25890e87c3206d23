"""An arena: a start in a subject's own tables, and as many clients as one likes who come at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import psycopg

from harness.db.migrate import apply
from harness.engine.recorder import Perform
from harness.marketplace.calls import Client
from harness.marketplace.operations import Operation
from harness.marketplace.start import Start, State
from harness.marketplace.subject import Subject
from harness.marketplace.world import World
from harness.stress.clients import Connection, clients
from harness.stress.journal import Journal
from harness.words.history import Call, History, Result, Status

SAFETY = (
    "sold-once",
    "no-overdraft",
    "conservation",
    "charged-once",
    "all-or-nothing",
    "webhook-idempotent",
    "terminal-states",
    "paid-is-served",
    "no-lost-acknowledgement",
    "no-deadlock",
    "no-false-conflict",
)
"""The properties that a history of hundreds of overlapping operations can be judged by.

``serializable`` is searched for in a time that grows exponentially with them; ``no-hang`` reads the engine's events.
"""


def put_in_place(dsn: str, subject: Subject) -> None:
    """The subject as it is, with no scheduling points, in the empty database at ``dsn``; its roles must be there.

    Raises ``UsageError`` for SQL that the server refuses.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        apply(connection, subject.migrations)
        connection.execute("CREATE SCHEMA harness")


@dataclass(frozen=True, slots=True)
class Race:
    """What came of operations that were asked for at the same moment.

    ``seconds`` is the time from that moment to the last answer, ``latencies`` what each operation took, in order.
    """

    calls: tuple[Call, ...]
    seconds: float
    latencies: tuple[float, ...]

    @property
    def results(self) -> tuple[Result, ...]:
        return tuple(call.result for call in self.calls)

    def told(self, status: Status) -> tuple[Call, ...]:
        return tuple(call for call in self.calls if call.result.status is status)

    @property
    def winners(self) -> tuple[Call, ...]:
        return self.told(Status.OK)


class Arena:
    """A context manager. ``operations`` are those to come, as far as they make purchases: their names need ids.

    Client number n is session n of the history and keeps its connection. ``dsn`` is a superuser's, of a database made
    ready by ``put_in_place``; nobody else may use it meanwhile. Raises what ``World`` and ``Client`` raise.
    """

    def __init__(self, dsn: str, subject: Subject, start: Start, operations: Iterable[Operation] = ()) -> None:
        self._dsn = dsn
        self._subject = subject
        self._start = start
        self._world = World(subject, start, operations)
        self.names = self._world.names
        self.perform: Perform = Client(subject, self.names).perform
        self._journal = Journal()
        self._clients: list[Connection] = []
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            self.owner: psycopg.Connection[Any] = entered.enter_context(psycopg.connect(self._dsn, autocommit=True))
            self._world.install(self.owner)
            self._runner = entered.enter_context(asyncio.Runner())
            self._connections = AsyncExitStack()
            entered.callback(lambda: self._runner.run(self._connections.aclose()))
            self._exits = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exits.__exit__(kind, error, traceback)

    def reset(self) -> None:
        """Back to the start, with an empty history."""
        self._world.reset(self.owner)
        self._journal = Journal()

    def ask(self, operation: Operation, *, perform: Perform | None = None) -> Result:
        """One operation by the first client, alone."""
        return self.race([operation], perform=perform).results[0]

    def race(self, operations: Sequence[Operation], *, perform: Perform | None = None) -> Race:
        """A client for each operation; all of them send their first statement at the same moment."""
        return self._runner.run(self._race(operations, perform or self.perform))

    def gather(self, count: int) -> None:
        """Have so many clients connected, so that a race need not wait for them."""
        self._runner.run(self._gather(count))

    def state(self) -> State:
        return self._world.read(self.owner)

    def history(self) -> History:
        """Everything since the start, and what is there now."""
        return History(self._journal.calls, self._start, self.state())

    async def _gather(self, count: int) -> None:
        if (missing := count - len(self._clients)) > 0:
            more = clients(self._dsn, self._subject, missing)
            self._clients += await self._connections.enter_async_context(more)

    async def _race(self, operations: Sequence[Operation], perform: Perform) -> Race:
        await self._gather(len(operations))
        journal, first = self._journal, len(self._journal.calls)
        barrier = asyncio.Barrier(len(operations))
        released = 0.0

        async def run(session: int, operation: Operation) -> None:
            nonlocal released
            await barrier.wait()
            released = released or perf_counter()
            await journal.ask(perform, self._clients[session], session, operation)

        try:
            async with asyncio.TaskGroup() as group:
                for session, operation in enumerate(operations):
                    group.create_task(run(session, operation))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        seconds = perf_counter() - released
        pairs = sorted(
            zip(journal.calls[first:], journal.seconds[first:], strict=True), key=lambda pair: pair[0].session
        )
        return Race(tuple(call for call, _ in pairs), seconds, tuple(took for _, took in pairs))
