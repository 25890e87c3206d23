"""The purchase API as the clients of an arena use it: the real application, over HTTP, each on its own connection."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from harness.purchase.app import create_app
from harness.purchase.checkout import Bill, Checkout
from harness.purchase.connections import Connection
from harness.purchase.settings import Settings
from harness.purchase.store import Event, Functions
from tests.purchase.stripe_side import SECRET
from tests.purchase.visitor import Answer, call


@dataclass
class Caller:
    """Who is asking, in the task that asks. ``done_before`` is what the database said of a delivery."""

    connection: Connection
    new_id: UUID | None
    done_before: bool | None = None


CALLER: ContextVar[Caller] = ContextVar("CALLER")


class Own:
    """The caller's connection."""

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        yield CALLER.get().connection


class Noted(Functions):
    """The API tells Stripe no more than that it has received the event; a test wants to know what became of it."""

    async def apply_event(self, connection: Connection, event: Event) -> bool:
        CALLER.get().done_before = done_before = await super().apply_event(connection, event)
        return done_before


class AtOnce:
    """A checkout that is open at once and that nobody pays."""

    async def open(self, bill: Bill) -> str:
        return f"https://pay.test/{bill.about}"


class Api:
    """The application. ``answers`` are all that it gave, as they came back."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.checkout: Checkout = AtOnce()
        self._app = create_app(Own(), self, Settings(SECRET), store=Noted(), new_id=self._new_id)

    async def open(self, bill: Bill) -> str:
        """By whatever checkout a test has put in."""
        return await self.checkout.open(bill)

    async def ask(
        self, caller: Caller, path: str, body: bytes | Mapping[str, Any], headers: Mapping[str, str | None]
    ) -> Answer:
        """POST it, as this caller. A header of None is left out."""
        CALLER.set(caller)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"content-type": "application/json", "content-length": str(len(raw)), **headers}
        pairs = [(name.encode(), value.encode()) for name, value in given.items() if value is not None]
        answer = await call(self._app, "POST", path, pairs, [raw])
        self.answers.append(answer)
        return answer

    @staticmethod
    def _new_id() -> UUID:
        id_ = CALLER.get().new_id
        assert id_ is not None
        return id_
