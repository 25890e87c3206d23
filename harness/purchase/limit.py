"""How large a body may be: whoever sends more is told so as soon as it shows."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """An ASGI application that reads no more than so many bytes of a request.

    Raises ``HTTPException`` 413, at once when the request says its length, else while it is read.
    """

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "GET":
            await self._app(scope, receive, send)
            return
        left = self._bytes_max
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        too_much = announced.isdigit() and (len(announced) > 18 or int(announced) > left)

        async def counted() -> Message:
            nonlocal left
            if too_much:
                raise HTTPException(413)
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413)
            return message

        await self._app(scope, counted, send)
