"""The API in this process, on a database of its own, and who visits it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from harness.db.any_server import AnyServer
from harness.marketplace.subject import load_subject
from harness.purchase.app import create_app
from harness.purchase.checkout import Bill
from harness.purchase.connections import OneConnection
from harness.purchase.settings import Settings
from harness.requests.exchange import App
from harness.resources import bundled
from harness.stress.arena import put_in_place
from tests.purchase.shop import Shop, Workspace
from tests.purchase.visitor import Answer, Visitor

WEBHOOK_SECRET = "whsec_that_no_answer_holds"


@dataclass
class Opened:
    """Everything that a test of the API needs."""

    shop: Shop
    app: App
    visitor: Visitor
    buyer: Workspace
    seller: Workspace

    @property
    def bearer(self) -> bytes:
        """The buyer's header."""
        return f"Bearer {self.buyer.token}".encode()

    @staticmethod
    def hash_of(token: str) -> str:
        """As the database has it, in hexadecimal."""
        return hashlib.sha256(token.encode()).hexdigest()


class Counter:
    """Checkout sessions that nobody pays."""

    async def open(self, bill: Bill) -> str:
        return f"https://pay.test/{bill.about}"


@pytest.fixture(scope="module")
def shop(server: AnyServer, module_database: str) -> Iterator[Shop]:
    subject = load_subject("reference", bundled("sql"))
    server.ensure_roles(subject.roles)
    put_in_place(module_database, subject)
    made = Shop(module_database)
    yield made
    made.close()


def as_the_api(dsn: str) -> str:
    """The DSN with which the API itself connects."""
    return make_conninfo(dsn, options="-c role=marketplace_api")


@pytest.fixture(scope="module")
def opened(shop: Shop) -> Iterator[Opened]:
    with asyncio.Runner() as runner:

        def run(what: Awaitable[Answer]) -> Answer:
            async def wait() -> Answer:
                return await what

            return runner.run(wait())

        connect = psycopg.AsyncConnection.connect(as_the_api(shop.dsn), autocommit=True)
        connection: psycopg.AsyncConnection[Any] = runner.run(connect)
        app = create_app(OneConnection(connection), Counter(), Settings(WEBHOOK_SECRET))
        buyer, seller = shop.workspace(), shop.workspace()
        secrets = [WEBHOOK_SECRET, buyer.token, seller.token]
        yield Opened(shop, app, Visitor(run, app, secrets), buyer, seller)
        runner.run(connection.close())
