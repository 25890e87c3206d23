"""What is told to whom the process has no time left for."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.purchase.refusals import Refusal


class Interrupted:
    """An ASGI application whose requests are answered also when the server cancels them: with 503, and its own ending.

    What was asked of the database has been undone by then, or nobody knows: the answer says the latter.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except asyncio.CancelledError:
            if scope["type"] != "http" or begun:
                raise
            no = Refusal("try_again", {"outcome": "unknown"})
            headers = {"content-type": "application/json", "connection": "close", **no.headers}
            pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
            length = (b"content-length", str(len(no.body)).encode())
            await send({"type": "http.response.start", "status": no.status, "headers": [*pairs, length]})
            await send({"type": "http.response.body", "body": no.body})
