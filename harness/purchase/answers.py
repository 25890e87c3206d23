"""How answers are made: JSON of the database as it is, refusals by their code, errors by what they mean."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from harness.purchase.metrics import CODE
from harness.purchase.refusals import Refusal, refusal_of

CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
"""What the framework refuses, by its status; anything else of it is an invalid request."""

REASONS_MAX = 5

OTHER = "other"
"""The type of events that are none of ours, or not known to be Stripe's, for the figures."""


def json_response(text: str | bytes, *, replayed: bool = False) -> Response:
    """200 with a JSON object."""
    headers = {"Idempotent-Replayed": "true"} if replayed else None
    return Response(text, media_type="application/json", headers=headers)


def add_refusals(app: FastAPI) -> None:
    """Have everything that is raised answered."""

    def refused(request: Request, no: Refusal, headers: Iterable[tuple[str, str]] = ()) -> Response:
        request.scope[CODE] = no.code
        return Response(no.body, no.status, {**no.headers, **dict(headers)}, "application/json")

    async def on_refusal(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return refused(request, error)

    async def on_database(request: Request, error: Exception) -> Response:
        assert isinstance(error, psycopg.Error)
        if (no := refusal_of(error)) is None:
            raise error
        return refused(request, no)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        no = Refusal(CODES.get(error.status_code, "invalid_request"))
        return refused(request, no, (error.headers or {}).items())

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return refused(request, invalid(error.errors()))

    async def on_hanging_up(request: Request, _: Exception) -> Response:
        # Nobody will read this, but it is counted: as the client's doing, not as ours.
        return refused(request, Refusal("invalid_request"))

    async def on_mistake(request: Request, _: Exception) -> Response:
        # The error itself goes on to the server, which notes it.
        return refused(request, Refusal("internal_error"))

    app.add_exception_handler(Refusal, on_refusal)
    app.add_exception_handler(psycopg.Error, on_database)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(ClientDisconnect, on_hanging_up)
    app.add_exception_handler(Exception, on_mistake)


def invalid(errors: Iterable[Any]) -> Refusal:
    """What is wrong with a request, without repeating what was sent."""
    reasons = [
        {"at": ".".join(re.sub(r"[^\w-]", "?", str(part))[:40] for part in error["loc"]), "why": error["msg"]}
        for error in errors
    ]
    return Refusal("invalid_request", {"reasons": reasons[:REASONS_MAX]})


def event_type(body: bytes, known: frozenset[str]) -> str:
    """The type of an event for the figures: one that is known, or ``OTHER``."""
    try:
        document = json.loads(body.decode())
    except (ValueError, RecursionError):
        return OTHER
    type_ = document.get("type") if isinstance(document, dict) else None
    return type_ if isinstance(type_, str) and type_ in known else OTHER
