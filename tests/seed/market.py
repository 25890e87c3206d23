"""The marketplace of the seed's tests: a start on a real server, clients that race in it, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from harness.engine.recorder import Perform
from harness.marketplace.calls import Client
from harness.marketplace.operations import Buy, Checkout, Deliver, Operation, Request
from harness.marketplace.properties import check_once
from harness.marketplace.start import LeadStart, LeadState, Start
from harness.marketplace.subject import Subject
from harness.requests.requester import Requester, refused
from harness.requests.seats import Seats
from harness.stress.arena import SAFETY, Arena
from harness.words.history import Result, Status
from tests.purchase.stripe_side import event, sign
from tests.seed.api import Api

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


class Market(Arena):
    """An arena with the API in front of it, read in words."""

    def __init__(self, dsn: str, subject: Subject, start: Start, operations: Iterable[Operation]) -> None:
        operations = tuple(operations)
        super().__init__(dsn, subject, start, operations)

        self.http = Api()
        self._seats = Seats(self.http.make)
        self.api: Perform = Requester(self._seats, self.names, Client(subject, self.names)).perform
        """Carries a purchase out as the API's clients do; deliveries are for ``endpoint``."""
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
        with self._seats.taken(connection, None) as app:
            answer, done_before = await self.http.deliver(app, body, signature)
        if answer.status != 200:
            return refused(answer)
        assert answer.json == {"received": True}
        return Result(Status.OK, "", (("already_completed", done_before),))

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
