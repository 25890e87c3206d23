"""Real psycopg client programs under control: no threads, no event loop.

psycopg performs every round trip by a generator that it hands to ``connection.wait()``. Here ``wait`` awaits an object
of ours instead, so that ordinary ``async def`` code (cursors, ``async with connection.transaction()``) stops before
each round trip and whoever drives the coroutine decides when it goes on.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from typing import Any, cast

import psycopg
from psycopg import generators, pq, waiting
from psycopg.abc import PQGen

from harness.db.rows import Rows, rows_of
from harness.words.errors import CouldNotRun

_GONE_S = 10.0
"""How long a backend may take to end, seconds."""


class RoundTrip:
    """One round trip that waits to be started: psycopg's generator, not yet run.

    The driver of the coroutine receives it from ``send``, runs ``generator`` against the socket and sends the result
    back (or throws the error).
    """

    __slots__ = ("generator",)

    def __init__(self, generator: PQGen[Any]) -> None:
        self.generator = generator

    def __await__(self) -> Generator[RoundTrip, Any, Any]:
        return (yield self)


class ControlledCursor(psycopg.AsyncCursor[Any]):
    """Notes what it is about to send, for the report, and what came back, where somebody wants to know."""

    async def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        connection = cast(ControlledConnection, self._conn)
        connection.statement = query
        await super().execute(query, *args, **kwargs)
        if connection.came_back is not None and self.pgresult is not None and self.pgresult.nfields:
            connection.came_back.append(rows_of(self.pgresult))
        return self


class ControlledConnection(psycopg.AsyncConnection[Any]):
    """An ``AsyncConnection`` whose coroutines yield :class:`RoundTrip` objects to whoever drives them."""

    def __init__(self, pgconn: pq.abc.PGconn) -> None:
        super().__init__(pgconn)
        self.cursor_factory = ControlledCursor
        self.statement: Any = None
        self.came_back: list[Rows] | None = None
        """The answers to its statements that have columns; None where nobody wants to know."""
        self.lent: psycopg.BaseConnection[Any] | None = None
        """As it was given last to a program that must not change it (``harness.db.lent``)."""
        self.successor: ControlledConnection | None = None
        """What its client has instead, since this one was lost."""

    @property
    def live(self) -> ControlledConnection:
        """The connection that its client has now."""
        return self if self.successor is None else self.successor.live

    @property
    def closed(self) -> bool:
        return self.successor is not None or super().closed

    def take_statement(self) -> str:
        """The statement of the round trip that is about to start; empty for one that psycopg makes by itself."""
        statement, self.statement = self.statement, None
        if statement is None:
            return ""
        if isinstance(statement, bytes):
            return statement.decode()
        return statement if isinstance(statement, str) else str(statement.as_string(self))

    async def wait(self, gen: PQGen[Any], interval: float = 0.0, timeout: float | None = None) -> Any:
        # psycopg's interval serves Ctrl-C and its timeout the pool: the stage has a watchdog for both.
        del interval, timeout
        if self.successor is not None:
            raise psycopg.OperationalError("the connection is lost")
        return await RoundTrip(gen)


def connect_controlled(dsn: str) -> ControlledConnection:
    """A controlled connection in autocommit mode, made with an ordinary blocking connect.

    Raises ``CouldNotRun`` when the server refuses.
    """
    try:
        pgconn = waiting.wait_conn(generators.connect(dsn), timeout=30.0)
    except psycopg.Error as error:
        raise CouldNotRun(
            "session-refused",
            f"the server refused a client session: {str(error).strip()}",
            remedy="check max_connections and the server's log",
        ) from error
    connection = ControlledConnection(pgconn)
    connection._autocommit = True  # the public setter is a coroutine, and there is nobody to drive it yet
    return connection


def hang_up(pgconn: pq.abc.PGconn) -> None:
    """Close a connection; back when the server has closed its end too, which is when the backend's process is gone.

    Raises ``CouldNotRun`` for a backend that stays.
    """
    with socket.socket(fileno=os.dup(pgconn.socket)) as line:
        line.settimeout(_GONE_S)
        try:
            line.shutdown(socket.SHUT_WR)
            while line.recv(65536):
                pass
        except TimeoutError as error:
            raise CouldNotRun(
                "backend-stays",
                f"backend {pgconn.backend_pid} has not ended {_GONE_S:g} s after its connection was closed",
                expected="a server that notices it at once",
                remedy="see the server's log; a --dsn must lead to PostgreSQL itself, not to a pooler",
            ) from error
        except OSError:  # reset: it is gone
            pass
    pgconn.finish()


def execute_plainly(pgconn: pq.abc.PGconn, statement: str) -> None:
    """Run a statement on the connection outside any schedule; raises psycopg's error of its SQLSTATE."""
    result = pgconn.exec_(statement.encode())
    if result.status not in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
        raise psycopg.errors.error_from_result(result)
