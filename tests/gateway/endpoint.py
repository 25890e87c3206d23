"""A webhook endpoint in this process that answers as a test tells it and remembers what came."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.gateway.carrier import UnansweredError
from harness.gateway.gateway import Gateway
from harness.gateway.mischief import Mischief

URL = "http://shop.test/webhooks"
SECRET = "whsec_of_these_tests"
FORM = {
    "mode": "payment",
    "success_url": "https://shop.test/done",
    "line_items": [{"price_data": {"currency": "usd", "unit_amount": "1250", "product_data": {"name": "a lead"}}}],
    "metadata": {"purchase_id": "p"},
    "payment_intent_data": {"metadata": {"purchase_id": "p"}},
}
"""What ``POST /v1/checkout/sessions`` is asked for."""


@dataclass
class Received:
    """One request, in the order of their beginnings."""

    body: bytes
    signature: str

    @property
    def event(self) -> dict[str, Any]:
        return dict(json.loads(self.body))

    @property
    def purchase(self) -> str:
        return str(self.event["data"]["object"]["metadata"]["purchase_id"])


class Endpoint:
    """``status`` decides on the answer to request number n; a request takes ``seconds``."""

    def __init__(self, status: Callable[[int], int] = lambda _: 200, seconds: float = 0) -> None:
        self.received: list[Received] = []
        self.at_once_max = 0
        self._at_once = 0
        self._status = status
        self._seconds = seconds

    async def carry(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        assert url == URL
        number = len(self.received)
        self.received.append(Received(body, headers["stripe-signature"]))
        self._at_once += 1
        self.at_once_max = max(self.at_once_max, self._at_once)
        await asyncio.sleep(self._seconds)
        self._at_once -= 1
        status = self._status(number)
        if status == 0:
            raise UnansweredError("nobody is there")
        return status, f"answer {number}".encode()

    async def close(self) -> None:
        """Nothing is open."""

    @property
    def types(self) -> list[str]:
        return [each.event["type"].removeprefix("checkout.session.") for each in self.received]

    @property
    def purchases(self) -> list[str]:
        return [each.purchase for each in self.received]

    def gateway(self, **mischief: Any) -> Gateway:
        return Gateway(URL, [SECRET], mischief=Mischief().but(mischief), carrier=self)


def opened(gateway: Gateway, purchase: str = "p") -> str:
    """A checkout session for a purchase; its id."""
    metadata = {"purchase_id": purchase}
    return gateway.books.open({**FORM, "metadata": metadata, "payment_intent_data": {"metadata": metadata}}).id
