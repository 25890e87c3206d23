"""Client programs that ask by HTTP: what has a route is a request, all else is asked for as [calls] say."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from harness.gateway.signature import signature_header
from harness.marketplace.calls import Client, exact
from harness.marketplace.names import Names
from harness.marketplace.operations import (
    Buy,
    BuyCredits,
    Checkout,
    Deliver,
    Operation,
    Purchasing,
    Read,
    Request,
    TopUp,
    method_of,
)
from harness.requests.exchange import Answer, App, exchange
from harness.requests.seats import Seats
from harness.requests.stripe_events import PAID, event_body
from harness.words.history import Result, Status

SECRET = "whsec_of_the_harness"
ROUTED = (Buy, Checkout, Request, BuyCredits, Read, Deliver, TopUp)
"""The operations that have a route."""

WORDS = {"lead_sold": "lead_unavailable", "not_found": "purchase_not_found"}
"""Codes that the API has for refusals which the contract calls otherwise."""
BUSY = {"lead_busy": "55P03", "key_in_progress": "key_in_progress"}
TRY_AGAIN = "try_again"


class Requester:
    """As ``harness.marketplace.calls.Client``; operations without a route are left to ``beside``.

    The bearer token of a workspace is its id. Prices are those of the start: that is what Stripe was told to charge.
    """

    def __init__(self, seats: Seats, names: Names, beside: Client) -> None:
        self._seats = seats
        self._names = names
        self._beside = beside
        self._leads = {name: row.leads for name, row in names.start.purchases.items()}

    async def perform(self, connection: psycopg.AsyncConnection[Any], operation: Operation) -> Result:
        """Ask for one operation and say what the client was told. Raises what ``Client.perform`` raises."""
        if not isinstance(operation, ROUTED):
            return await self._beside.perform(connection, operation)
        if connection.closed:
            return Result(Status.FAILED, "08003")
        made = self._id("purchase", operation.purchase) if isinstance(operation, Purchasing) else None
        if isinstance(operation, BuyCredits):
            made = self._id("top_up", operation.top_up)
        with self._seats.taken(connection, made) as app:
            answer = await self._send(app, operation)
        if answer.status == 200:
            return Result(Status.OK, value=tuple(self._told(operation, answer)))
        return refused(answer)

    async def _send(self, app: App, operation: Operation) -> Answer:
        match operation:
            case Buy() | Checkout() | Request():
                self._leads[operation.purchase] = operation.leads
                body: dict[str, Any] = {
                    "lead_ids": [str(self._id("lead", lead)) for lead in operation.leads],
                    "payment_method": method_of(operation),
                }
                if isinstance(operation, Request):
                    body["idempotency_key"] = str(self._id("key", operation.key))
                path = "/api/marketplace/purchase"
                return await exchange(app, "POST", path, self._bearer(operation.workspace), json.dumps(body).encode())
            case BuyCredits(workspace, amount, _, key):
                wanted = json.dumps({"amount": str(amount), "idempotency_key": str(self._id("key", key))})
                return await exchange(app, "POST", "/api/credits/purchase", self._bearer(workspace), wanted.encode())
            case Read(workspace, purchase):
                path = f"/api/marketplace/purchases/{self._id('purchase', purchase)}"
                return await exchange(app, "GET", path, self._bearer(workspace))
            case Deliver(event, kind, purchase):
                if (row := self._names.start.top_ups.get(purchase)) is not None:
                    about = ("credit_purchase_id", str(self._id("top_up", purchase)))
                    return await self._deliver(app, event_body(event, kind, about, row.amount))
                about = ("purchase_id", str(self._id("purchase", purchase)))
                return await self._deliver(app, event_body(event, kind, about, self._cost(purchase)))
            case TopUp(top_up):
                about = ("credit_purchase_id", str(self._id("top_up", top_up)))
                row = self._names.start.top_ups.get(top_up)
                amount = row.amount if row else Decimal(0)
                return await self._deliver(app, event_body(f"evt-of-{top_up}", PAID, about, amount))
        raise AssertionError(operation)

    async def _deliver(self, app: App, body: bytes) -> Answer:
        signed = {"stripe-signature": signature_header(body, [SECRET], int(time.time()))}
        return await exchange(app, "POST", "/api/webhooks/stripe", signed, body)

    def _told(self, operation: Operation, answer: Answer) -> list[tuple[str, Any]]:
        """What the answer tells, in the names of the model's answers."""
        if not isinstance(operation, Buy | Request | BuyCredits | Read):
            return []
        document = answer.json
        replayed = answer.headers.get("idempotent-replayed") == "true"
        if isinstance(operation, BuyCredits):
            return [("replayed", replayed), ("top_up", self._names.name_of(document["credit_purchase"]["id"]))]
        if isinstance(operation, Read):
            leads = sorted(self._names.name_of(lead["id"]) for lead in document["leads"])
            return [("status", document["purchase"]["status"]), ("leads", tuple(leads))]
        balance = document.get("remaining_credits")
        told = [] if balance is None else [("balance", exact(Decimal(balance)))]
        if isinstance(operation, Buy):
            return told
        return [("replayed", replayed), ("purchase", self._names.name_of(document["purchase"]["id"])), *told]

    def _cost(self, purchase: str) -> Decimal:
        leads = self._names.start.leads
        prices = [leads[lead].price or Decimal(0) for lead in self._leads.get(purchase, ()) if lead in leads]
        return sum(prices, Decimal(0))

    def _bearer(self, workspace: str) -> Mapping[str, str]:
        return {"authorization": f"Bearer {self._id('workspace', workspace)}"}

    def _id(self, kind: str, name: str) -> UUID:
        id_ = self._names.id_of(kind, name)
        assert isinstance(id_, UUID)
        return id_


def refused(answer: Answer) -> Result:
    """What an answer other than 200 means to a client who knows the API's contract.

    A *try again* says whether nothing was done; of a 500 nobody knows.
    """
    code, details = answer.json["error"], answer.json.get("details", {})
    if code in BUSY:
        return Result(Status.BUSY, BUSY[code])
    if code == TRY_AGAIN and details.get("outcome") == "not done":
        return Result(Status.FAILED, code)
    if answer.status >= 500:
        return Result(Status.UNKNOWN, code)
    return Result(Status.REFUSED, WORDS.get(code, code))
