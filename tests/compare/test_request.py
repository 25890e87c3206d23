"""Requests as they are sent, to a server that only writes them down."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from harness.compare.calls import CallFailed
from harness.compare.plan import plan_for
from harness.compare.request import ROUTES, Client
from harness.marketplace.subject import load_subject
from harness.resources import bundled

SECRET = "whsec_of_a_test"
PLAN = plan_for([load_subject("reference", bundled("sql"))], 0)


class Scribe(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, dict[str, str], bytes]]
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append((f"{self.command} {self.path}", dict(self.headers), body))
        self.send_response(self.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Nobody is to read it."""


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr(Scribe, "seen", [], raising=False)
    with HTTPServer(("127.0.0.1", 0), Scribe) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        asking = Client(f"http://127.0.0.1:{server.server_port}", SECRET)
        try:
            yield asking
        finally:
            asking.close()
            server.shutdown()
            thread.join()


def test_each_operation_is_its_request_on_one_connection(client: Client) -> None:
    for operation in ROUTES:
        assert client.perform(operation, PLAN.ask(operation, 3)) > 0
    sent = dict(zip(ROUTES, Scribe.seen, strict=True))
    asked = PLAN.ask("request", 3)
    line, headers, body = sent["request"]
    assert (line, headers["Authorization"]) == (ROUTES["request"], f"Bearer {asked['workspace']}")
    assert json.loads(body)["lead_ids"] == [str(each) for each in asked["leads"]]
    assert sent["read"][0] == f"GET /api/marketplace/purchases/{PLAN.ask('read', 3)['purchase']}"
    assert json.loads(sent["buy_credits"][2])["amount"] == "50"
    _, headers, body = sent["deliver"]
    at, proof = (headers["Stripe-Signature"].split(",")[place].partition("=")[2] for place in (0, 1))
    assert proof == hmac.new(SECRET.encode(), f"{at}.".encode() + body, sha256).hexdigest()
    assert json.loads(body)["data"]["object"]["amount_total"] == 1000


def test_a_refusal_is_no_measurement(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scribe, "status", 409)
    with pytest.raises(CallFailed, match="409"):
        client.perform("read", PLAN.ask("read", 0))
