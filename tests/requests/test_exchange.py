"""An exchange with an ASGI application, driven by hand: there is no event loop."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from harness.requests.exchange import Answer, exchange

T = TypeVar("T")


def finished(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise AssertionError("it waits for something")


async def echo(scope: Any, receive: Any, send: Any) -> None:
    told = await receive()
    headers = [(b"X-Method", scope["method"].encode()), (b"X-Token", dict(scope["headers"])[b"authorization"])]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": scope["path"].encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b" " + told["body"]})


async def broken(scope: Any, receive: Any, send: Any) -> None:
    del receive
    if scope["path"] == "/answered":
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b'{"error": "internal_error"}'})
    raise ZeroDivisionError


def test_a_request_and_its_answer() -> None:
    answer = finished(exchange(echo, "POST", "/there", {"authorization": "Bearer t"}, b"[1]"))
    assert answer == Answer(201, {"x-method": "POST", "x-token": "Bearer t"}, b"/there [1]")


def test_an_error_that_was_answered_is_an_answer() -> None:
    answer = finished(exchange(broken, "GET", "/answered"))
    assert (answer.status, answer.json) == (500, {"error": "internal_error"})


def test_an_error_that_was_not_answered_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        finished(exchange(broken, "GET", "/silent"))
