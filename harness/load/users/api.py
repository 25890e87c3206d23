"""A buyer who uses the purchase API over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, NamedTuple

from locust import FastHttpUser
from locust.env import Environment

from harness.load.users.buyer import Buyer
from harness.load.users.event import Event, signature_of
from harness.load.users.process import this_process
from harness.load.users.told import Told, told_by_http
from harness.words.history import Status

PURCHASE = "/api/marketplace/purchase"
PURCHASES = "/api/marketplace/purchases"
CREDITS = "/api/credits/purchase"
WEBHOOK = "/api/webhooks/stripe"


IDLE_S_MAX = 2.0
"""A connection that was idle for longer is not used again: its server may be closing it at this very moment."""
POOLED_S_MAX = 30.0
"""So long after they were opened they are all replaced: copies may leave some behind that nobody uses until then."""
ALONE = {"Connection": "close"}


class Request(NamedTuple):
    """What is sent: ``route`` is what Locust counts it under."""

    method: str
    route: str
    path: str
    body: str | None
    headers: Mapping[str, str]


class ApiBuyer(Buyer, FastHttpUser):
    """Sends ``Request``s. Where ``--host`` is not given, the stock says where the API is."""

    abstract = True
    network_timeout = 30.0
    connection_timeout = 10.0

    def __init__(self, environment: Environment) -> None:
        self.host = environment.host or this_process().stock.host
        super().__init__(environment)
        self._spoke = self._opened = monotonic()

    def send(self, what: Request, name: str) -> Told:
        """One request. Locust counts as failures the answers that no client can do anything about: 5xx, and none."""
        self._drop_idle_connections()
        headers = dict(what.headers)
        if what.method == "POST" and "Stripe-Signature" not in headers and what.route == WEBHOOK:
            # Signed when it is sent: a retry must not be stale.
            headers["Stripe-Signature"] = signature_of(what.body or "", self.stock.webhook_secret)
        with self.client.request(
            what.method, what.path, name=what.route, data=what.body, headers=headers, catch_response=True
        ) as response:
            status = response.status_code
            if status:
                told = told_by_http(name, status, response.text or "", response.headers)
            else:
                told = Told(Status.UNKNOWN, type(response.error).__name__, answered=False)
            if not status or status >= 500:
                response.failure(f"{status or 'no answer:'} {told.code}")
            else:
                response.success()
        return told

    def ask_once(self, what: Request, operation: str, copy: int = 0, **about: Any) -> Told:
        """Copies have connections of their own: kept, they would be idle most of the time."""
        if copy:
            what = what._replace(headers={**what.headers, **ALONE})
        return super().ask_once(what, operation, copy, **about)

    def pay(self, checkout_url: str, mode: str = "immediate") -> None:
        """The customer pays at the gateway, which tells the API by and by."""
        self._at_gateway(f"/pay/{checkout_url.rpartition('/')[2]}", {"mode": mode})

    def abandon(self, checkout_url: str) -> None:
        """The customer lets a checkout expire at the gateway."""
        self._at_gateway(f"/expire/{checkout_url.rpartition('/')[2]}", {})

    def top_up(self, amount: str) -> Told:
        """Make a purchase of credits that Stripe is to be paid for; ``answer`` has its ``checkout_url``."""
        key = self.new_key()
        body = json.dumps({"amount": amount, "idempotency_key": key})
        request = Request("POST", CREDITS, CREDITS, body, self._headers(self.workspace))
        workspace = self.stock.id("workspace", self.workspace)
        return self.ask(request, "buy_credits", workspace=workspace, key=key, amount=amount)

    def purchase_request(self, operation: str, workspace: int, leads: Sequence[str], key: str) -> Request:
        """The same for every attempt."""
        method = "stripe" if operation == "checkout" else "credits"
        document = {"lead_ids": leads, "payment_method": method, "idempotency_key": key}
        return Request("POST", PURCHASE, PURCHASE, json.dumps(document), self._headers(workspace))

    def read_request(self, workspace: int, purchase: str) -> Request:
        """Without a body."""
        return Request("GET", f"{PURCHASES}/[id]", f"{PURCHASES}/{purchase}", None, self._headers(workspace))

    def delivery(self, event: Event) -> Request:
        """To be signed when it is sent."""
        return Request("POST", WEBHOOK, WEBHOOK, event.body(), {"Content-Type": "application/json"})

    def _headers(self, workspace: int) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.stock.token(workspace)}", "Content-Type": "application/json"}

    def _drop_idle_connections(self) -> None:
        now = monotonic()
        if now - self._spoke > IDLE_S_MAX or now - self._opened > POOLED_S_MAX:
            self.client.client.close()
            self._opened = now
        self._spoke = now

    def _at_gateway(self, path: str, document: Mapping[str, Any]) -> None:
        # A request to Stripe is none to the API: it is counted by Locust, and is no operation of the history.
        with self.client.post(
            self.stock.gateway + path, name=path.rpartition("/")[0], json=document, headers=ALONE, catch_response=True
        ) as response:
            response.success()
