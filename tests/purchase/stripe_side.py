"""Stripe's side of a webhook: the events that it sends and how it signs them, written from its documentation.

Signature: ``t=<unix time>,v1=<hex>``, where hex is HMAC-SHA256 of ``<unix time>.<body>`` with the endpoint's secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from decimal import Decimal
from typing import Any

SECRET = "whsec_of_the_tests"


def sign(body: bytes, secret: str = SECRET, *, age: int = 0) -> str:
    """The ``Stripe-Signature`` header of a body that was signed so many seconds ago."""
    at = int(time.time()) - age
    digest = hmac.new(secret.encode(), str(at).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def event(id_: str, kind: str, purchase: object, total: Decimal, **changes: Any) -> bytes:
    """The body of an event about the checkout (or the charge) of a purchase; ``changes`` replace members of it."""
    thing: dict[str, Any] = {"metadata": {"purchase_id": str(purchase)}, "currency": "usd"}
    cents = int(total * 100)
    if kind.startswith("charge."):
        thing |= {"object": "charge", "id": f"ch_{id_}", "amount": cents, "amount_refunded": cents, "refunded": True}
    else:
        paid = {"completed": "paid", "async_payment_succeeded": "paid"}.get(kind.rpartition(".")[2], "unpaid")
        thing |= {"object": "checkout.session", "id": f"cs_{id_}", "amount_total": cents, "payment_status": paid}
    document = {"id": id_, "object": "event", "type": kind, "created": int(time.time()), "livemode": False}
    return json.dumps(document | {"data": {"object": thing | changes}}).encode()
