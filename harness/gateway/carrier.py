"""Ways to the endpoint: over sockets, or straight into an application in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import httptools


class UnansweredError(Exception):
    """The endpoint could not be reached, or did not answer; the text says what happened."""


class Carrier(Protocol):
    """Takes one POST to the endpoint and brings its answer back."""

    async def carry(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. Raises ``UnansweredError``."""

    async def close(self) -> None:
        """Leave nothing open."""


class Sockets:
    """HTTP/1.1 over TCP, with connections that are kept open. Thousands of deliveries a second need little more."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, int], list[_Connection]] = {}

    async def carry(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        try:
            parts = urlsplit(url)
            place = (parts.hostname or "", parts.port or 80)
        except ValueError as error:
            raise UnansweredError(f"{url}: {error}") from error
        if parts.scheme != "http" or not place[0]:
            raise UnansweredError(f"{url} is no http://")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"POST {target} HTTP/1.1", f"host: {parts.netloc}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        connection = await self._connection(place)
        try:
            answer = await connection.ask(request)
        finally:
            if connection.reusable:
                self._idle.setdefault(place, []).append(connection)
            else:
                connection.close()
        return answer

    async def close(self) -> None:
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()
        # A transport is closed in the next turn of the loop.
        await asyncio.sleep(0)

    async def _connection(self, place: tuple[str, int]) -> _Connection:
        kept = self._idle.get(place, [])
        while kept:
            connection = kept.pop()
            if connection.reusable:
                return connection
            connection.close()
        try:
            _, made = await asyncio.get_running_loop().create_connection(_Connection, *place)
        except OSError as error:
            raise UnansweredError(f"{type(error).__name__}: {error}") from error
        return made


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self.reusable = False
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        self.reusable = False
        self._answer = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.reusable = True

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"no HTTP: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        self._fail(f"{type(exc).__name__}: {exc}" if exc else "the connection was closed before there was an answer")

    def on_body(self, body: bytes) -> None:
        """The parser has found a piece of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """The parser has found the end of the answer."""
        status = self._parser.get_status_code()
        if status >= 200 and self._answer is not None and not self._answer.done():
            self.reusable = self._parser.should_keep_alive()
            self._answer.set_result((status, self._body))

    def _fail(self, why: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(UnansweredError(why))


class Application:
    """An ASGI application in this process. What it raises is raised here: it is no answer."""

    def __init__(self, app: Callable[[Any, Any, Any], Awaitable[None]]) -> None:
        self._app = app

    async def carry(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(url)
        sent: list[MutableMapping[str, Any]] = []
        incoming = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Mapping[str, Any]:
            return incoming.pop() if incoming else {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        fields = {"host": parts.netloc, "content-length": str(len(body)), **headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in fields.items()],
            "client": ("127.0.0.1", 0),
            "server": (parts.hostname, parts.port or 80),
        }
        await self._app(scope, receive, send)
        if not sent:
            raise UnansweredError("the application sent nothing")
        return int(sent[0]["status"]), b"".join(message.get("body", b"") for message in sent[1:])

    async def close(self) -> None:
        """Nothing is open."""
