"""Where a customer pays: checkout sessions, made by the ``stripe`` library's asynchronous client.

A session is asked for after the purchase was committed, with the id of the purchase as Stripe's own idempotency key and
with nothing else that changes: whoever asks again, after a crash or with the same key, is given the same session. It
ends before the leads are free again; when it is too late for that, there is none.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import stripe
from stripe.params.checkout import SessionCreateParams

from harness.purchase.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Bill:
    """What is to be paid, in cents, until when (Unix seconds). ``kind`` is purchase or credit_purchase."""

    kind: str
    about: UUID
    cents: int
    expires_at: int
    what: str


class Checkout(Protocol):
    """Where to pay a bill. Raises ``Refusal``: ``try_again``, ``checkout_closed``, ``payment_provider``."""

    async def open(self, bill: Bill) -> str: ...


class StripeCheckout:
    """Stripe's. ``base`` is the address of its API, None for the real one."""

    def __init__(self, api_key: str, base: str | None, success_url: str, timeout_s: float) -> None:
        self._success_url = success_url
        self._http = stripe.HTTPXClient(timeout=timeout_s)
        self._stripe = stripe.StripeClient(
            api_key, base_addresses={"api": base} if base else {}, http_client=self._http, max_network_retries=1
        )

    async def open(self, bill: Bill) -> str:
        """The address of the session of this bill."""
        if bill.expires_at <= time.time():
            raise Refusal("checkout_closed")
        metadata = {f"{bill.kind}_id": str(bill.about)}
        wanted: SessionCreateParams = {
            "mode": "payment",
            "line_items": [
                {
                    "price_data": {
                        "currency": "usd",
                        "unit_amount": bill.cents,
                        "product_data": {"name": bill.what},
                    },
                    "quantity": 1,
                }
            ],
            "success_url": self._success_url,
            "expires_at": bill.expires_at,
            "client_reference_id": str(bill.about),
            "metadata": metadata,
            # A refund is told about the charge, and that has the metadata of its payment intent.
            "payment_intent_data": {"metadata": metadata},
        }
        try:
            session = await self._stripe.v1.checkout.sessions.create_async(wanted, {"idempotency_key": str(bill.about)})
        except (stripe.APIConnectionError, stripe.RateLimitError) as error:
            raise Refusal("try_again", {"outcome": "unknown"}) from error
        except stripe.StripeError as error:
            if (error.http_status or 0) >= 500 or error.http_status == 409:
                raise Refusal("try_again", {"outcome": "unknown"}) from error
            if isinstance(error, stripe.InvalidRequestError) and error.param == "expires_at":
                raise Refusal("checkout_closed") from error
            raise Refusal("payment_provider") from error
        if session.url is None:
            raise Refusal("checkout_closed")
        return session.url

    async def close(self) -> None:
        """Let go of the connections to Stripe."""
        await self._http.close_async()  # type: ignore[no-untyped-call]
