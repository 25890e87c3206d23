"""One HTTP request and its answer, with an ASGI application in this process: no socket, no event loop."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

Message = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application that awaits nothing but its connection to the database."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``headers`` are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read. Raises ``ValueError`` for one that is no JSON."""
        return json.loads(self.body)


async def exchange(
    app: App, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Answer:
    """Ask, and wait for the whole answer. Raises what the application raises without having answered."""
    sent = {"host": "marketplace", "content-type": "application/json", **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 1),
        "server": ("marketplace", 80),
        "state": {},
    }
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    try:
        await app(scope, receive, send)
    except Exception:
        # An application that answers 500 raises the error as well, for its server to note.
        if not messages or messages[0]["status"] != 500:
            raise
    start = messages[0]
    return Answer(
        start["status"],
        {name.decode().lower(): value.decode() for name, value in start.get("headers", ())},
        b"".join(message.get("body", b"") for message in messages[1:]),
    )
