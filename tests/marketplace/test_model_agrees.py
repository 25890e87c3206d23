"""The sequential model and the reference's SQL give the same answers and leave the same state, code for code."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.db.any_server import AnyServer
from harness.db.migrate import apply as migrate
from harness.marketplace.calls import Client
from harness.marketplace.model import apply, initial, state_of
from harness.marketplace.operations import Buy, Operation
from harness.marketplace.properties.facts import Facts
from harness.marketplace.properties.serializable import outline
from harness.marketplace.start import State
from harness.marketplace.subject import load_subject
from harness.marketplace.world import World
from harness.words.history import Call, History, Result
from tests.sizes import sized

from .drawn import OPERATIONS, START, numbered

SUBJECTS = Path(__file__).parents[2] / "sql"
LONGEST = 10
NOT_FOUND = {"lead_not_found": ["lead_unavailable", "lead_unpriced"]}
"""What the API tells to who asks for a lead that never was on sale."""


class Shop:
    """The reference on a server, asked for one operation at a time."""

    def __init__(self, dsn: str) -> None:
        subject = load_subject("reference", SUBJECTS)
        self.connection = psycopg.connect(dsn, autocommit=True)
        migrate(self.connection, subject.migrations)
        self.connection.execute("CREATE SCHEMA IF NOT EXISTS harness")
        # The purchases that drawn operations make are numbered by their place.
        self.world = World(subject, START, [Buy("A", ("L1",), f"new{place}") for place in range(LONGEST)])
        self.world.install(self.connection)
        self.client = Client(subject, self.world.names)
        self.loop = asyncio.new_event_loop()
        self.session: psycopg.AsyncConnection[Any] = self.loop.run_until_complete(
            psycopg.AsyncConnection.connect(dsn, autocommit=True)
        )

    def run(self, operations: list[Operation]) -> tuple[list[Result], State]:
        self.world.reset(self.connection)
        results = [self.loop.run_until_complete(self.client.perform(self.session, each)) for each in operations]
        return results, self.world.read(self.connection)

    def close(self) -> None:
        self.loop.run_until_complete(self.session.close())
        self.loop.close()
        self.connection.close()


@pytest.fixture(scope="module")
def shop(server: AnyServer, module_database: str) -> Iterator[Shop]:
    server.ensure_roles(load_subject("reference", SUBJECTS).roles)
    shop = Shop(module_database)
    yield shop
    shop.close()


@settings(max_examples=sized(60, 1000))
@given(st.lists(OPERATIONS, min_size=4, max_size=LONGEST).map(numbered))
def test_the_model_and_the_reference_agree(shop: Shop, operations: list[Operation]) -> None:
    results, final = shop.run(operations)
    market, calls = initial(START), []
    for place, (operation, result) in enumerate(zip(operations, results, strict=True)):
        expected, market = apply(market, operation)
        told = dict(result.value)
        assert (operation, result.status) == (operation, expected.status)
        assert expected.code in NOT_FOUND.get(result.code, [result.code]), operation
        assert {name: told.get(name) for name, _ in expected.value} == dict(expected.value), operation
        calls.append(Call(0, operation, 2 * place, 2 * place + 1, result))
    facts = Facts(History(tuple(calls), START, final))
    assert outline(final, facts) == outline(state_of(market), facts)
