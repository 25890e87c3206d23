"""A few connections for many requests, and new ones for those that are lost."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Coroutine
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Any

import psycopg

from harness.purchase.refusals import Refusal
from harness.purchase.steady import SteadyConnection

DIAL_S = 5
AGAIN_S, AGAIN_S_MAX = 0.05, 1.0
"""After how long a connection that could not be made is tried again: at first, and at most."""

GRACE_S = 2.0
"""How much longer a connection may be silent than its statement may run: the server sees to that, unless it is lost."""

LOOK_EVERY_S = 1.0

PLANS = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off"
"""Every statement of the functions finds its rows by a key. Planned for each call they take twice the time; and a plan
that was made while the tables were empty would read them whole for as long as a connection lives."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """``size`` connections. A request waits ``wait_s`` for one; a statement runs for ``statement_s``."""

    size: int = 8
    wait_s: float = 2.0
    statement_s: float = 10.0


class Pool:
    """Connections to ``dsn`` in a role. An asynchronous context manager; raises what psycopg raises."""

    def __init__(self, dsn: str, role: str, limits: Limits) -> None:
        self._dsn = dsn
        self._role = role
        self._limits = limits
        self._all: set[SteadyConnection] = set()
        self._idle: deque[SteadyConnection] = deque()
        self._waiting: OrderedDict[asyncio.Future[SteadyConnection], None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = False
        self._outage = False
        """From the first attempt that failed, which is logged, until all connections are there, which is, too."""

    async def __aenter__(self) -> Pool:
        self._open = True
        dialled = await asyncio.gather(*(self._dial() for _ in range(self._limits.size)), return_exceptions=True)
        made = [each for each in dialled if isinstance(each, SteadyConnection)]
        if failures := [each for each in dialled if isinstance(each, BaseException)]:
            for connection in made:
                await connection.close()
            raise failures[0]
        for connection in made:
            self._add(connection)
        self._start(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open = False
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in self._all:
            await connection.close()

    def connection(self) -> Lease:
        """``async with`` it: a connection for one request."""
        return Lease(self)

    def in_state(self) -> dict[str, int]:
        """How many connections are idle, busy, and missing."""
        idle = len(self._idle)
        return {"idle": idle, "busy": len(self._all) - idle, "missing": self._limits.size - len(self._all)}

    async def take(self) -> SteadyConnection:
        """Raises ``Refusal`` ``try_again`` when there is none for too long."""
        while self._idle:
            connection = self._idle.popleft()
            if connection.usable:
                return connection
            self._replace(connection)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[SteadyConnection] = loop.create_future()
        self._waiting[future] = None
        timer = loop.call_later(self._limits.wait_s, _give_up, future)
        try:
            return await future
        except TimeoutError as error:
            raise Refusal("try_again", {"outcome": "not done"}) from error
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.give_back(future.result())
            raise
        finally:
            timer.cancel()
            self._waiting.pop(future, None)

    def give_back(self, connection: SteadyConnection) -> None:
        """To whoever waits longest; a connection that is of no use any more is replaced."""
        if not connection.usable:
            self._replace(connection)
            return
        while self._waiting:
            future, _ = self._waiting.popitem(last=False)
            if not future.done():
                future.set_result(connection)
                return
        self._idle.append(connection)

    def _add(self, connection: SteadyConnection) -> None:
        self._all.add(connection)
        connection.attend(lambda: self._lost(connection))
        self.give_back(connection)

    def _lost(self, connection: SteadyConnection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
            self._replace(connection)

    def _replace(self, connection: SteadyConnection) -> None:
        if connection not in self._all:
            return
        self._all.discard(connection)
        connection.abandon()
        if self._open:
            self._start(self._dial_until_there())

    async def _dial(self) -> SteadyConnection:
        milliseconds = int(1000 * self._limits.statement_s)
        return await SteadyConnection.connect(
            self._dsn,
            autocommit=True,
            prepare_threshold=0,
            connect_timeout=DIAL_S,
            application_name="marketplace api",
            options=f"-c role={self._role} -c statement_timeout={milliseconds} {PLANS}",
        )

    async def _dial_until_there(self) -> None:
        pause = AGAIN_S
        while True:
            try:
                connection = await self._dial()
            except (psycopg.Error, OSError) as error:
                if not self._outage:
                    self._outage = True
                    log.warning("no connection to the database, which is dialled again: %s", type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(2 * pause, AGAIN_S_MAX)
            else:
                self._add(connection)
                if self._outage and len(self._all) == self._limits.size:
                    self._outage = False
                    log.warning("all connections to the database are there again")
                return

    async def _watch(self) -> None:
        """End connections whose server has said nothing for longer than it may."""
        patience = self._limits.statement_s + GRACE_S
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for connection in tuple(self._all):
                if connection.busy_since and monotonic() - connection.busy_since > patience:
                    connection.abandon()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Lease:
    """A connection from a pool, and back to it."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> SteadyConnection:
        self._connection = await self._pool.take()
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.give_back(self._connection)


def _give_up(future: asyncio.Future[SteadyConnection]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())
