"""Ways to the database: whatever gives a connection for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import psycopg

Connection = psycopg.AsyncConnection[Any]
"""In autocommit, in the role ``marketplace_api``."""


class Connections(Protocol):
    """``async with connections.connection() as connection`` has one for itself.

    Raises what psycopg raises when there is none to be had; ``Refusal`` ``try_again`` when all are in use for too long.
    """

    def connection(self) -> AbstractAsyncContextManager[Connection]: ...


class OneConnection:
    """A connection that somebody else opened and will close, for one request at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """That one."""
        yield self._connection
