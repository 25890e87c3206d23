"""Connections that are lost, silent, cancelled or all in use: who asked is told, and the pool is whole again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from time import monotonic
from typing import Any

import psycopg
import pytest
from psycopg import errors

from harness.db.any_server import AnyServer
from harness.purchase import pool as pools
from harness.purchase.pool import Limits, Pool
from harness.purchase.refusals import Refusal, refusal_of
from harness.purchase.steady import SteadyConnection

ROLE = "marketplace_api"


@pytest.fixture(scope="module")
def dsn(server: AnyServer, module_database: str) -> str:
    server.ensure_roles([ROLE])
    with psycopg.connect(module_database, autocommit=True) as owner:
        owner.execute("CREATE TABLE kept (n int); GRANT ALL ON kept TO marketplace_api")
    return module_database


@pytest.fixture
def owner(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("TRUNCATE kept")
        yield owner


def run(dsn: str, work: Callable[[Pool], Awaitable[None]], **limits: Any) -> None:
    """Do something with a pool of two; it must be whole again in the end."""

    async def opened() -> None:
        async with asyncio.timeout(60), Pool(dsn, ROLE, Limits(**{"size": 2} | limits)) as pool:
            await work(pool)
            await whole(pool)

    asyncio.run(opened())


async def whole(pool: Pool) -> None:
    while pool.in_state()["missing"] or pool.in_state()["busy"]:
        await asyncio.sleep(0.005)


async def ask(pool: Pool, query: str = "SELECT current_user, pg_backend_pid()") -> Any:
    async with pool.connection() as connection:
        cursor = await connection.execute(query.encode())
        return await cursor.fetchone()


async def asleep(pool: Pool, owner: psycopg.Connection[Any], query: str = "SELECT pg_sleep(60)") -> tuple[Any, int]:
    """A request that is being carried out, and its backend."""
    asking = asyncio.create_task(ask(pool, query))
    find = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    while (row := owner.execute(find).fetchone()) is None:
        await asyncio.sleep(0.005)
    return asking, row[0]


def told(error: psycopg.Error) -> tuple[str, Any]:
    no = refusal_of(error)
    assert no is not None
    return no.code, no.details


def test_many_requests_share_few_connections(dsn: str) -> None:
    async def work(pool: Pool) -> None:
        rows = await asyncio.gather(*(ask(pool) for _ in range(50)))
        assert {role for role, _ in rows} == {ROLE}
        assert len({backend for _, backend in rows}) == 2

    run(dsn, work)


def test_a_plan_of_empty_tables_is_good_for_full_ones(dsn: str, owner: psycopg.Connection[Any]) -> None:
    owner.execute(
        "DROP TABLE IF EXISTS grown; CREATE TABLE grown (id int PRIMARY KEY); GRANT SELECT ON grown TO PUBLIC"
    )
    owner.execute("VACUUM ANALYZE grown")

    async def work(pool: Pool) -> None:
        async with pool.connection() as connection:
            # It is planned once, for an empty table and for any id.
            await connection.execute("PREPARE look (int) AS SELECT FROM grown WHERE id = $1")
            cursor = await connection.execute("EXPLAIN EXECUTE look (1)")
            assert "Index" in (await cursor.fetchall())[0][0]
            assert "$1" in str(await (await connection.execute("EXPLAIN EXECUTE look (1)")).fetchall())

    run(dsn, work)


def test_a_connection_that_was_killed_while_idle_is_never_used(dsn: str, owner: psycopg.Connection[Any]) -> None:
    async def work(pool: Pool) -> None:
        for _ in range(3):
            backends = {(await ask(pool))[1], (await ask(pool))[1]}
            for backend in backends:
                owner.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
            # Not a moment is given to the event loop: the news is found when the connection is taken.
            assert (await ask(pool))[1] not in backends

    run(dsn, work)


def test_who_lost_the_connection_on_the_way_is_told_so(dsn: str, owner: psycopg.Connection[Any]) -> None:
    async def work(pool: Pool) -> None:
        asking, backend = await asleep(pool, owner)
        owner.execute("SELECT pg_terminate_backend(%s)", [backend])
        with pytest.raises(errors.AdminShutdown) as lost:
            await asking
        assert told(lost.value) == ("try_again", {"outcome": "unknown"})
        assert await ask(pool)

    run(dsn, work)


def test_a_server_that_says_nothing_is_given_up(
    dsn: str, owner: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "GRACE_S", 0.05)
    monkeypatch.setattr(pools, "LOOK_EVERY_S", 0.01)

    async def work(pool: Pool) -> None:
        asking, backend = await asleep(pool, owner)
        os.kill(backend, signal.SIGSTOP)
        try:
            with pytest.raises(psycopg.OperationalError, match="lost") as lost:
                await asking
        finally:
            os.kill(backend, signal.SIGCONT)
        assert told(lost.value) == ("try_again", {"outcome": "unknown"})

    run(dsn, work, statement_s=0.5)


def test_a_statement_has_its_time(dsn: str) -> None:
    async def work(pool: Pool) -> None:
        with pytest.raises(errors.QueryCanceled) as late:
            await ask(pool, "SELECT pg_sleep(60)")
        assert told(late.value) == ("try_again", {"outcome": "not done"})

    run(dsn, work, statement_s=0.05)


def test_when_all_are_in_use_one_waits_and_not_for_long(dsn: str) -> None:
    async def work(pool: Pool) -> None:
        async with pool.connection(), pool.connection():
            assert pool.in_state() == {"idle": 0, "busy": 2, "missing": 0}
            with pytest.raises(Refusal, match="try_again"):
                await ask(pool)
        assert await ask(pool)

    run(dsn, work, wait_s=0.01)


def test_nobody_is_remembered_who_has_waited_in_vain(dsn: str) -> None:
    async def work(pool: Pool) -> None:
        async with pool.connection(), pool.connection():
            before = pool.in_state()
            for _ in range(3):
                refused = await asyncio.gather(*(ask(pool) for _ in range(100)), return_exceptions=True)
                assert {str(each) for each in refused} == {"try_again"}
                gone = asyncio.create_task(ask(pool))
                await asyncio.sleep(0)
                gone.cancel()
                await asyncio.gather(gone, return_exceptions=True)
                assert not pool._waiting
            assert pool.in_state() == before

    run(dsn, work, wait_s=0.01)


def test_who_waits_longest_is_next_and_who_has_gone_is_not(dsn: str) -> None:
    async def work(pool: Pool) -> None:
        order = []

        async def wait(name: str) -> None:
            async with pool.connection():
                order.append(name)

        async with pool.connection(), pool.connection():
            waiting = [asyncio.create_task(wait(name)) for name in ("first", "gone", "second")]
            await asyncio.sleep(0)
            waiting[1].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert order == ["first", "second"]

    run(dsn, work)


def test_a_request_that_is_cancelled_is_rolled_back(dsn: str, owner: psycopg.Connection[Any]) -> None:
    async def work(pool: Pool) -> None:
        asking, _ = await asleep(pool, owner, "INSERT INTO kept SELECT 1 FROM pg_sleep(60)")
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        # The server has ended it already, and the connection is good for others.
        assert owner.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
        ).fetchone() == (0,)
        assert pool.in_state() == {"idle": 2, "busy": 0, "missing": 0}
        assert owner.execute("SELECT count(*) FROM kept").fetchone() == (0,)

    run(dsn, work)


def test_a_server_that_is_away_is_dialled_until_it_is_back(
    dsn: str, owner: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pools, "AGAIN_S", 0.001)
    monkeypatch.setattr(pools, "AGAIN_S_MAX", 0.001)
    real, away = SteadyConnection.connect.__func__, [True]  # type: ignore[attr-defined]
    attempts: list[int] = []

    async def connect(cls: type[SteadyConnection], *arguments: Any, **more: Any) -> SteadyConnection:
        if away[0]:
            attempts.append(1)
            raise psycopg.OperationalError("nobody is there")
        connection: SteadyConnection = await real(cls, *arguments, **more)
        return connection

    async def work(pool: Pool) -> None:
        monkeypatch.setattr(SteadyConnection, "connect", classmethod(connect))
        for backend in {(await ask(pool))[1], (await ask(pool))[1]}:
            owner.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
        with pytest.raises(Refusal, match="try_again"):
            await ask(pool)
        assert pool.in_state()["missing"] == 2
        away[0] = False
        await whole(pool)
        assert await ask(pool)
        # However often it was dialled, an outage is two lines in the log.
        assert len(attempts) > 2
        said = [each.getMessage() for each in caplog.records]
        assert [line.partition(":")[0] for line in said] == [
            "no connection to the database, which is dialled again",
            "all connections to the database are there again",
        ]

    run(dsn, work, wait_s=0.05)


def test_an_open_transaction_is_not_given_to_the_next(dsn: str) -> None:
    async def work(pool: Pool) -> None:
        async with pool.connection() as connection:
            await connection.execute("BEGIN")
            await connection.execute("INSERT INTO kept VALUES (1)")
        await whole(pool)
        for _ in range(4):
            assert await ask(pool, "SELECT count(*) FROM kept") == (0,)

    run(dsn, work)


def test_what_is_large_is_sent_and_read_in_pieces(dsn: str) -> None:
    async def work(pool: Pool) -> None:
        text = "x" * 20_000_000
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT %s::text", [text])
            assert await cursor.fetchone() == (text,)

    run(dsn, work)


async def nothing(_: Pool) -> None: ...


def test_no_server_no_pool(dsn: str) -> None:
    with pytest.raises(psycopg.OperationalError):
        run(f"{dsn} dbname=harness_nowhere", nothing)


def test_a_pool_that_cannot_be_filled_lets_go_of_what_it_has(
    dsn: str, owner: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SteadyConnection.connect.__func__  # type: ignore[attr-defined]
    dialled: list[str] = []

    async def connect(cls: type[SteadyConnection], *arguments: Any, **more: Any) -> SteadyConnection:
        if dialled:
            raise psycopg.OperationalError("there are too many")
        dialled.append(more["application_name"])
        connection: SteadyConnection = await real(cls, *arguments, **more)
        return connection

    monkeypatch.setattr(SteadyConnection, "connect", classmethod(connect))
    with pytest.raises(psycopg.OperationalError, match="too many"):
        run(dsn, nothing)
    left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
    deadline = monotonic() + 30
    while owner.execute(left, dialled).fetchone() != (0,):
        assert monotonic() < deadline
