"""Whoever talks to the API, bytes by bytes, and believes nothing: every answer must be one that may be given.

The application is called in this process, as a server calls it, so that a request may be anything that can come out of
a socket, and an exception of the application's is a failed test.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from harness.requests import exchange
from harness.requests.exchange import App
from tests.purchase.shop import CONTACT, Workspace

TELLTALE = re.compile(
    r"select |insert |update |delete from|plpgsql|psycopg|traceback|relation|constraint|syntax error|api_purchase|"
    r"api_tokens|SQLSTATE|line \d+|\.py\b|whsec_|sk_test_|\bcontext:",
    re.IGNORECASE,
)
"""What tells how the API is made, or a secret: in no answer."""

CODES = {
    400: {"invalid_request", "bad_signature", "malformed_body"},
    401: {"unauthorized"},
    402: {"insufficient_credits"},
    403: {"missing_scope", "own_lead"},
    404: {"not_found", "lead_not_found"},
    405: {"method_not_allowed"},
    409: {"lead_sold", "lead_reserved", "lead_busy", "key_in_progress"},
    413: {"too_large"},
    415: {"unsupported_media_type"},
    422: {"key_reused"},
    503: {"try_again"},
}
"""Every refusal there is, by its status. Of webhooks also what the functions say (400)."""


class Answer(exchange.Answer):
    """What came back, and why not."""

    @property
    def code(self) -> str | None:
        """Why not; None of a success."""
        return None if self.status < 300 else str(self.json["error"])

    @property
    def told(self) -> tuple[int, str | None]:
        """Status and code."""
        return self.status, self.code


async def call(
    app: App,
    method: str,
    path: str,
    headers: Iterable[tuple[bytes, bytes]] = (),
    chunks: Iterable[bytes] = (b"",),
    *,
    query: bytes = b"",
    hang_up: bool = False,
) -> Answer:
    """One request, of these chunks; with ``hang_up`` its client goes away before the last.

    Raises what the application raises.
    """
    parts = list(chunks)
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": number < len(parts) or hang_up}
        for number, part in enumerate(parts, 1)
    ]
    messages.append({"type": "http.disconnect"})
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if len(messages) > 1 else messages[0]

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"api.test"), *headers],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    await app(scope, receive, send)
    if hang_up and not sent:
        return Answer(0, {}, b"")
    start, *bodies = sent
    assert start["type"] == "http.response.start"
    headers_back = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], headers_back, b"".join(message.get("body", b"") for message in bodies))


@dataclass
class Visitor:
    """Asks, and looks at every answer. ``secrets`` are texts that no answer may ever hold."""

    run: Callable[[Awaitable[Answer]], Answer]
    app: App
    secrets: list[str]

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Any = b"",
        *,
        who: Workspace | str | None = None,
        headers: Mapping[str, str] | None = None,
        query: bytes = b"",
    ) -> Answer:
        """``who`` is a workspace or a token; a body that is not bytes is sent as JSON."""
        given = {"content-type": "application/json", **(headers or {})}
        if who is not None:
            given["authorization"] = f"Bearer {who if isinstance(who, str) else who.token}"
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given.setdefault("content-length", str(len(raw)))
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in given.items()]
        return self.look_at(self.run(call(self.app, method, path, pairs, [raw], query=query)), method, path)

    def buy(self, who: Workspace | str, *leads: str, method: str = "credits", key: str | None = None) -> Answer:
        wanted: dict[str, Any] = {"lead_ids": list(leads), "payment_method": method}
        if key is not None:
            wanted["idempotency_key"] = key
        return self.ask("POST", "/api/marketplace/purchase", wanted, who=who)

    def look_at(self, answer: Answer, method: str = "", path: str = "") -> Answer:
        """The answer, which is one that may be given to a stranger."""
        return look_at(answer, f"{method} {path}", self.secrets)


def look_at(answer: Answer, to: str, secrets: Iterable[str]) -> Answer:
    """The answer ``to`` a request (its method and path), which is one that may be given to a stranger."""
    where = f"{to}: {answer}"
    assert answer.status < 500 or answer.told == (503, "try_again"), where
    text = answer.body.decode()
    everything = text + repr(answer.headers)
    assert not any(secret in everything for secret in secrets), where
    if answer.status >= 400:
        assert not TELLTALE.search(everything), where
        assert CONTACT not in text, where
        assert answer.headers["content-type"].startswith("application/json"), where
        assert {"error", "message"} <= set(answer.json) <= {"error", "message", "details"}, where
        assert answer.code in CODES[answer.status] or "/webhooks/" in to, where
        assert (answer.status == 401) == ("www-authenticate" in answer.headers), where
        assert answer.status != 503 or int(answer.headers["retry-after"]) > 0, where
    return answer
