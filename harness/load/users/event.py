"""An event of Stripe's, and a delivery of it as Stripe sends it: storms need no gateway to make them."""

from __future__ import annotations

import hmac
import json
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

PAID = "checkout.session.completed"
PAID_SLOWLY = "checkout.session.async_payment_succeeded"
EXPIRED = "checkout.session.expired"


@dataclass(frozen=True, slots=True)
class Event:
    """An event of Stripe's about a purchase or a purchase of credits; its id follows from what it says."""

    kind: str
    about: Literal["purchase", "credit_purchase"]
    purchase: str
    cents: int

    @property
    def id(self) -> str:
        return f"evt_{self.kind.rpartition('.')[2]}_{self.purchase}"

    def body(self) -> str:
        """The document that is sent: of the same event always the same."""
        session = {
            "id": f"cs_{self.purchase}",
            "object": "checkout.session",
            "amount_total": self.cents,
            "currency": "usd",
            "metadata": {f"{self.about}_id": self.purchase},
            "payment_status": "paid" if self.kind in (PAID, PAID_SLOWLY) else "unpaid",
        }
        return json.dumps({"id": self.id, "object": "event", "type": self.kind, "data": {"object": session}})


def signature_of(body: str, secret: str) -> str:
    """The header ``Stripe-Signature``, of now."""
    at = int(time.time())
    return f"t={at},v1={hmac.new(secret.encode(), f'{at}.{body}'.encode(), sha256).hexdigest()}"
