"""One checkout session, from its creation to the refund of what was paid in it, and how Stripe's API shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.gateway.refusal import RefusalError

CENTS_MIN = 50
"""The least that can be charged, in the hundredth part of the currency."""

CENTS_MAX = 99_999_999
LIFE_SECONDS_MIN, LIFE_SECONDS_MAX = 30 * 60, 24 * 60 * 60
LIFE_SLACK_SECONDS = 60
"""Clocks differ, and a request takes its time."""

_METADATA_MAX, _NAME_MAX, _VALUE_MAX = 50, 40, 500
_KNOWN = {
    "cancel_url",
    "client_reference_id",
    "customer_email",
    "expand",
    "expires_at",
    "line_items",
    "locale",
    "metadata",
    "mode",
    "payment_intent_data",
    "payment_method_types",
    "success_url",
}


@dataclass(slots=True)
class Checkout:
    """A session, its payment and its charge. Times are Unix seconds, money is in cents.

    ``status`` is open, complete or expired; ``payment_status`` unpaid or paid. ``charge_metadata`` is that of the
    payment intent: Stripe copies it to the charge, and never the session's own.
    """

    id: str
    created: int
    expires_at: int
    amount_total: int
    currency: str
    metadata: Mapping[str, str]
    charge_metadata: Mapping[str, str]
    client_reference_id: str | None
    success_url: str
    cancel_url: str | None
    url: str
    status: str = "open"
    payment_status: str = "unpaid"
    settling: bool = False
    amount_refunded: int = 0
    refunds: list[dict[str, Any]] = field(default_factory=list)

    @property
    def payment_intent(self) -> str:
        return self.id.replace("cs_test_", "pi_")

    @property
    def charge(self) -> str:
        return self.id.replace("cs_test_", "ch_")

    @property
    def paid(self) -> bool:
        return self.payment_status == "paid"

    def document(self) -> dict[str, Any]:
        """The object ``checkout.session``."""
        return {
            "id": self.id,
            "object": "checkout.session",
            "amount_subtotal": self.amount_total,
            "amount_total": self.amount_total,
            "cancel_url": self.cancel_url,
            "client_reference_id": self.client_reference_id,
            "created": self.created,
            "currency": self.currency,
            "expires_at": self.expires_at,
            "livemode": False,
            "metadata": dict(self.metadata),
            "mode": "payment",
            "payment_intent": self.payment_intent if self.status == "complete" else None,
            "payment_method_types": ["card"],
            "payment_status": self.payment_status,
            "status": self.status,
            "success_url": self.success_url,
            "url": self.url if self.status == "open" else None,
        }

    def charge_document(self) -> dict[str, Any]:
        """The object ``charge``; ``refunded`` is true when nothing of it is left."""
        return {
            "id": self.charge,
            "object": "charge",
            "amount": self.amount_total,
            "amount_captured": self.amount_total,
            "amount_refunded": self.amount_refunded,
            "captured": True,
            "created": self.created,
            "currency": self.currency,
            "livemode": False,
            "metadata": dict(self.charge_metadata),
            "paid": True,
            "payment_intent": self.payment_intent,
            "refunded": self.amount_refunded == self.amount_total,
            "status": "succeeded",
        }


def open_checkout(id_: str, parameters: Mapping[str, Any], now: int, base: str) -> Checkout:
    """The session that these parameters of ``POST /v1/checkout/sessions`` ask for; its customer pays at ``base``.

    Raises ``RefusalError`` for what Stripe would not take, and for parameters that this gateway does not know.
    """
    if unknown := sorted(set(parameters) - _KNOWN):
        raise RefusalError(f"Received unknown parameter: {unknown[0]}", code="parameter_unknown", param=unknown[0])
    if parameters.get("mode") != "payment":
        raise RefusalError("This gateway takes payments only.", param="mode")
    amount, currency = _total(_member(parameters, "line_items", list))
    intent = parameters.get("payment_intent_data", {})
    if not isinstance(intent, dict) or set(intent) - {"metadata"}:
        raise RefusalError("Only metadata is known of payment_intent_data.", param="payment_intent_data")
    cancel, reference = (parameters.get(name) for name in ("cancel_url", "client_reference_id"))
    return Checkout(
        id=id_,
        created=now,
        expires_at=_expiry(parameters.get("expires_at"), now),
        amount_total=amount,
        currency=currency,
        metadata=_metadata(parameters.get("metadata", {}), "metadata"),
        charge_metadata=_metadata(intent.get("metadata", {}), "payment_intent_data[metadata]"),
        client_reference_id=reference,
        success_url=_member(parameters, "success_url", str),
        cancel_url=cancel,
        url=f"{base}/pay/{id_}",
    )


def cents(text: Any, param: str) -> int:
    """A positive number of cents. Raises ``RefusalError``."""
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,12}", text) or int(text) == 0:
        raise RefusalError(f"Invalid positive integer: {text}", code="parameter_invalid_integer", param=param)
    return int(text)


def _total(items: list[Any]) -> tuple[int, str]:
    """Amount in cents and currency of the line items."""
    amount, currencies = 0, set()
    for number, item in enumerate(items):
        param = f"line_items[{number}]"
        price = _member(item, "price_data", dict, param)
        _member(_member(price, "product_data", dict, param), "name", str, param)
        quantity = cents(item.get("quantity", "1"), f"{param}[quantity]")
        amount += cents(price.get("unit_amount"), f"{param}[price_data][unit_amount]") * quantity
        currencies.add(_member(price, "currency", str, param).lower())
    if len(currencies) != 1 or not re.fullmatch(r"[a-z]{3}", currency := currencies.pop()):
        raise RefusalError("All line items must have one currency, of three letters.", param="line_items")
    if amount < CENTS_MIN:
        raise RefusalError(
            f"The Checkout Session's total amount due must add up to at least {CENTS_MIN} cents",
            code="amount_too_small",
            param="line_items",
        )
    if amount > CENTS_MAX:
        raise RefusalError(f"Amount must be no more than {CENTS_MAX} cents", code="amount_too_large")
    return amount, currency


def _expiry(text: Any, now: int) -> int:
    if text is None:
        return now + LIFE_SECONDS_MAX
    at = cents(text, "expires_at")
    if not LIFE_SECONDS_MIN - LIFE_SLACK_SECONDS <= at - now <= LIFE_SECONDS_MAX + LIFE_SLACK_SECONDS:
        raise RefusalError("expires_at must be between 30 minutes and 24 hours from now.", param="expires_at")
    return at


def _metadata(given: Any, param: str) -> dict[str, str]:
    fits = (
        isinstance(given, dict)
        and len(given) <= _METADATA_MAX
        and all(isinstance(value, str) and len(value) <= _VALUE_MAX for value in given.values())
        and all(len(name) <= _NAME_MAX for name in given)
    )
    if not fits:
        raise RefusalError("Metadata is up to 50 names of 40 characters with values of 500.", param=param)
    return dict(given)


def _member(of: Any, name: str, kind: type, inside: str = "") -> Any:
    param = f"{inside}[{name}]" if inside else name
    value = of.get(name) if isinstance(of, dict) else None
    if not isinstance(value, kind) or not value:
        raise RefusalError(f"Missing required param: {param}.", code="parameter_missing", param=param)
    return value
