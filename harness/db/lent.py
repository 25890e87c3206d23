"""A session's connection as a program of the user's gets it: ordinary psycopg, new for each run.

The backend goes on from run to run. What a program sets on its connection (row factory, autocommit, adapters) does not,
and so cannot make the next run another one. Both kinds wait by handing the round trip to whoever drives the program:
the asynchronous one awaits it, the blocking one stands still on a greenlet of its own. No threads, no event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import copy_context
from types import coroutine
from typing import Any, TypeVar, cast

import psycopg
from greenlet import getcurrent, greenlet
from psycopg import pq
from psycopg.abc import PQGen

from harness.db.controlled import ControlledConnection, RoundTrip, execute_plainly
from harness.words.errors import UsageError

T = TypeVar("T")

_INTERVAL_S = 0.1
"""psycopg's own, between looks for Ctrl-C."""

_IDLE = pq.TransactionStatus.IDLE
_OPEN = (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR)


class AwaitingConnection(ControlledConnection):
    """The asynchronous kind, in autocommit mode."""

    def __init__(self, owner: ControlledConnection) -> None:
        self._owner = owner
        with _keeping_its_ear(owner):
            super().__init__(owner.pgconn)
        self._autocommit = True
        _take_over(owner, self)

    def __del__(self, _warn: Any = None) -> None:
        """The backend goes on: nothing is left open by mistake."""

    @property
    def statement(self) -> Any:
        """What it is about to send (see ``ControlledConnection``)."""
        return self._owner.statement

    @statement.setter
    def statement(self, statement: Any) -> None:
        self._owner.statement = statement

    async def wait(self, gen: PQGen[Any], interval: float = 0.0, timeout: float | None = None) -> Any:
        if self.closed or _asks_nothing(gen):
            return psycopg.waiting.wait(gen, self.pgconn.socket)  # raises what psycopg says of a closed connection
        return await super().wait(gen, interval, timeout)

    async def commit(self) -> None:
        if self.pgconn.transaction_status != _IDLE:
            self.statement = "COMMIT"
            await super().commit()

    async def rollback(self) -> None:
        if self.pgconn.transaction_status != _IDLE:
            self.statement = "ROLLBACK"
            await super().rollback()

    async def close(self) -> None:
        if self.pgconn.transaction_status in _OPEN:  # else its locks would go when the server likes
            await self.rollback()
        await super().close()

    @asynccontextmanager
    async def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> AsyncIterator[psycopg.AsyncTransaction]:
        opens, commits, rolls_back = _words(self.pgconn)
        self.statement = opens
        async with super().transaction(savepoint_name, force_rollback) as transaction:
            try:
                yield transaction
            except BaseException:
                self.statement = rolls_back
                raise
            self.statement = rolls_back if force_rollback else commits


class BlockingConnection(psycopg.Connection[Any]):
    """The blocking kind, in autocommit mode.

    While a program runs on it (``blocking``), its round trips are made by whoever drives that program. Otherwise, and
    inside ``aside``, it waits as every psycopg connection does.
    """

    def __init__(self, owner: ControlledConnection) -> None:
        self._owner = owner
        self.program: greenlet | None = None
        """On which the program runs that has the connection."""
        with _keeping_its_ear(owner):
            super().__init__(owner.pgconn)
        self._autocommit = True
        self.cursor_factory = _Cursor
        _take_over(owner, self)

    def __del__(self, _warn: Any = None) -> None:
        """The backend goes on: nothing is left open by mistake."""

    def note(self, statement: Any) -> None:
        """This is about to be sent."""
        if self.program is not None:
            self._owner.statement = statement

    def wait(self, gen: PQGen[Any], interval: float = _INTERVAL_S, timeout: float | None = None) -> Any:
        if self.program is None or self.closed or _asks_nothing(gen):
            return super().wait(gen, interval, timeout)
        if getcurrent() is not self.program:
            raise UsageError(
                "another-thread",
                "the connection of a program was used in a thread or greenlet that the program started",
                expected="blocking code in the program itself",
                remedy="make each of them a program of its own",
            )
        parent = self.program.parent
        assert parent is not None
        return parent.switch(RoundTrip(gen))

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is asked inside is no part of the schedule. It must not wait for another session, nor call a function
        that is under test.
        """
        program, self.program = self.program, None
        try:
            yield
        finally:
            self.program = program

    def commit(self) -> None:
        if self.pgconn.transaction_status != _IDLE:
            self.note("COMMIT")
            super().commit()

    def rollback(self) -> None:
        if self.pgconn.transaction_status != _IDLE:
            self.note("ROLLBACK")
            super().rollback()

    def close(self) -> None:
        if self.pgconn.transaction_status in _OPEN:  # else its locks would go when the server likes
            self.rollback()
        super().close()

    @contextmanager
    def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> Iterator[psycopg.Transaction]:
        opens, commits, rolls_back = _words(self.pgconn)
        self.note(opens)
        with super().transaction(savepoint_name, force_rollback) as transaction:
            try:
                yield transaction
            except BaseException:
                self.note(rolls_back)
                raise
            self.note(rolls_back if force_rollback else commits)


class _Cursor(psycopg.Cursor[Any]):
    """Notes what it is about to send, for the report."""

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        cast(BlockingConnection, self._conn).note(query)
        return super().execute(query, *args, **kwargs)

    def executemany(self, query: Any, *args: Any, **kwargs: Any) -> None:
        cast(BlockingConnection, self._conn).note(query)
        super().executemany(query, *args, **kwargs)


@coroutine
def blocking(connection: BlockingConnection, function: Callable[[BlockingConnection], T]) -> Generator[Any, Any, T]:
    """``await blocking(connection, function)`` calls ``function(connection)`` and awaits its round trips.

    When the awaiting coroutine is closed, ``GreenletExit`` is raised where the function stands, so that it cleans up.
    """
    program = connection.program = greenlet(function)
    program.gr_context = copy_context()
    try:
        trip = program.switch(connection)
        while not program.dead:
            try:
                answer = yield trip
            except GeneratorExit:
                program.throw()
                if not program.dead:
                    raise RuntimeError("the program made a round trip when it was to end") from None
                raise
            except BaseException as error:
                trip = program.throw(error)
            else:
                trip = program.switch(answer)
        return cast(T, trip)
    finally:
        connection.program = None


def _asks_nothing(gen: PQGen[Any]) -> bool:
    """``autocommit = False`` and its like look at the connection and are no round trip."""
    return getattr(gen, "__name__", "").startswith("_set_")


def _words(pgconn: pq.abc.PGconn) -> tuple[str, str, str]:
    """How a transaction block begins and ends; one inside another is a savepoint."""
    if pgconn.transaction_status == _IDLE:
        return "BEGIN", "COMMIT", "ROLLBACK"
    return "SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT"


@contextmanager
def _keeping_its_ear(owner: ControlledConnection) -> Iterator[None]:
    """psycopg's constructor takes the notices for itself, and the session must hear its points."""
    handler = owner.pgconn.notice_handler
    yield
    owner.pgconn.notice_handler = handler


def _take_over(owner: ControlledConnection, connection: psycopg.BaseConnection[Any]) -> None:
    """Each numbers its prepared statements from 0, and prepares those alone that it is told to prepare."""
    before = owner.lent
    if before is not None and before._prepared._names:
        execute_plainly(owner.pgconn, "DEALLOCATE ALL")
    connection._prepared.prepare_threshold = None
    owner.lent = connection
