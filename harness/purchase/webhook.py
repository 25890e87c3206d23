"""What Stripe tells us: one delivery of a webhook, verified and carried out.

Stripe delivers at least once, in any order, for up to three days, until it is answered with a 2xx. So an answer says
whether to try again: 200 for everything that is done, was done before or is none of our business, 400 for what no
repetition makes right, 503 when the next delivery may find the way free. A delivery has its effect in one transaction
with the claim of its event, and whoever loses the connection may deliver again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import stripe

TOLERANCE_SECONDS = 300
"""How old a signature may be, as Stripe has it."""

CURRENCY = "usd"
"""Of every price here; amounts of Stripe are in its hundredth part."""

PAID = frozenset({"checkout.session.completed", "checkout.session.async_payment_succeeded"})
ENDED = frozenset({"checkout.session.expired", "checkout.session.async_payment_failed"})
REFUNDED = "charge.refunded"
KNOWN = PAID | ENDED | {REFUNDED}

EVENT_ID = re.compile(r"[!-~]{1,255}")

TRY_AGAIN = ("08", "40001", "40P01", "53", "55P03", "57")
"""How the SQLSTATEs begin after which another delivery may fare better: connection, conflict, resources, lock,
intervention."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back: an HTTP status and a JSON object.

    ``already_completed`` says of a 200 that an earlier delivery had done the work; it is for the metrics.
    """

    status: int
    body: Mapping[str, Any]
    already_completed: bool = False


RECEIVED = Answer(200, {"received": True})


@dataclass(frozen=True, slots=True)
class Event:
    """What matters of an event of ours. ``captured`` is (amount in cents, currency) where money came in."""

    id: str
    type: str
    purchase: UUID
    captured: tuple[int, str] | None


class MalformedError(Exception):
    """The body is signed and yet no event that can be understood."""


async def receive(connection: psycopg.AsyncConnection[Any], body: bytes, signature: str | None, secret: str) -> Answer:
    """One delivery: the raw body, its ``Stripe-Signature`` header, and the secret of the endpoint (``whsec_...``).

    The connection is of the role ``service_role``, in autocommit mode. Raises what psycopg raises for an error that is
    neither a no of the functions nor one that passes.
    """
    try:
        text = body.decode()
        stripe.WebhookSignature.verify_header(text, signature, secret, TOLERANCE_SECONDS)
        event = read_event(text)
    except stripe.SignatureVerificationError:
        return refusal(400, "bad_signature")
    except (UnicodeDecodeError, MalformedError):
        return refusal(400, "malformed_body")
    if event is None:
        return RECEIVED
    try:
        return await apply(connection, event)
    except psycopg.errors.RaiseException as no:
        return refusal(400, no.diag.message_primary or "refused")
    except psycopg.Error as error:
        # What libpq itself says, having lost the server, has no SQLSTATE.
        lost = error.sqlstate is None and isinstance(error, psycopg.OperationalError)
        if lost or (error.sqlstate or "").startswith(TRY_AGAIN):
            return refusal(503, "try_again")
        raise


def read_event(text: str) -> Event | None:
    """The event in a body that Stripe has signed; None when it asks nothing of us. Raises ``MalformedError``."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedError from error
    id_, type_ = member(document, "id", str), member(document, "type", str)
    if not EVENT_ID.fullmatch(id_):
        raise MalformedError("id")
    if type_ not in KNOWN:
        return None
    subject = member(member(document, "data", dict), "object", dict)
    metadata = subject.get("metadata") or {}
    if not isinstance(metadata, dict) or "purchase_id" not in metadata:
        # Something else is sold through the same account.
        return None
    try:
        purchase = UUID(member(metadata, "purchase_id", str))
    except ValueError as error:
        raise MalformedError("purchase_id") from error
    if type_ == REFUNDED and not member(subject, "refunded", bool):
        # A part of the money went back: the purchase stands.
        return None
    captured = None
    if type_ in PAID:
        if member(subject, "payment_status", str) == "unpaid":
            # By a method that takes days: async_payment_succeeded or _failed follows.
            return None
        captured = (member(subject, "amount_total", int), member(subject, "currency", str))
    return Event(id_, type_, purchase, captured)


async def apply(connection: psycopg.AsyncConnection[Any], event: Event) -> Answer:
    """Claim the event and do what it says, or neither."""
    async with connection.transaction(), connection.cursor() as cursor:
        if event.captured is not None:
            amount, currency = event.captured
            await cursor.execute("SELECT total FROM marketplace_purchases WHERE id = %s", [event.purchase])
            row = await cursor.fetchone()
            # Totals never change, so that this needs no lock.
            if row is not None and (currency != CURRENCY or Decimal(amount) != row[0] * 100):
                return refusal(400, "amount_mismatch")
        await cursor.execute(
            "SELECT already_completed FROM apply_stripe_event(%s, %s, %s)", [event.id, event.type, event.purchase]
        )
        row = await cursor.fetchone()
    return Answer(200, {"received": True}, already_completed=row is not None and row[0] is True)


def member(of: Any, name: str, kind: type) -> Any:
    """A member of a JSON object, of this type exactly. Raises ``MalformedError``."""
    value = of.get(name) if isinstance(of, dict) else None
    if type(value) is not kind:
        raise MalformedError(name)
    return value


def refusal(status: int, code: str) -> Answer:
    """A no, and why in one word."""
    return Answer(status, {"error": code})
