"""The purchase API in front of an arena: the real application, whose every answer and whose deliveries are noted."""

from __future__ import annotations

from typing import Any

from harness.purchase.app import create_app
from harness.purchase.checkout import Bill, Checkout
from harness.purchase.connections import Connection
from harness.purchase.settings import Settings
from harness.purchase.store import Event, Functions
from harness.requests.exchange import Answer, App, exchange
from harness.requests.seats import Seat
from tests.purchase.stripe_side import SECRET


class Noted(Functions):
    """The API tells Stripe no more than that it has received the event; a test wants to know what became of it."""

    done_before: bool | None = None

    async def apply_event(self, connection: Connection, event: Event) -> bool:
        self.done_before = await super().apply_event(connection, event)
        return self.done_before


class AtOnce:
    """A checkout that is open at once and that nobody pays."""

    async def open(self, bill: Bill) -> str:
        return f"https://pay.test/{bill.about}"


class Api:
    """Makes applications, one for each request that is under way. ``answers`` are all that they gave."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.checkout: Checkout = AtOnce()
        self._stores: dict[App, Noted] = {}

    def make(self, seat: Seat) -> App:
        """An application on whatever connection has its seat."""
        store = Noted()
        app = create_app(seat, self, Settings(SECRET), store=store, new_id=seat.new_id)

        async def noting(scope: Any, receive: Any, send: Any) -> None:
            parts: list[Any] = []

            async def note(message: Any) -> None:
                parts.append(message)
                await send(message)

            await app(scope, receive, note)
            headers = {name.decode(): value.decode() for name, value in parts[0]["headers"]}
            self.answers.append(Answer(parts[0]["status"], headers, b"".join(part.get("body", b"") for part in parts)))

        self._stores[noting] = store
        return noting

    async def open(self, bill: Bill) -> str:
        """By whatever checkout a test has put in."""
        return await self.checkout.open(bill)

    async def deliver(self, app: App, body: bytes, signature: str | None) -> tuple[Answer, bool]:
        """What somebody who posts to the webhook endpoint is told, and whether the event had had its effect before."""
        headers = {} if signature is None else {"stripe-signature": signature}
        self._stores[app].done_before = None
        answer = await exchange(app, "POST", "/api/webhooks/stripe", headers, body)
        return answer, self._stores[app].done_before is True
