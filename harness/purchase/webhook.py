"""What Stripe tells us: one delivery of a webhook, verified and carried out.

Stripe delivers at least once, in any order, for up to three days, until it is answered with a 2xx. So an answer says
whether to try again: 200 for everything that is done, was done before or is none of our business, 400 for what no
repetition makes right, 503 when the next delivery may find the way free. A delivery has its effect in one transaction
with the claim of its event, and whoever loses the connection may deliver again.
"""

from __future__ import annotations

import json
import logging
import re
import time
from enum import StrEnum
from typing import Any
from uuid import UUID

import psycopg
import stripe

from harness.purchase.connections import Connections
from harness.purchase.refusals import Refusal, refusal_of
from harness.purchase.store import Event, Store

TOLERANCE_SECONDS = 300
"""How old a signature may be, as Stripe has it; and from how far in the future, which Stripe's library lets pass."""

PAID = frozenset({"checkout.session.completed", "checkout.session.async_payment_succeeded"})
ENDED = frozenset({"checkout.session.expired", "checkout.session.async_payment_failed"})
REFUNDED = "charge.refunded"
KNOWN = PAID | ENDED | {REFUNDED}

KINDS = {"purchase_id": "purchase", "credit_purchase_id": "credit_purchase"}
"""The metadata that says what an event is about, and what that is called."""

EVENT_ID = re.compile(r"[!-~]{1,255}")
CURRENCY = re.compile(r"[a-z]{3}")
CENTS_MAX = 2**63 - 1

log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What came of a delivery that is answered with 200."""

    APPLIED = "applied"
    ALREADY_COMPLETED = "already_completed"
    IGNORED = "ignored"


async def receive(connections: Connections, store: Store, body: bytes, signature: str | None, secret: str) -> Outcome:
    """One delivery: the raw body, its ``Stripe-Signature`` header, and the secret of the endpoint (``whsec_...``).

    Raises ``Refusal``, and what psycopg raises: ``refusals.refusal_of`` says what that means. What Stripe has signed
    and no repetition makes right is logged: money may have been taken for it.
    """
    text = signed_text(body, signature, secret)
    document: Any = None
    try:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise malformed("body") from error
        event = event_of(document)
        if event is None:
            return Outcome.IGNORED
        async with connections.connection() as connection:
            done_before = await store.apply_event(connection, event)
    except (Refusal, psycopg.Error) as error:
        no = error if isinstance(error, Refusal) else refusal_of(error)
        if no is not None and no.code != "try_again":
            log.warning("event %s (%s) of Stripe's is refused: %s", *names_of(document), no.code)
        raise
    return Outcome.ALREADY_COMPLETED if done_before else Outcome.APPLIED


def signed_text(body: bytes, signature: str | None, secret: str) -> str:
    """A body that Stripe has signed, and lately. Raises ``Refusal``."""
    try:
        text = body.decode()
        if signature is not None and not signature.isascii():
            raise Refusal("bad_signature")
        stripe.WebhookSignature.verify_header(text, signature, secret, TOLERANCE_SECONDS)
        if signature is not None and signed_at(signature) > time.time() + TOLERANCE_SECONDS:
            raise Refusal("bad_signature")
    except stripe.SignatureVerificationError as error:
        raise Refusal("bad_signature") from error
    except ValueError as error:
        raise malformed("body") from error
    return text


def names_of(document: Any) -> tuple[str, str]:
    """Id and type of an event for the log: those that are fit for it."""
    said = document if isinstance(document, dict) else {}
    id_, type_ = said.get("id"), said.get("type")
    return (
        id_ if isinstance(id_, str) and EVENT_ID.fullmatch(id_) else "without an id",
        type_ if isinstance(type_, str) and type_ in KNOWN else "of another type",
    )


def event_of(document: Any) -> Event | None:
    """The event in a document of Stripe's; None when it asks nothing of us. Raises ``Refusal``."""
    id_, type_ = member(document, "id", str), member(document, "type", str)
    if not EVENT_ID.fullmatch(id_):
        raise malformed("id")
    if type_ not in KNOWN:
        return None
    thing = member(member(document, "data", dict), "object", dict)
    metadata = thing.get("metadata")
    names = [name for name in KINDS if isinstance(metadata, dict) and name in metadata]
    if not names:
        # Something else is sold through the same account.
        return None
    try:
        (name,) = names
        about = UUID(member(metadata, name, str))
    except ValueError as error:
        raise malformed("metadata") from error
    if type_ == REFUNDED and not member(thing, "refunded", bool):
        # A part of the money went back: the purchase stands.
        return None
    captured = None
    if type_ in PAID:
        if member(thing, "payment_status", str) == "unpaid":
            # By a method that takes days: async_payment_succeeded or _failed follows.
            return None
        captured = (member(thing, "amount_total", int), member(thing, "currency", str))
        if abs(captured[0]) > CENTS_MAX or not CURRENCY.fullmatch(captured[1]):
            raise malformed("amount_total")
    return Event(id_, type_, KINDS[name], about, captured)


def signed_at(signature: str) -> int:
    """When a header that was verified was made, in Unix seconds."""
    return int(next(item for item in signature.split(",") if item.startswith("t="))[2:])


def member(of: Any, name: str, kind: type) -> Any:
    """A member of a JSON object, of this type exactly. Raises ``Refusal``."""
    value = of.get(name) if isinstance(of, dict) else None
    if type(value) is not kind:
        raise malformed(name)
    return value


def malformed(what: str) -> Refusal:
    """The body is signed and yet no event that can be understood, because of this member."""
    return Refusal("malformed_body", {"at": what})
