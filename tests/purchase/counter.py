"""The API over the counter: the application on a real pool and database, and a checkout that only notes its bills."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

import httpx

from harness.db.any_server import AnyServer
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart
from harness.marketplace.subject import load_subject
from harness.purchase.app import create_app
from harness.purchase.checkout import Bill
from harness.purchase.metrics import Metrics
from harness.purchase.pool import Limits, Pool
from harness.purchase.refusals import Refusal
from harness.purchase.settings import Settings
from harness.resources import bundled
from harness.stress.arena import Arena, put_in_place
from tests.purchase.stripe_side import SECRET

START = Start(
    workspaces={"A": Decimal(100), "B": Decimal(5)},
    leads={
        "L1": LeadStart(Decimal("12.50")),
        "L2": LeadStart(Decimal(30)),
        "cheap": LeadStart(Decimal("0.25")),
        "sold": LeadStart(status="sold"),
        "unlisted": LeadStart(status="unlisted"),
        "own": LeadStart(seller="A"),
        "held": LeadStart(Decimal(10)),
    },
    purchases={
        "theirs": PurchaseStart("B", ("held",), method="stripe", reserved="held"),
        "old": PurchaseStart("A", ("sold",), status="completed"),
    },
    top_ups={"t": TopUpStart("A", Decimal("7.50"))},
)

TOKENS = {"A": ("A", ["read", "purchase"]), "B": ("B", ["read", "purchase"]), "reader": ("A", ["read"])}


class NotedCheckout:
    """Notes its bills; ``refusal`` is raised instead while it is set."""

    def __init__(self) -> None:
        self.bills: list[Bill] = []
        self.refusal: Refusal | None = None

    async def open(self, bill: Bill) -> str:
        self.bills.append(bill)
        if self.refusal is not None:
            raise self.refusal
        return f"https://pay.example/{bill.about}"


class Counter(Arena):
    """Requests and what they change, in the names of the start."""

    loop: asyncio.Runner
    http: httpx.AsyncClient
    checkout: NotedCheckout

    def reset(self) -> None:
        super().reset()
        for token, (workspace, scopes) in TOKENS.items():
            self.owner.execute(
                "INSERT INTO api_tokens (token_hash, workspace_id, scopes) VALUES (%s, %s, %s)",
                [hashlib.sha256(token.encode()).digest(), self.names.id_of("workspace", workspace), scopes],
            )
        self.owner.execute("UPDATE leads SET contact = to_jsonb('secret contact'::text)")
        self.checkout.bills.clear()
        self.checkout.refusal = None

    def id(self, kind: str, name: str) -> str:
        return str(self.names.id_of(kind, name))

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """As it is; a list of bytes is a body that does not say its length."""
        if isinstance(content := more.get("content"), list):
            more["content"] = pieces(content)
        return self.loop.run(self.http.request(method, path, **more))

    def request(self, method: str, path: str, token: str | None = "A", **more: Any) -> httpx.Response:
        """With a token."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.send(method, path, headers=headers | more.pop("headers", {}), **more)

    def buy(self, *leads: str, token: str | None = "A", method: str = "credits", **more: Any) -> httpx.Response:
        body = {"lead_ids": [self.id("lead", lead) for lead in leads], "payment_method": method, **more}
        return self.request("POST", "/api/marketplace/purchase", token, json=body)


async def pieces(content: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


@contextmanager
def counter(server: AnyServer, dsn: str) -> Iterator[Counter]:
    """A counter on an empty database."""
    subject = load_subject("reference", bundled("sql"))
    server.ensure_roles(subject.roles)
    put_in_place(dsn, subject)
    pool = Pool(dsn, "marketplace_api", Limits(size=3))
    checkout, numbers = NotedCheckout(), count(1)
    app = create_app(
        pool,
        checkout,
        Settings(SECRET, body_bytes_max=20_000),
        new_id=lambda: UUID(int=next(numbers)),
        metrics=Metrics(pool.in_state),
    )
    with Counter(dsn, subject, START) as opened, asyncio.Runner() as loop:
        opened.loop, opened.checkout = loop, checkout
        opened.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://api"
        )
        loop.run(pool.__aenter__())
        try:
            yield opened
        finally:
            loop.run(pool.__aexit__(None, None, None))
