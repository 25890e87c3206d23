"""An arena: real clients, and a history that says what happened to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.marketplace.operations import Buy, CompleteCredit
from harness.marketplace.properties import PROPERTIES, check, check_once
from harness.marketplace.start import LeadStart, PurchaseStart, Start
from harness.marketplace.subject import Subject, load_subject
from harness.resources import bundled
from harness.stress.arena import SAFETY, Arena, put_in_place
from harness.stress.clients import clients
from harness.stress.journal import Journal
from harness.words.history import Result, Status

START = Start(
    workspaces={f"W{number}": Decimal(100) for number in range(20)},
    leads={f"L{number}": LeadStart() for number in range(20)},
)
BUYS = [Buy(f"W{number}", ("L0",), f"p{number}") for number in range(20)]


@pytest.fixture(scope="module")
def reference() -> Subject:
    return load_subject("reference", bundled("sql"))


@pytest.fixture
def dsn(server: AnyServer, database: str, reference: Subject) -> str:
    server.ensure_roles(reference.roles)
    put_in_place(database, reference)
    return database


@pytest.fixture
def arena(dsn: str, reference: Subject) -> Iterator[Arena]:
    with Arena(dsn, reference, START, BUYS) as arena:
        yield arena


def test_clients_are_sessions_of_their_own_in_the_role_of_the_subject(arena: Arena) -> None:
    async def who(connection: psycopg.AsyncConnection[Any], _: Buy) -> Result:
        row = await (await connection.execute("SELECT current_user, pg_backend_pid()")).fetchone()
        return Result(Status.OK, "", (("who", row),))

    race = arena.race(BUYS, perform=who)
    roles, backends = zip(*(result["who"] for result in race.results), strict=True)
    assert set(roles) == {"service_role"}
    assert list(backends) == [arena.backend(number) for number in range(20)]
    assert len(set(backends)) == 20


def test_all_are_there_before_anybody_has_an_answer(arena: Arena) -> None:
    race = arena.race(BUYS)
    returned = [call.returned for call in race.calls if call.returned is not None]
    assert max(call.invoked for call in race.calls) < min(returned)
    assert len(returned) == 20
    assert len(race.winners) == 1
    assert [call.session for call in race.calls] == list(range(20))
    assert all(0 < latency <= race.seconds for latency in race.latencies)


def test_a_history_is_of_everything_since_the_start(arena: Arena) -> None:
    assert arena.ask(BUYS[3]).status is Status.OK
    arena.race(BUYS[:3])
    history = arena.history()
    assert history.calls[0].operation == BUYS[3]
    assert sorted(call.operation.purchase for call in history.calls[1:]) == ["p0", "p1", "p2"]
    assert all(history.calls[0].precedes(call) for call in history.calls[1:])
    assert history.final == arena.state()
    assert check_once(history, SAFETY) == check(history, SAFETY) == []
    arena.reset()
    assert arena.history().calls == ()
    assert arena.history().final == arena.state() != history.final


def test_a_double_sale_is_seen(server: AnyServer, database: str) -> None:
    # The published functions sell a lead to whoever was let in before it was marked.
    subject = load_subject("published", bundled("sql"))
    server.ensure_roles(subject.roles)
    put_in_place(database, subject)
    pending = {name: PurchaseStart(workspace, ("L0",)) for name, workspace in (("p0", "W0"), ("p1", "W1"))}
    start = Start(START.workspaces, {"L0": LeadStart()}, pending)
    completions = [CompleteCredit("p0", "W0", Decimal(10)), CompleteCredit("p1", "W1", Decimal(10))]
    with Arena(database, subject, start) as arena:
        race = arena.race(completions)
        assert len(race.winners) == 2
        assert "sold-once" in {violation.property for violation in check_once(arena.history(), SAFETY)}


def test_what_one_begins_goes_on_while_others_work(arena: Arena) -> None:
    arena.gather(2)
    with psycopg.connect(arena.dsn) as stranger:
        stranger.execute("SELECT FROM workspace_credits FOR UPDATE")
        begun = arena.begin(BUYS[0])
        blocked = "SELECT pg_blocking_pids(%s) <> '{}'"
        arena.go_on_until(lambda: arena.owner.execute(blocked, [arena.backend(0)]).fetchone() == (True,))
        (result,) = arena.race([BUYS[1]], first=1).results
        assert (result.status, result.code) == (Status.BUSY, "55P03")
        assert not begun.done()
        # Until it has an answer it is unknown.
        assert arena.history().calls[0].result.status is Status.UNKNOWN
    assert arena.end(begun).status is Status.OK
    assert [call.session for call in arena.history().calls] == [0, 1]


def test_a_client_that_is_ended_is_unknown(arena: Arena) -> None:
    arena.gather(1)
    with psycopg.connect(arena.dsn) as stranger:
        stranger.execute("SELECT FROM workspace_credits FOR UPDATE")
        begun = arena.begin(BUYS[0])
        blocked = "SELECT pg_blocking_pids(%s) <> '{}'"
        arena.go_on_until(lambda: arena.owner.execute(blocked, [arena.backend(0)]).fetchone() == (True,))
        arena.owner.execute("SELECT pg_terminate_backend(%s)", [arena.backend(0)])
        assert arena.end(begun).status is Status.UNKNOWN
    (call,) = arena.history().calls
    assert (call.returned, call.result.code) == (None, "57P01")


def test_what_goes_wrong_in_a_client_comes_out_as_it_is(arena: Arena) -> None:
    async def fail(_connection: object, operation: Buy) -> Result:
        raise LookupError(operation.workspace)

    with pytest.raises(LookupError, match="W"):
        arena.race(BUYS, perform=fail)
    assert len(arena.race(BUYS).winners) == 1


def test_a_server_that_refuses_clients_is_told_once(dsn: str, reference: Subject) -> None:
    async def dial() -> None:
        async with clients(f"{dsn} user=nobody_of_that_name", reference, 3):
            pytest.fail("nobody was let in")

    with pytest.raises(psycopg.OperationalError, match="nobody_of_that_name"):
        asyncio.run(dial())


def test_the_journal_orders_invocations_and_answers() -> None:
    journal, turn = Journal(), asyncio.Event()

    async def perform(_connection: object, operation: str) -> Result:
        if operation == "first":
            await turn.wait()
        turn.set()
        return Result(Status.UNKNOWN if operation == "lost" else Status.OK)

    async def both() -> None:
        first = asyncio.create_task(journal.ask(perform, None, 0, "first"))
        await asyncio.sleep(0)
        await journal.ask(perform, None, 1, "second")
        await first
        await journal.ask(perform, None, 1, "lost")

    asyncio.run(both())
    assert [(call.operation, call.invoked, call.returned) for call in journal.calls] == [
        ("first", 1, 4),
        ("second", 2, 3),
        ("lost", 5, None),
    ]
    assert len(journal.seconds) == 3


def test_only_what_cannot_be_judged_at_this_size_is_left_out() -> None:
    assert set(PROPERTIES) - set(SAFETY) == {"serializable", "no-hang", "fails-fast", "no-leak"}


def test_a_race_that_does_not_end_is_given_up(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.stress.arena._WAIT_S_MAX", 0.5)
    arena.gather(2)
    with psycopg.connect(arena.dsn) as stranger:
        stranger.execute("SELECT FROM workspace_credits FOR UPDATE")
        with pytest.raises(TimeoutError):
            arena.race([BUYS[0]])
        with pytest.raises(TimeoutError):
            arena.go_on_until(lambda: False)
