"""The gateway as a whole: books, deliveries, and a customer who pays."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from harness.gateway.books import Books, Means
from harness.gateway.carrier import Carrier, Sockets
from harness.gateway.checkout import Checkout
from harness.gateway.courier import Courier, Delivery, Endpoint
from harness.gateway.keys import Keys
from harness.gateway.mischief import ApiFate, Mischief, api_fate


class Gateway:
    """An asynchronous context manager; the end of it ends every delivery, and ``outstanding`` says what is left.

    ``url`` and ``secrets`` are those of the webhook endpoint, ``base`` is the gateway's own address, where customers
    pay. ``carrier`` replaces the network: ``Application(app)`` delivers to an application in this process.
    """

    def __init__(
        self,
        url: str | None = None,
        secrets: Sequence[str] = (),
        *,
        mischief: Mischief | None = None,
        base: str = "http://127.0.0.1",
        carrier: Carrier | None = None,
    ) -> None:
        self._carrier = carrier or Sockets()
        self.courier = Courier(self._carrier, Endpoint(url, list(secrets)), mischief or Mischief())
        self.books = Books(self.courier.post, base)
        self.keys = Keys()
        self._requests = 0
        self._settling: set[asyncio.Task[Checkout]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._settling:
            task.cancel()
        try:
            await self.courier.close()
        finally:
            await self._carrier.close()

    def pay(self, session: str, means: Means = Means.IMMEDIATE, after_ms: int = 0) -> Checkout:
        """The customer pays. What becomes of a slow payment is known so many milliseconds later, if it is to be."""
        paid = self.books.pay(session, means)
        if means is not Means.IMMEDIATE:
            task = asyncio.get_running_loop().create_task(self._settle(session, means, after_ms))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)
        return paid

    def settings(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change the endpoint (``url``, ``secrets``) or the ``mischief``; what holds now, the secrets only counted.

        Raises ``ValueError`` for what cannot be; nothing is changed then.
        """
        if unknown := sorted(set(changes) - {"url", "secrets", "mischief"}):
            raise ValueError(f"no setting is called {', '.join(unknown)}")
        endpoint, courier = self.courier.endpoint, self.courier
        url, secrets = changes.get("url", endpoint.url), changes.get("secrets", endpoint.secrets)
        if not (url is None or isinstance(url, str)):
            raise ValueError("url is no text")
        if not isinstance(secrets, list) or not all(isinstance(secret, str) and secret for secret in secrets):
            raise ValueError("secrets is no list of texts")
        mischief = changes.get("mischief", {})
        changed = courier.mischief.but(mischief)
        if changed != courier.mischief:
            courier.mischief = changed
        courier.endpoint = Endpoint(url, secrets)
        return {"url": url, "secrets": len(secrets), "mischief": courier.mischief.document()}

    def fate(self) -> ApiFate | None:
        """What befalls the request to the API that has just come in."""
        self._requests += 1
        return api_fate(self.courier.mischief, self._requests - 1)

    def outstanding(self) -> list[Delivery]:
        """The deliveries that were never answered with a 2xx."""
        return self.courier.outstanding()

    async def drain(self, seconds_max: float = 30.0) -> list[Delivery]:
        """Wait until every event is acknowledged or given up, at most so long; what is outstanding then."""
        deadline = asyncio.get_running_loop().time() + seconds_max
        if self._settling:
            await asyncio.wait(self._settling, timeout=seconds_max)
        return await self.courier.drain(deadline - asyncio.get_running_loop().time())

    async def _settle(self, session: str, means: Means, after_ms: int) -> Checkout:
        await asyncio.sleep(after_ms / 1000)
        return self.books.settle(session, succeeds=means is Means.ASYNC_SUCCEEDS)
