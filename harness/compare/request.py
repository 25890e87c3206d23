"""A client of the purchase API that costs next to nothing: whole requests as bytes, on one connection that is kept."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from time import perf_counter_ns
from typing import Any
from urllib.parse import urlsplit

from harness.compare.calls import CallFailed
from harness.compare.stock import PRICE
from harness.gateway.signature import signature_header

SECONDS_MAX = 30.0
"""For one answer."""

ROUTES = {
    "request": "POST /api/marketplace/purchase",
    "buy_credits": "POST /api/credits/purchase",
    "read": "GET /api/marketplace/purchases/{id}",
    "deliver": "POST /api/webhooks/stripe",
}
"""The operations of ``[calls]`` that the API has a request for, and that request."""


class Client:
    """Asks the API at ``base``. Webhooks are signed with ``secret``."""

    def __init__(self, base: str, secret: str) -> None:
        self._address = urlsplit(base)
        self._secret = secret
        self._socket = socket.create_connection((self._address.hostname, self._address.port), SECONDS_MAX)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def perform(self, operation: str, values: Mapping[str, Any]) -> int:
        """Ask for one operation; the nanoseconds until its answer is read. Raises ``CallFailed`` for a refusal, too."""
        method, _, path = ROUTES[operation].partition(" ")
        path, body = path.replace("{id}", str(values.get("purchase"))), _body(operation, values)
        headers = {"Host": self._address.netloc, **self._proof(operation, values, body)}
        if method == "POST":
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        asked = f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body
        try:
            began = perf_counter_ns()
            self._socket.sendall(asked)
            with HTTPResponse(self._socket, method=method) as answer:
                answer.begin()
                said = answer.read()
            passed = perf_counter_ns() - began
        except (OSError, HTTPException) as error:
            raise CallFailed(f"the API does not answer: {error!r}") from error
        if answer.status != 200:
            raise CallFailed(f"{answer.status} {said.decode(errors='replace')}"[:200])
        return passed

    def _proof(self, operation: str, values: Mapping[str, Any], body: bytes) -> dict[str, str]:
        """Who asks: Stripe, or a workspace, whose token is its id."""
        if operation == "deliver":
            return {"Stripe-Signature": signature_header(body, [self._secret], int(time.time()))}
        return {"Authorization": f"Bearer {values['workspace']}"}


def _body(operation: str, values: Mapping[str, Any]) -> bytes:
    if operation == "read":
        return b""
    if operation == "request":
        leads = [str(each) for each in values["leads"]]
        said: Any = {"lead_ids": leads, "payment_method": values["method"], "idempotency_key": values["key"]}
    elif operation == "buy_credits":
        said = {"amount": str(values["amount"]), "idempotency_key": values["key"]}
    else:
        session = {
            "object": "checkout.session",
            "payment_status": "paid",
            "amount_total": int(PRICE * 100),
            "currency": "usd",
            "metadata": {"purchase_id": str(values["purchase"])},
        }
        said = {"id": values["event"], "object": "event", "type": values["kind"], "data": {"object": session}}
    return json.dumps(said).encode()
