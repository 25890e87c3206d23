"""One client at a time, whatever the subject's tables look like, is told and leaves behind what the model says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.db.any_server import AnyServer
from harness.marketplace.block import Nemesis
from harness.marketplace.calls import Client
from harness.marketplace.model import apply, initial
from harness.marketplace.names import Names
from harness.marketplace.operations import Operation
from harness.marketplace.properties.serializable import agrees
from harness.marketplace.scenario import Scenario, load_scenarios
from harness.marketplace.subject import Subject
from harness.marketplace.world import World
from harness.resources import bundled
from harness.words.history import Result
from tests.marketplace.foreign import installed, subject_of


@pytest.fixture(scope="module", params=["reference", "foreign"])
def owner(request: pytest.FixtureRequest, server: AnyServer) -> Iterator[tuple[Subject, psycopg.Connection[Any]]]:
    subject = subject_of(request.param)
    with installed(subject, server) as connection:
        yield subject, connection


def serial_programs() -> list[Any]:
    """Every scenario, one session after the other: first to last, and last to first."""
    found = []
    for scenario in load_scenarios(bundled("scenarios")).values():
        programs = [program for program in scenario.sessions.values() if not isinstance(program, Nemesis)]
        for word, order in (("forth", programs), ("back", programs[::-1])):
            operations = [operation for program in order for operation in program]
            found.append(pytest.param(scenario, operations, id=f"{scenario.name}-{word}"))
    return found


@pytest.mark.parametrize(("scenario", "operations"), serial_programs())
def test_alone_every_client_is_told_what_the_model_says(
    scenario: Scenario, operations: list[Operation], owner: tuple[Subject, psycopg.Connection[Any]]
) -> None:
    subject, connection = owner
    if subject.lacks(scenario.start, operations):
        operations = [operation for operation in operations if subject.has(type(operation))]
    if subject.lacks(scenario.start, operations):
        assert subject.name == "foreign"
        return
    world = World(subject, scenario.start, operations)
    world.install(connection)
    market = initial(scenario.start)
    told = asyncio.run(perform_all(connection.info.dsn, subject, world.names, operations))
    for operation, seen in zip(operations, told, strict=True):
        expected, market = apply(market, operation)
        assert agrees(expected, seen), operation  # a subject may have words of its own for a refusal
        assert {**dict(seen.value), **dict(expected.value)} == dict(seen.value), operation
    end = world.read(connection)
    assert {name: dict(end.balances)[name] for name in market.balances} == market.balances
    assert {name: lead.sold_count for name, lead in end.leads} == {k: v.sold_count for k, v in market.leads.items()}
    assert dict(end.purchases) == {name: purchase.status for name, purchase in market.purchases.items()}
    # Whether what was paid before the start is in its books is a subject's own affair.
    before = {name for name, purchase in initial(scenario.start).purchases.items() if purchase.charged}
    assert {name: charged for name, _, charged in end.charges or () if name not in before} == {
        name: purchase.charged for name, purchase in market.purchases.items() if purchase.charged and name not in before
    }


async def perform_all(dsn: str, subject: Subject, names: Names, operations: list[Operation]) -> list[Result]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        if subject.client_role:
            await connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(subject.client_role)))
        client = Client(subject, names)
        return [await client.perform(connection, operation) for operation in operations]
