"""The purchase API as an ASGI application: its routes. All that a request needs was passed to ``create_app``.

Nothing on the path of a request asks for an event loop, so that whoever drives the coroutine may be any scheduler.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from itertools import product
from typing import Annotated, Any
from uuid import UUID, uuid4

import psycopg
from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi.security import HTTPBearer

from harness.purchase.answers import OTHER, add_refusals, event_type, json_response
from harness.purchase.checkout import Bill, Checkout
from harness.purchase.connections import Connections
from harness.purchase.direct import DirectRoute
from harness.purchase.interrupted import Interrupted
from harness.purchase.limit import BodyLimit
from harness.purchase.messages import (
    CreditsAnswer,
    CreditsRequest,
    Healthy,
    Problem,
    PurchaseAnswer,
    PurchaseRequest,
    PurchaseShown,
    Received,
)
from harness.purchase.metrics import Measured, Metrics
from harness.purchase.page import HEADERS, PAGE
from harness.purchase.refusals import Refusal, refusal_of
from harness.purchase.settings import Settings
from harness.purchase.store import CreditsWanted, Functions, LeadsWanted, Store
from harness.purchase.webhook import KNOWN, receive

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class Bearer(HTTPBearer):
    """Gives the SHA-256 of the token that came with the request."""

    async def __call__(self, request: Request) -> bytes:  # type: ignore[override]
        """Raises ``Refusal`` when none came."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Refusal("unauthorized")
        return hashlib.sha256(token.strip().encode()).digest()


bearer = Bearer(scheme_name="token", description="A token of a workspace, with the scopes read or purchase.")
TokenHash = Annotated[bytes, Depends(bearer)]

RAW_BODY = {
    "requestBody": {
        "required": True,
        "description": "An event, signed by Stripe.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}
"""For the document: the body of a webhook is signed byte by byte."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the document: refusals with these statuses."""
    return {status: {"model": Problem} for status in (*statuses, 503)}


def create_app(
    connections: Connections,
    checkout: Checkout,
    settings: Settings,
    *,
    store: Store | None = None,
    new_id: Callable[[], UUID] = uuid4,
    metrics: Metrics | None = None,
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """The application. ``new_id`` gives purchases their ids; ``store`` is what it does with the database."""
    work: Store = store or Functions()
    figures = metrics or Metrics()
    for type_, outcome in product((*KNOWN, OTHER), ("refused", "try_again")):
        # From 0 on: Prometheus sees no increase in a series that begins with 1.
        figures.webhooks.labels(type_, outcome)
    app = FastAPI(
        title="Lead marketplace: purchases",
        version="1",
        summary="Leads are bought with credits or through Stripe, all or none of a request, and each at most once.",
        lifespan=lifespan,
        separate_input_output_schemas=False,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.openapi = lambda: document_of(app)  # type: ignore[method-assign]
    app.add_middleware(BodyLimit, bytes_max=settings.body_bytes_max)
    app.add_middleware(Interrupted)
    app.add_middleware(Measured, metrics=figures)
    add_refusals(app)

    direct = APIRouter(route_class=DirectRoute)

    @direct.post(
        "/api/marketplace/purchase",
        response_model=PurchaseAnswer,
        responses=problems(400, 401, 402, 403, 404, 409, 413, 422, 502),
    )
    async def purchase_leads(token: TokenHash, wanted: PurchaseRequest) -> Response:
        """Buy leads with credits, or begin a checkout for them."""
        leads = sorted(wanted.lead_ids)
        key = str(wanted.idempotency_key) if wanted.idempotency_key else None
        digest = request_hash(wanted.payment_method, *map(str, leads))
        async with connections.connection() as connection:
            asked = LeadsWanted(token, new_id(), leads, wanted.payment_method, key, digest)
            answer = await work.purchase_leads(connection, asked)
        text = answer.response
        if wanted.payment_method == "stripe":
            text = await with_url(checkout, "purchase", text)
        return json_response(text, replayed=answer.replayed)

    @app.get("/api/marketplace/purchases/{id}", response_model=PurchaseShown, responses=problems(400, 401, 403, 404))
    async def read_purchase(token: TokenHash, id: UUID) -> Response:
        """A purchase of the workspace; its leads only when it is completed."""
        async with connections.connection() as connection:
            shown = await work.read_purchase(connection, token, id)
        if shown is None:
            raise Refusal("not_found")
        return json_response(shown)

    @direct.post(
        "/api/credits/purchase", response_model=CreditsAnswer, responses=problems(400, 401, 403, 409, 413, 422, 502)
    )
    async def buy_credits(token: TokenHash, wanted: CreditsRequest) -> Response:
        """Begin a checkout for credits."""
        amount = Decimal(wanted.amount)
        key = str(wanted.idempotency_key) if wanted.idempotency_key else None
        async with connections.connection() as connection:
            asked = CreditsWanted(token, new_id(), amount, key, request_hash(str(amount.normalize())))
            answer = await work.buy_credits(connection, asked)
        return json_response(await with_url(checkout, "credit_purchase", answer.response), replayed=answer.replayed)

    app.include_router(direct)

    @app.post("/api/webhooks/stripe", response_model=Received, responses=problems(400, 413), openapi_extra=RAW_BODY)
    async def stripe_webhook(request: Request, stripe_signature: Annotated[str | None, Header()] = None) -> Response:
        """One delivery of an event of Stripe's."""
        body = await request.body()
        type_, outcome = event_type(body, KNOWN), "try_again"
        try:
            outcome = await receive(connections, work, body, stripe_signature, settings.webhook_secret)
        except (Refusal, psycopg.Error) as error:
            no = error if isinstance(error, Refusal) else refusal_of(error)
            if no is not None and no.code != "try_again":
                outcome = "refused"
                if no.code == "bad_signature":
                    # Anybody may have sent it.
                    type_ = OTHER
            raise
        finally:
            figures.webhooks.labels(type_, outcome).inc()
        return json_response('{"received":true}')

    @app.head("/health", include_in_schema=False)
    @app.get("/health", response_model=Healthy, responses=problems())
    async def health() -> Response:
        """Does the database answer?"""
        async with connections.connection() as connection:
            await connection.execute("SELECT 1")
        return json_response('{"status":"ok"}')

    @app.get("/metrics", response_class=Response)
    async def prometheus() -> Response:
        """Figures, in the text format of Prometheus."""
        return Response(figures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(PAGE, headers=HEADERS, media_type="text/html; charset=utf-8")

    return app


def document_of(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, without the refusals that FastAPI gives when nobody else does."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        for methods in document["paths"].values():
            for operation in methods.values():
                if "HTTPValidationError" in json.dumps(operation["responses"].get("422", {})):
                    del operation["responses"]["422"]
        for name in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(name, None)
        app.openapi_schema = document
    return app.openapi_schema


def request_hash(*parts: str) -> str:
    """What tells two requests with one idempotency key apart: hexadecimal digits."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


async def with_url(checkout: Checkout, kind: str, response: str) -> str:
    """The answer about a pending purchase, with the address where it is paid for."""
    document: dict[str, Any] = json.loads(response)
    made: Mapping[str, Any] = document[kind]
    cents = int(Decimal(made.get("total") or made["amount"]) * 100)
    what = "Credits" if kind == "credit_purchase" else "Leads"
    bill = Bill(kind, UUID(made["id"]), cents, document["checkout_expires_at"], what)
    return json.dumps(document | {"checkout_url": await checkout.open(bill)})
