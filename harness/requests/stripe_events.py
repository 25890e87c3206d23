"""Stripe's webhook events about what scenarios name, as bodies that can be signed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

PAID = "checkout.session.completed"
CAPTURED = (PAID, "checkout.session.async_payment_succeeded")
REFUNDED = "charge.refunded"


def event_body(event: str, kind: str, about: tuple[str, str], total: Decimal) -> bytes:
    """``about`` is the name of the metadata, ``purchase_id`` or ``credit_purchase_id``, and its value."""
    name, id_ = about
    cents = int(total * 100)
    thing: dict[str, Any] = {"metadata": {name: id_}, "currency": "usd"}
    if kind == REFUNDED:
        thing |= {"object": "charge", "amount": cents, "amount_refunded": cents, "refunded": True}
    else:
        thing |= {"object": "checkout.session", "amount_total": cents}
        thing["payment_status"] = "paid" if kind in CAPTURED else "unpaid"
    return json.dumps({"id": event, "object": "event", "type": kind, "data": {"object": thing}}).encode()
