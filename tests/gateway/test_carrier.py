"""The ways to an endpoint, with endpoints that answer badly, in pieces, or not at all."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest

from harness.gateway.carrier import Application, Sockets, UnansweredError
from harness.gateway.gateway import Gateway
from harness.gateway.mischief import Mischief
from tests.gateway.endpoint import opened

KEPT = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def against(serve: Callable[[Reader, Writer], Awaitable[None]], times: int = 1) -> list[Any]:
    """What comes of so many requests, one after the other, to a server that does this with each connection."""

    async def play() -> list[Any]:
        async def handle(reader: Reader, writer: Writer) -> None:
            try:
                await serve(reader, writer)
            finally:
                writer.close()

        carrier, found = Sockets(), list[Any]()
        async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            for _ in range(times):
                try:
                    found.append(await carrier.carry(f"http://127.0.0.1:{port}/a?b=c", {"x-y": "z"}, b"body"))
                except UnansweredError as error:
                    found.append(str(error))
            await carrier.close()
            await asyncio.sleep(0.01)
        return found

    return asyncio.run(play())


async def request(reader: Reader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    return head + await reader.readexactly(4)


def test_the_request_as_it_arrives() -> None:
    arrived = []

    async def serve(reader: Reader, writer: Writer) -> None:
        arrived.append(await request(reader))
        writer.write(KEPT)

    assert against(serve) == [(200, b"{}")]
    head, _, body = arrived[0].partition(b"\r\n\r\n")
    first, host, *headers = head.split(b"\r\n")
    assert (first, body) == (b"POST /a?b=c HTTP/1.1", b"body")
    assert host.startswith(b"host: 127.0.0.1:")
    assert headers == [b"content-length: 4", b"x-y: z"]


def test_connections_are_kept() -> None:
    connections = 0

    async def serve(reader: Reader, writer: Writer) -> None:
        nonlocal connections
        connections += 1
        for last in (False, False, True):
            await request(reader)
            writer.write(KEPT.replace(b"200 OK", b"200 OK\r\nconnection: close") if last else KEPT)

    assert against(serve, 6) == [(200, b"{}")] * 6
    assert connections == 2


@pytest.mark.parametrize(
    ("pieces", "answer"),
    [
        ([b"HTTP/1.1 20", b"0 OK\r\ncontent-le", b"ngth: 4\r\n\r\nab", b"cd"], (200, b"abcd")),
        ([b"HTTP/1.1 503 X\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n", b"1\r\nc\r\n0\r\n\r\n"], (503, b"abc")),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", KEPT], (200, b"{}")),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], (204, b"")),
        ([b"SSH-2.0-OpenSSH\r\n"], "no HTTP"),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab"], "the connection was closed"),
        ([b""], "the connection was closed"),
    ],
)
def test_answers(pieces: list[bytes], answer: Any) -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await request(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001)

    (found,) = against(serve)
    assert found == answer or (isinstance(found, str) and found.startswith(answer))


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "http://", "nowhere", "http://[::1", "http://127.0.0.1:1/"])
def test_endpoints_that_are_not_there(url: str) -> None:
    with pytest.raises(UnansweredError, match=r"\w"):
        asyncio.run(Sockets().carry(url, {}, b""))


def test_an_answer_that_does_not_come_in_time() -> None:
    async def play() -> None:
        async def serve(reader: Reader, writer: Writer) -> None:
            await reader.read()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            async with Gateway(url, ["whsec"], mischief=Mischief(timeout_ms=20, give_up_ms=0)) as gateway:
                gateway.pay(opened(gateway))
                (left,) = await gateway.drain(5)
                assert left.attempts[0].error == "no answer within 20 ms"
            await asyncio.sleep(0.01)

    asyncio.run(play())


def test_an_application_of_this_process() -> None:
    async def app(scope: Any, receive: Any, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
        message = await receive()
        headers = dict(scope["headers"])
        assert (message["body"], headers[b"x-y"], scope["path"]) == (b"body", b"z", "/a")
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b"tea", "more_body": True})
        await send({"type": "http.response.body", "body": b"pot"})

    async def silent(_: Any, receive: Any, __: Any) -> None:
        assert (await receive())["body"] == b""

    assert asyncio.run(Application(app).carry("http://a.test/a?b=c", {"X-Y": "z"}, b"body")) == (418, b"teapot")
    with pytest.raises(UnansweredError):
        asyncio.run(Application(silent).carry("http://a.test/", {}, b""))
