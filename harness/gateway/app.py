"""The gateway over HTTP: Stripe's API as the ``stripe`` library speaks it, the customer's side, and the controls.

The controls are for the test that owns the gateway: it listens on the local machine, and whoever reaches it may use
them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from harness.gateway.books import Means
from harness.gateway.courier import told
from harness.gateway.form import read_form
from harness.gateway.gateway import Gateway
from harness.gateway.mischief import ApiFate
from harness.gateway.refusal import RefusalError

Handler = Callable[[Request], Awaitable[Response]]


def create_app(gateway: Gateway) -> Starlette:
    """The application. Its lifespan opens and closes the gateway; who calls it without a lifespan does so himself."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with gateway:
            yield

    api, side = Api(gateway), Controls(gateway)
    routes = {
        "POST /v1/checkout/sessions": api.create_session,
        "GET /v1/checkout/sessions": api.list_sessions,
        "GET /v1/checkout/sessions/{id}": api.read_session,
        "POST /v1/checkout/sessions/{id}/expire": api.expire_session,
        "POST /v1/refunds": api.create_refund,
        "POST /pay/{id}": side.pay,
        "POST /expire/{id}": side.expire,
        "GET /settings": side.settings,
        "POST /settings": side.settings,
        "POST /hold": side.hold,
        "POST /release": side.release,
        "POST /resend/{id}": side.resend,
        "POST /tell": side.tell,
        "GET /events": side.events,
        "GET /deliveries": side.deliveries,
        "POST /drain": side.drain,
    }
    split = [(route.split(" "), handler) for route, handler in routes.items()]
    return Starlette(
        routes=[Route(path, refusing(handler), methods=[method]) for (method, path), handler in split],
        lifespan=lifespan,
    )


def refusing(handler: Handler) -> Handler:
    """With every refusal told as Stripe tells it."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except RefusalError as no:
            return answer(no.document(), no.status)
        except ValueError as no:
            return answer(RefusalError(str(no)).document(), 400)

    return handle


def answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON, under a request id."""
    return JSONResponse(document, status, {"request-id": f"req_{uuid4().hex[:14]}", **(headers or {})})


class Api:
    """What Stripe's API does, as far as a marketplace needs it."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def create_session(self, request: Request) -> Response:
        return await self._change(request, lambda form: self._gateway.books.open(form).document())

    async def create_refund(self, request: Request) -> Response:
        return await self._change(request, self._gateway.books.refund)

    async def expire_session(self, request: Request) -> Response:
        return await self._change(request, lambda _: self._gateway.books.expire(request.path_params["id"]).document())

    async def read_session(self, request: Request) -> Response:
        _authenticate(request)
        return answer(self._gateway.books.session(request.path_params["id"]).document())

    async def list_sessions(self, request: Request) -> Response:
        """Newest first, as Stripe lists; ``limit``, ``status`` and ``payment_intent`` narrow it down."""
        _authenticate(request)
        wanted = dict(request.query_params)
        limit = int(wanted.pop("limit", "10"))
        if unknown := sorted(set(wanted) - {"status", "payment_intent"}):
            raise RefusalError(f"Received unknown parameter: {unknown[0]}", code="parameter_unknown", param=unknown[0])
        found = [session.document() for session in reversed(self._gateway.books.sessions())]
        found = [each for each in found if all(each[name] == value for name, value in wanted.items())]
        return answer(
            {"object": "list", "url": "/v1/checkout/sessions", "has_more": len(found) > limit, "data": found[:limit]}
        )

    async def _change(self, request: Request, work: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Response:
        _authenticate(request)
        form = read_form(await request.body())
        fate = self._gateway.fate()
        if fate is ApiFate.BUSY:
            raise RefusalError("Too many requests.", status=429, kind="rate_limit_error", code="lock_timeout")
        key = request.headers.get("idempotency-key")
        document, replayed = self._gateway.keys.once(key, request.url.path, form, lambda: work(form))
        if fate is ApiFate.LOST:
            # It was done, and its client must not know.
            raise RefusalError("Something went wrong.", status=500, kind="api_error")
        return answer(document, headers={"idempotent-replayed": "true"} if replayed else {})


class Controls:
    """The customer's side, and the strings of the puppet."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def pay(self, request: Request) -> Response:
        """``{"mode": "immediate" | "async_succeeds" | "async_fails", "after_ms": 0}``"""
        wanted = await _object(request, mode=Means.IMMEDIATE, after_ms=0)
        paid = self._gateway.pay(request.path_params["id"], Means(wanted["mode"]), int(wanted["after_ms"]))
        return answer(paid.document())

    async def expire(self, request: Request) -> Response:
        return answer(self._gateway.books.expire(request.path_params["id"]).document())

    async def settings(self, request: Request) -> Response:
        changes = await _object(request) if request.method == "POST" else {}
        return answer(self._gateway.settings(changes))

    async def hold(self, _: Request) -> Response:
        self._gateway.courier.hold()
        return answer({"held": True})

    async def release(self, request: Request) -> Response:
        """``{"order": "made" | "reversed" | "shuffled"}``"""
        wanted = await _object(request, order="made")
        return answer({"released": self._gateway.courier.release(wanted["order"])})

    async def resend(self, request: Request) -> Response:
        """``{"times": 1}``, all at the same moment."""
        wanted = await _object(request, times=1)
        self._gateway.courier.resend(self._gateway.books.event(request.path_params["id"]), int(wanted["times"]))
        return answer({"resent": int(wanted["times"])})

    async def tell(self, request: Request) -> Response:
        """``{"type": ..., "object": {...}}``: any event about anything, signed as it should be."""
        wanted = await _object(request, type="", object={})
        return answer({"id": self._gateway.books.tell(str(wanted["type"]), wanted["object"]).id})

    async def events(self, _: Request) -> Response:
        """Every event, the oldest first, as it was sent."""
        return answer([json.loads(event.body) for event in self._gateway.books.events])

    async def deliveries(self, request: Request) -> Response:
        """Every delivery from number ``since`` on, with its attempts."""
        since = int(request.query_params.get("since", "0"))
        return answer(told(self._gateway.courier.deliveries[since:]))

    async def drain(self, request: Request) -> Response:
        """Waits for at most ``seconds``: 200 when nothing is outstanding, 504 with what is."""
        outstanding = await self._gateway.drain(float(request.query_params.get("seconds", "30")))
        return answer({"outstanding": told(outstanding)}, 504 if outstanding else 200)


def _authenticate(request: Request) -> None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise RefusalError("You did not provide an API key.", status=401)


async def _object(request: Request, **defaults: Any) -> dict[str, Any]:
    """The JSON object in the body, if there is one; with defaults, no other names. Raises ``ValueError``."""
    body = await request.body()
    given = json.loads(body) if body else {}
    if not isinstance(given, dict) or (defaults and set(given) - set(defaults)):
        raise ValueError(f"the body is no JSON object of {', '.join(defaults) or 'settings'}")
    return {**defaults, **given}
