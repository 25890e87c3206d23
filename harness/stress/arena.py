"""An arena: a start in a subject's own tables, and as many clients as one likes who come at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
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
    "key-once",
)
"""The properties that a history of hundreds of overlapping operations can be judged by.

``serializable`` is searched for in a time that grows exponentially with them; ``no-hang`` reads events of the engine,
and ``no-leak`` what a stage finds after a run.
"""

_LOOK_EVERY_S = 0.001
_WAIT_S_MAX = 60


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
        self.dsn = dsn
        self.subject = subject
        self._start = start
        self._world = World(subject, start, operations)
        self.names = self._world.names
        self.perform: Perform = Client(subject, self.names).perform
        self._journal = Journal()
        self._clients: list[Connection] = []
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            self.owner: psycopg.Connection[Any] = entered.enter_context(psycopg.connect(self.dsn, autocommit=True))
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

    def race(self, operations: Sequence[Operation], *, perform: Perform | None = None, first: int = 0) -> Race:
        """A client for each operation, from client ``first`` on; all have sent something before any hears anything.

        Raises ``TimeoutError`` when somebody still has no answer after a minute.
        """
        return self._runner.run(self._race(operations, perform or self.perform, first))

    def begin(self, operation: Operation) -> asyncio.Task[Result]:
        """The first client begins an operation, which goes on whenever others work. ``end`` waits for its answer."""
        return self._runner.run(self._begin(operation))

    def end(self, begun: asyncio.Task[Result]) -> Result:
        return self._runner.run(_answer(begun))

    def go_on_until(self, condition: Callable[[], bool]) -> None:
        """Let what was begun go on until this is so. Raises ``TimeoutError`` when it is not after a minute."""
        self._runner.run(_wait_for(condition))

    def backend(self, client: int) -> int:
        """The process that serves a client, by the server's number for it."""
        return self._clients[client].info.backend_pid

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
            more = clients(self.dsn, self.subject, missing)
            self._clients += await self._connections.enter_async_context(more)

    async def _begin(self, operation: Operation) -> asyncio.Task[Result]:
        await self._gather(1)
        return asyncio.create_task(self._journal.ask(self.perform, self._clients[0], 0, operation))

    async def _race(self, operations: Sequence[Operation], perform: Perform, first: int) -> Race:
        await self._gather(first + len(operations))
        journal, before = self._journal, len(self._journal.calls)
        start = asyncio.Event()

        async def run(session: int, operation: Operation) -> None:
            # Not a Barrier, which lets them go one by one, an answer between two of them.
            await start.wait()
            await journal.ask(perform, self._clients[session], session, operation)

        try:
            async with asyncio.timeout(_WAIT_S_MAX), asyncio.TaskGroup() as group:
                for session, operation in enumerate(operations, first):
                    group.create_task(run(session, operation))
                await asyncio.sleep(0)
                released = perf_counter()
                start.set()
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        seconds = perf_counter() - released
        asked = zip(journal.calls[before:], journal.seconds[before:], strict=True)
        pairs = sorted(asked, key=lambda pair: pair[0].session)
        return Race(tuple(call for call, _ in pairs), seconds, tuple(took for _, took in pairs))


async def _answer(begun: asyncio.Task[Result]) -> Result:
    return await begun


async def _wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(_WAIT_S_MAX):
        while not condition():
            await asyncio.sleep(_LOOK_EVERY_S)
