"""Seats: an application each, for one request at a time, on whatever connection the request is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import UUID

import psycopg

from harness.requests.exchange import App


class Seat:
    """What an application gets of the outside: the connection and the next id, both set by whoever has the seat."""

    def __init__(self) -> None:
        self.given: psycopg.AsyncConnection[Any] | None = None
        self.next_id: UUID | None = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """The session's own. It is lent for one request."""
        assert self.given is not None
        yield self.given

    def new_id(self) -> UUID:
        """The id that a purchase is to have, known beforehand so that a run can be made again."""
        assert self.next_id is not None
        return self.next_id


MakeApp = Callable[[Seat], App]
"""How the API is made; a function of a module, since it crosses processes."""


class Seats:
    """As many applications as requests are under way at once: to make one takes longer than a hundred requests."""

    def __init__(self, make: MakeApp) -> None:
        self._make = make
        self._free: list[tuple[Seat, App]] = []

    @contextmanager
    def taken(self, connection: psycopg.AsyncConnection[Any], next_id: UUID | None) -> Iterator[App]:
        """An application for a request on this connection."""
        if self._free:
            seat, app = self._free.pop()
        else:
            seat = Seat()
            app = self._make(seat)
        seat.given, seat.next_id = connection, next_id
        try:
            yield app
        finally:
            seat.given = seat.next_id = None
            self._free.append((seat, app))
