"""Schemathesis against the OpenAPI document: whatever is sent, every answer is one that the document promises."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import hypothesis
import psycopg
import pytest
import requests
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from harness.gateway.signature import signature_header
from harness.purchase.app import create_app
from harness.purchase.settings import Settings
from tests.purchase.conftest import WEBHOOK_SECRET, Counter, as_the_api
from tests.purchase.shop import Shop, Workspace
from tests.purchase.visitor import Answer, look_at

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    ignored_auth,
    unsupported_method,
]
POSTED = {"/api/marketplace/purchase", "/api/credits/purchase", "/api/webhooks/stripe"}
EXAMPLES = hypothesis.settings(
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)


class Fresh:
    """A connection for each request: they are made on as many event loops."""

    def __init__(self, dsn: str) -> None:
        self._dsn = as_the_api(dsn)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
            yield connection


class Signed(requests.auth.AuthBase):
    """What is sent is signed as Stripe would, whatever it is."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        request.headers["Stripe-Signature"] = signature_header(body, [WEBHOOK_SECRET], int(time.time()))
        return request


@pytest.fixture(scope="module")
def buyer(shop: Shop) -> Workspace:
    return shop.workspace("1000000")


@pytest.fixture(scope="module")
def on_sale(shop: Shop) -> Iterator[str]:
    """Leads without end."""
    seller = shop.workspace()

    def leads() -> Iterator[str]:
        while True:
            yield shop.lead(seller)

    return leads()


@pytest.fixture(scope="module")
def bought(shop: Shop, buyer: Workspace, on_sale: Iterator[str]) -> str:
    """A purchase of the buyer's."""
    call = "SELECT response -> 'purchase' ->> 'id' FROM api_purchase_leads(%s, %s, %s::uuid[], 'credits', NULL, '')"
    hashed = hashlib.sha256(buyer.token.encode()).digest()
    row = shop.owner.execute(call, [hashed, uuid4(), [next(on_sale)]]).fetchone()
    assert row is not None
    return str(row[0])


@pytest.fixture(scope="module")
def api(shop: Shop) -> Any:
    app = create_app(Fresh(shop.dsn), Counter(), Settings(WEBHOOK_SECRET))
    return schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        *(("post", path, mode) for path in sorted(POSTED) for mode in GenerationMode),
        *(("get", "/api/marketplace/purchases/{id}", mode) for mode in GenerationMode),
        ("get", "/health", GenerationMode.POSITIVE),
        ("get", "/metrics", GenerationMode.POSITIVE),
    ],
)
def test_every_answer_is_promised(
    api: Any, method: str, path: str, mode: GenerationMode, buyer: Workspace, on_sale: Iterator[str], bought: str
) -> None:
    """What the document allows, and what it does not."""
    operation = api[path][method]

    @EXAMPLES
    @hypothesis.given(operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        ids = case.body.get("lead_ids") if isinstance(case.body, dict) else None
        if mode is GenerationMode.POSITIVE and isinstance(ids, list) and int(ids[0][-1], 16) % 2:
            # Else nothing would ever be found.
            case.body["lead_ids"] = [next(on_sale)]
        if mode is GenerationMode.POSITIVE and "id" in case.path_parameters and case.path_parameters["id"][-1] < "8":
            case.path_parameters["id"] = bought
        if mode is GenerationMode.POSITIVE and "webhooks" in path and len(case.body) % 2:
            case.body |= {"id": "evt_1", "type": "invoice.paid"}
        headers = {"Authorization": f"Bearer {buyer.token}"}
        answer = case.call_and_validate(headers=headers, checks=CHECKS, auth=Signed() if "webhooks" in path else None)
        names = {name: values[0] for name, values in answer.headers.items()}
        told = Answer(answer.status_code, names, answer.content)
        look_at(told, f"{method} {path}", [WEBHOOK_SECRET, buyer.token])
        seen.add(answer.status_code)

    seen = set[int]()
    ask()
    assert 200 in seen or mode is GenerationMode.NEGATIVE, seen


def test_the_document_has_no_other_route(api: Any) -> None:
    assert set(api) == POSTED | {"/api/marketplace/purchases/{id}", "/health", "/metrics"}


def test_nothing_was_broken_by_it(shop: Shop) -> None:
    assert shop.false() == {}
    assert shop.open_transactions() == 0
    assert shop.count("marketplace_purchases") > 0
