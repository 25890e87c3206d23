"""A psycopg connection that tells the event loop once that it wants to read, and not for every round trip.

psycopg performs every round trip by a generator that is handed to ``wait``. Ours goes on with it inside the callback of
the socket's reader, which stays registered as long as the connection lives; so the server's word is also heard when
nobody has asked for anything: a connection that was closed is known before somebody sends something on it.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from time import monotonic
from typing import Any

import psycopg
from psycopg import pq, waiting
from psycopg.abc import PQGen

LOST = "the connection was lost"
CANCEL_S = 2.0
"""How long a server may take to cancel a statement."""


class SteadyConnection(psycopg.AsyncConnection[Any]):
    """In autocommit, for one statement at a time. ``attend`` it once it is connected, and call ``close`` at the end."""

    _generator: PQGen[Any] | None = None
    _answer: asyncio.Future[Any] | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _fileno = -1
    busy_since = 0.0
    """When the statement that is being carried out was sent, by ``time.monotonic``; 0 when there is none."""

    def attend(self, when_lost: Callable[[], None]) -> None:
        """Listen from now on. ``when_lost`` is called when the server has gone while nobody was asking."""
        self._when_lost = when_lost
        self._loop = asyncio.get_running_loop()
        self._fileno = self.pgconn.socket
        self._poll = select.poll()
        self._poll.register(self._fileno, select.POLLIN)
        self._loop.add_reader(self._fileno, self._readable)

    @property
    def usable(self) -> bool:
        """Nothing is being asked, no transaction is open, and the server has not said good-bye."""
        if self.pgconn.transaction_status != pq.TransactionStatus.IDLE:
            return False
        return self.pgconn.status == pq.ConnStatus.OK and not self._poll.poll(0)

    async def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        """Carry out a generator of psycopg's to its end, and give its result."""
        if self._loop is None:
            return await super().wait(gen, interval, timeout)
        try:
            state = next(gen)
        except StopIteration as done:
            return done.value
        self._generator, self._answer = gen, self._loop.create_future()
        self.busy_since = monotonic()
        if state & waiting.Wait.W:
            self._loop.add_writer(self._fileno, self._writable)
        try:
            return await self._answer
        except asyncio.CancelledError:
            await self._withdraw()
            raise
        finally:
            self.busy_since = 0.0
            self._generator = self._answer = None

    async def _withdraw(self) -> None:
        """Whoever asked will not hear the answer: have the server undo it, and hear that it has ended."""
        assert self._loop is not None
        self._answer = self._loop.create_future()
        try:
            async with asyncio.timeout(CANCEL_S):
                await self.cancel_safe(timeout=CANCEL_S)
                if self._generator is not None:
                    await self._answer
        except psycopg.errors.QueryCanceled:
            return
        except (psycopg.Error, TimeoutError, asyncio.CancelledError):
            self.abandon()

    def abandon(self) -> None:
        """End the connection at once; whoever waits for an answer is told that it was lost."""
        self._deaf()
        self.pgconn.finish()
        self._fail(psycopg.OperationalError(LOST))

    async def close(self) -> None:
        """Good-bye, to the event loop and to the server."""
        self._deaf()
        await super().close()

    def _deaf(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._fileno)
            self._loop.remove_writer(self._fileno)
            self._loop = None

    def _readable(self) -> None:
        if self._generator is None:
            self._hear()
        else:
            self._go_on(waiting.Ready.R)

    def _writable(self) -> None:
        self._go_on(waiting.Ready.W)

    def _go_on(self, ready: waiting.Ready) -> None:
        assert self._generator is not None
        assert self._answer is not None
        try:
            state = self._generator.send(ready)
        except StopIteration as done:
            self._generator = None
            if not self._answer.done():
                self._answer.set_result(done.value)
        except Exception as error:
            self._fail(error)
        else:
            assert self._loop is not None
            if state & waiting.Wait.W:
                self._loop.add_writer(self._fileno, self._writable)
            elif ready & waiting.Ready.W:
                self._loop.remove_writer(self._fileno)
        if self.pgconn.status != pq.ConnStatus.OK:
            self._deaf()

    def _fail(self, error: Exception) -> None:
        self._generator = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _hear(self) -> None:
        """The server says something unasked: good-bye, or that it has new settings. Either way we dial anew."""
        self._deaf()
        self._when_lost()
