"""What the gateway knows: its checkout sessions, what became of each, and the events that tell of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

from harness.gateway.checkout import Checkout, cents, open_checkout
from harness.gateway.refusal import RefusalError, missing

API_VERSION = "2025-03-31.basil"


class Means(StrEnum):
    """How a customer pays: a card, or a method of which it is known days later whether the money comes."""

    IMMEDIATE = "immediate"
    ASYNC_SUCCEEDS = "async_succeeds"
    ASYNC_FAILS = "async_fails"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as it is sent: ``body`` is the same in every delivery."""

    id: str
    type: str
    about: str
    body: bytes


class Books:
    """All sessions. Every change hands its event to ``announce``; nothing here waits for anything.

    Raises ``RefusalError`` for what cannot be: to pay twice, to refund more than was paid.
    """

    def __init__(self, announce: Callable[[Event], None], base: str = "http://127.0.0.1") -> None:
        self.base = base
        self.events: list[Event] = []
        self._announce = announce
        self._sessions: dict[str, Checkout] = {}
        self._by_payment: dict[str, Checkout] = {}

    def open(self, parameters: Mapping[str, Any]) -> Checkout:
        """A new session of the API's."""
        session = open_checkout(f"cs_test_{uuid4().hex}", parameters, int(time.time()), self.base)
        self._sessions[session.id] = session
        self._by_payment |= {session.payment_intent: session, session.charge: session}
        return session

    def session(self, id_: str) -> Checkout:
        session = self._sessions.get(id_)
        if session is None:
            raise missing("checkout session", id_)
        if session.status == "open" and time.time() >= session.expires_at:
            self._expire(session)
        return session

    def sessions(self) -> list[Checkout]:
        """In the order of their creation."""
        return [self.session(id_) for id_ in list(self._sessions)]

    def pay(self, id_: str, means: Means = Means.IMMEDIATE) -> Checkout:
        """The customer goes through with it. By a slow means the money is not there yet: ``settle`` follows."""
        session = self.session(id_)
        if session.status != "open":
            raise RefusalError(f"The session is {session.status}.", status=409, code="session_not_open")
        session.status = "complete"
        if means is Means.IMMEDIATE:
            session.payment_status = "paid"
        else:
            session.settling = True
        self._tell("checkout.session.completed", session.document(), session)
        return session

    def settle(self, id_: str, *, succeeds: bool) -> Checkout:
        """What became of a payment by a slow means."""
        session = self.session(id_)
        if not session.settling:
            raise RefusalError("No payment of it is under way.", status=409, code="nothing_to_settle")
        session.settling = False
        if succeeds:
            session.payment_status = "paid"
        outcome = "succeeded" if succeeds else "failed"
        self._tell(f"checkout.session.async_payment_{outcome}", session.document(), session)
        return session

    def expire(self, id_: str) -> Checkout:
        """The session ends without a payment."""
        session = self.session(id_)
        if session.status != "open":
            raise RefusalError(f"Only open sessions can be expired, and this is {session.status}.", param="session")
        self._expire(session)
        return session

    def refund(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Give back all that is left of a payment, or ``amount`` of it; named by its intent or its charge."""
        if unknown := sorted(set(parameters) - {"payment_intent", "charge", "amount", "reason", "metadata"}):
            raise RefusalError(f"Received unknown parameter: {unknown[0]}", code="parameter_unknown", param=unknown[0])
        named = [parameters[name] for name in ("payment_intent", "charge") if name in parameters]
        if len(named) != 1 or not isinstance(named[0], str):
            raise RefusalError("Give one of payment_intent and charge.", param="payment_intent")
        session = self._by_payment.get(named[0])
        if session is None or not session.paid:
            raise missing("payment", named[0])
        left = session.amount_total - session.amount_refunded
        amount = cents(parameters["amount"], "amount") if "amount" in parameters else left
        if left == 0:
            raise RefusalError("The charge has already been refunded.", code="charge_already_refunded")
        if amount > left:
            raise RefusalError(f"Refund amount ({amount}) is greater than unrefunded amount ({left})", param="amount")
        session.amount_refunded += amount
        refund = {
            "id": f"re_{uuid4().hex}",
            "object": "refund",
            "amount": amount,
            "charge": session.charge,
            "created": int(time.time()),
            "currency": session.currency,
            "payment_intent": session.payment_intent,
            "status": "succeeded",
        }
        session.refunds.append(refund)
        self._tell("charge.refunded", session.charge_document(), session)
        return refund

    def event(self, id_: str) -> Event:
        """One that was announced."""
        for event in self.events:
            if event.id == id_:
                return event
        raise missing("event", id_)

    def tell(self, kind: str, thing: Mapping[str, Any]) -> Event:
        """An event of any type about any object: what the endpoint has not subscribed to may come all the same."""
        return self._tell(kind, thing, None)

    def _expire(self, session: Checkout) -> None:
        session.status = "expired"
        self._tell("checkout.session.expired", session.document(), session)

    def _tell(self, kind: str, thing: Mapping[str, Any], session: Checkout | None) -> Event:
        id_ = f"evt_{uuid4().hex}"
        document = {
            "id": id_,
            "object": "event",
            "api_version": API_VERSION,
            "created": int(time.time()),
            "data": {"object": thing},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        # Stripe's bodies are indented: who signs or checks anything but the raw bytes is found out.
        event = Event(id_, kind, session.id if session else "", json.dumps(document, indent=2).encode())
        self.events.append(event)
        self._announce(event)
        return event
