"""The subject that docs/own-subject.md builds is what it says there."""

from __future__ import annotations

import asyncio
import re
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.marketplace.calls import Client
from harness.marketplace.operations import Buy, Operation
from harness.marketplace.refusals import REFUSALS
from harness.marketplace.start import LeadStart, Start
from harness.marketplace.subject import CALLS, FIXTURES, KEYS, PROBES, WITHOUT, Subject, load_subject
from harness.marketplace.world import World
from harness.resources import bundled
from harness.words.history import Result, Status
from tests.marketplace.foreign import installed

PAGE = Path(__file__).parents[3] / "docs" / "own-subject.md"
TEN = Decimal(10)
START = Start({"A": Decimal(15), "B": TEN}, {"L1": LeadStart(TEN), "L2": LeadStart(TEN)})


@pytest.fixture
def crm(tmp_path: Path) -> Subject:
    """The folder of the page."""
    text = PAGE.read_text()
    (tmp_path / "migrations").mkdir()
    for language, name in (("sql", "migrations/001_tables.sql"), ("toml", "subject.toml")):
        (block,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
        (tmp_path / name).write_text(block)
    return load_subject(str(tmp_path), bundled("sql"))


def test_it_runs_and_answers_in_our_words(crm: Subject, server: AnyServer) -> None:
    wanted = [("A", "L1", "p"), ("A", "L2", "q"), ("B", "L1", "r")]
    operations: list[Operation] = [Buy(workspace, (lead,), purchase) for workspace, lead, purchase in wanted]
    with installed(crm, server) as connection:
        world = World(crm, START, operations)
        world.install(connection)
        told = asyncio.run(perform(connection.info.dsn, Client(crm, world.names), operations))
        end = world.read(connection)
    assert told == [
        Result(Status.OK, "", (("balance", Decimal(5)),)),
        Result(Status.REFUSED, "insufficient_credits"),
        Result(Status.REFUSED, "lead_unavailable"),
    ]
    assert end.purchases == (("p", "completed"),)
    assert end.items == (("p", ("L1",)),)
    assert dict(end.balances)["A"] == 5


async def perform(dsn: str, client: Client, operations: list[Operation]) -> list[Result]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        return [await client.perform(connection, operation) for operation in operations]


def test_it_has_the_race_that_the_page_promises(crm: Subject, server: AnyServer) -> None:
    """B looks while A has bought and not yet committed, then waits for A and sells the contact once more."""
    operations = [Buy("A", ("L1",), "p"), Buy("B", ("L1",), "q")]
    with installed(crm, server) as connection:
        world = World(crm, START, operations)
        world.install(connection)
        told = asyncio.run(race(connection, Client(crm, world.names), world, operations))
        end = world.read(connection)
    assert told.status is Status.OK
    assert dict(end.leads)["L1"].sold_count == 2


async def race(
    owner: psycopg.Connection[tuple[object, ...]], client: Client, world: World, operations: list[Buy]
) -> Result:
    first, second = operations
    dsn = owner.info.dsn
    async with (
        await psycopg.AsyncConnection.connect(dsn) as one,
        await psycopg.AsyncConnection.connect(dsn, autocommit=True) as other,
    ):
        ids = [world.names.id_of("purchase", first.purchase), world.names.id_of("workspace", first.workspace)]
        await one.execute("SELECT buy_contacts(%s, %s, %s::bigint[])", (*ids, [world.names.id_of("lead", "L1")]))
        waiting = asyncio.create_task(client.perform(other, second))
        while not await is_blocked(one, other.info.backend_pid):
            await asyncio.sleep(0.001)
        await one.commit()
        return await waiting


async def is_blocked(connection: psycopg.AsyncConnection[tuple[object, ...]], pid: int) -> bool:
    cursor = await connection.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", (pid,))
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


def test_the_page_names_everything_there_is() -> None:
    named = set(re.findall(r"`([\w-]+)`", PAGE.read_text())) | {"fixtures", "probes", "calls", "refusals"}
    assert {*KEYS, *CALLS, *FIXTURES, *PROBES, *WITHOUT, *REFUSALS} <= named
    assert {column for columns in (*PROBES.values(), *FIXTURES.values()) for column in columns} <= named
