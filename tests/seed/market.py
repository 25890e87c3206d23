"""The marketplace of the seed's tests: a start on a real server, clients that race in it, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

import psycopg
from psycopg import sql

from harness.engine.recorder import Perform
from harness.marketplace.operations import Buy, Checkout, Deliver, Operation, Request
from harness.marketplace.properties import check_once
from harness.marketplace.start import LeadStart, LeadState, Start
from harness.marketplace.subject import Subject
from harness.stress.arena import SAFETY, Arena
from harness.words.history import Result, Status
from tests.purchase.stripe_side import event, sign
from tests.purchase.visitor import Answer
from tests.seed.api import Api, Caller

BALANCE = Decimal(100)
PRICE = Decimal(10)


def buyers(count: int, leads: int = 1) -> Start:
    """Workspaces ``W0``, ``W1``, ... with the same balance, and leads ``L0``, ... at the same price."""
    return Start(
        workspaces={f"W{number}": BALANCE for number in range(count)},
        leads={f"L{number}": LeadStart(PRICE) for number in range(leads)},
    )


def all_want(count: int, lead: str = "L0") -> list[Buy]:
    """Every workspace's attempt to buy one lead."""
    return [Buy(f"W{number}", (lead,), f"p{number}") for number in range(count)]


BUSY = {"lead_busy": "55P03", "key_in_progress": "key_in_progress"}
"""What the API tells those who came while another was at it, and what the functions tell them."""

WORDS = {"lead_sold": "lead_unavailable"}
"""What the functions call the same."""


class Market(Arena):
    """An arena with the API in front of it, read in words."""

    def __init__(self, dsn: str, subject: Subject, start: Start, operations: Iterable[Operation]) -> None:
        operations = tuple(operations)
        super().__init__(dsn, subject, start, operations)

        self.http = Api()
        claims = {each.purchase: each.leads for each in operations if isinstance(each, Buy | Checkout | Request)}
        claims |= {name: row.leads for name, row in start.purchases.items()}
        self._totals = {
            name: sum((start.leads[lead].price or Decimal(0) for lead in leads), Decimal(0))
            for name, leads in claims.items()
        }

    def body(self, delivery: Deliver, **changes: Any) -> bytes:
        """What Stripe sends for a delivery."""
        purchase = self.names.id_of("purchase", delivery.purchase)
        return event(delivery.event, delivery.kind, purchase, self._totals[delivery.purchase], **changes)

    @property
    def endpoint(self) -> Perform:
        """Carries a ``Deliver`` out as Stripe does: signed, over HTTP."""

        async def post(connection: psycopg.AsyncConnection[Any], delivery: Deliver) -> Result:
            body = self.body(delivery)
            return await self.deliver(connection, body, sign(body))

        return post

    async def deliver(self, connection: psycopg.AsyncConnection[Any], body: bytes, signature: str | None) -> Result:
        """Whatever somebody posts to the webhook endpoint."""
        caller = Caller(connection, None)
        answer = await self.http.ask(caller, "/api/webhooks/stripe", body, {"stripe-signature": signature})
        if answer.status != 200:
            return refused(answer)
        assert answer.json == {"received": True}
        return Result(Status.OK, "", (("already_completed", caller.done_before is True),))

    @property
    def api(self) -> Perform:
        """Carries a purchase out as the API's clients do: over HTTP, with the workspace's token."""

        async def post(connection: psycopg.AsyncConnection[Any], wanted: Buy | Checkout | Request) -> Result:
            ids = [str(self.names.id_of("lead", lead)) for lead in wanted.leads]
            method = (
                wanted.method
                if isinstance(wanted, Request)
                else "stripe"
                if isinstance(wanted, Checkout)
                else "credits"
            )
            body: dict[str, Any] = {"lead_ids": ids, "payment_method": method}
            if isinstance(wanted, Request):
                body["idempotency_key"] = str(uuid5(NAMESPACE_OID, wanted.key))
            # The token of a workspace of a start is its id.
            headers = {"authorization": f"Bearer {self.names.id_of('workspace', wanted.workspace)}"}
            caller = Caller(connection, UUID(str(self.names.id_of("purchase", wanted.purchase))))
            answer = await self.http.ask(caller, "/api/marketplace/purchase", body, headers)
            if answer.status != 200:
                return refused(answer)
            told: dict[str, Any] = {}
            if isinstance(wanted, Request):
                told["replayed"] = answer.headers.get("idempotent-replayed") == "true"
                told["purchase"] = self.names.name_of(answer.json["purchase"]["id"])
            if method == "credits":
                told["balance"] = Decimal(answer.json["remaining_credits"])
            return Result(Status.OK, "", tuple(told.items()))

        return post

    def balance(self, workspace: str) -> Decimal:
        return dict(self.state().balances)[workspace]

    def lead(self, name: str) -> LeadState:
        return dict(self.state().leads)[name]

    def status(self, purchase: str) -> str | None:
        """None for a purchase that is not there."""
        return dict(self.state().purchases).get(purchase)

    def rows(self) -> Mapping[str, list[Any]]:
        """Every row of every table as text, with the transaction that wrote it: equal if nothing was written."""
        tables = self.owner.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        )
        found = {}
        for (name,) in tables.fetchall():
            query = sql.SQL("SELECT xmin::text, t::text FROM {} AS t ORDER BY 1, 2").format(sql.Identifier(name))
            found[name] = self.owner.execute(query).fetchall()
        return found

    @contextmanager
    def held(self, workspace: str) -> Iterator[None]:
        """A stranger has locked the credits of a workspace meanwhile, so that its purchases wait in their middle."""
        with psycopg.connect(self.dsn) as stranger:
            lock = "SELECT FROM workspace_credits WHERE workspace_id = %s FOR UPDATE"
            stranger.execute(lock, [self.names.id_of("workspace", workspace)])
            yield

    def first_client_waits(self) -> bool:
        """By the server's word: its first client waits for a lock."""
        row = self.owner.execute("SELECT pg_blocking_pids(%s) <> '{}'", [self.backend(0)]).fetchone()
        return row == (True,)

    def must_be_safe(self) -> None:
        """Every safety property holds of all that happened since the start, and nobody left anything open."""
        assert check_once(self.history(), SAFETY) == []
        left = self.owner.execute(
            """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
              AND state <> 'idle'
            """
        ).fetchone()
        assert left == (0,)


def refused(answer: Answer) -> Result:
    """What an answer other than 200 is in the words of the functions."""
    code = str(answer.code)
    if code in BUSY or answer.status >= 500:
        return Result(Status.BUSY, BUSY.get(code, code))
    return Result(Status.REFUSED, WORDS.get(code, code))
