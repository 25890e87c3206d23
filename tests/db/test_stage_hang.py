"""A session that hangs: found, told with its locks, and gone without a trace."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.db.controlled import ControlledConnection
from harness.engine.campaign import Campaign
from harness.engine.execution import Hang
from harness.explore.exhaustive import Exhaustive
from harness.words.errors import CouldNotRun

from .bank import Bank, BankTrial, Sessions, codes, trace

TAKE, SLEEP = "SELECT take(1, 10)", "SELECT take_and_sleep(1)"
SOON_S = 0.2


@pytest.fixture(scope="module")
def bank(module_database: str, server: AnyServer) -> Iterator[Bank]:
    with Bank(module_database, local=server.local) as bank:
        bank.define("""
            CREATE FUNCTION take_and_sleep(p_account integer) RETURNS void LANGUAGE plpgsql AS $$
            BEGIN
              IF harness.point(81) THEN END IF;
              UPDATE account SET balance = 0 WHERE id = p_account;
              IF harness.point(82) THEN END IF;
              PERFORM pg_sleep(1000);
            END $$;
        """)
        yield bank


def hang(trial: BankTrial, *switches: tuple[int, int]) -> Hang:
    with pytest.raises(Hang) as caught:
        trial.play(*switches)
    return caught.value


def assert_nothing_is_left(bank: Bank) -> None:
    locks = (
        "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE datname = current_database() AND locktype IN ('advisory', 'tuple', 'transactionid')"
    )
    assert bank.admin.execute(locks).fetchone() == (0,)
    assert bank.backends() == 0
    assert bank.admin.execute("SELECT balance FROM account WHERE id = 1").fetchone() == (15,)


def test_a_session_that_sleeps_is_a_hang_and_says_where(bank: Bank) -> None:
    found = hang(bank.trial([[SLEEP]], hang_s=SOON_S))
    assert found.why.startswith("session 0 has not come to its next scheduling point for 0.2 s")
    assert "session 0  active  Timeout  PgSleep" in found.picture
    assert "RowExclusiveLock" in found.picture
    assert trace(found.run) == [0, 0, 0]


def test_afterwards_nothing_is_left_and_nothing_was_committed(bank: Bank) -> None:
    hang(bank.trial([[SLEEP]], hang_s=SOON_S))
    assert_nothing_is_left(bank)


def test_nobody_who_waits_or_stands_at_a_point_goes_on_to_its_commit(bank: Bank) -> None:
    hang(bank.trial([[SLEEP], [TAKE], ["SELECT move(2, 3)"]], hang_s=SOON_S), (2, 1), (4, 2), (6, 0))
    assert_nothing_is_left(bank)
    assert bank.admin.execute("SELECT sum(balance) FROM account").fetchone() == (45,)


def test_a_strangers_lock_is_a_hang_and_no_wait(bank: Bank) -> None:
    with psycopg.connect(bank.dsn) as stranger:
        # Not in the accounts, which the trial writes before it starts.
        stranger.execute("SELECT pg_advisory_xact_lock(7)")
        found = hang(bank.trial([["SELECT pg_advisory_xact_lock(7)"], [TAKE]], hang_s=SOON_S))
        assert "waits for no session of the run" in found.why
        assert found.run.events == []
        assert "advisory  ExclusiveLock  f" in found.picture


def test_client_code_in_a_transaction_is_abandoned_too(bank: Bank) -> None:
    async def linger(connection: ControlledConnection) -> None:
        async with connection.transaction(), connection.cursor() as cursor:
            await cursor.execute("UPDATE account SET balance = 0 WHERE id = 1")
            await cursor.execute("SELECT pg_sleep(1000)")

    hang(bank.trial([[linger]], hang_s=SOON_S))
    assert_nothing_is_left(bank)


def test_client_code_that_cleans_up_finds_its_connection_closed(bank: Bank) -> None:
    refused = []

    async def tidy(connection: ControlledConnection) -> None:
        try:
            await connection.execute("SELECT pg_sleep(1000)")
        finally:
            try:
                await connection.execute("UPDATE account SET balance = 0 WHERE id = 1")
            except psycopg.OperationalError as error:
                refused.append(str(error))
                raise

    hang(bank.trial([[tidy]], hang_s=SOON_S))
    assert refused == ["the connection is closed"]
    assert_nothing_is_left(bank)


def test_the_next_run_is_whole(bank: Bank) -> None:
    hang(bank.trial([[SLEEP]], hang_s=SOON_S))
    run, history = bank.trial([[TAKE], [TAKE]]).play((2, 1))
    assert codes(history) == ["", ""]
    assert len(run.events) == 2


def test_a_campaign_ends_at_a_hang_and_keeps_it(bank: Bank) -> None:
    made = Campaign(bank.trial([[SLEEP], [TAKE]], hang_s=SOON_S), Exhaustive(), lambda _: (), lambda _: {})
    while made.advance():
        pass
    assert made.finished
    assert made.tally.hang is not None
    assert "PgSleep" in made.tally.hang.picture


@pytest.mark.parametrize("hang_s", [0.2, 0.6])
def test_the_watchdog_waits_as_long_as_it_was_told(bank: Bank, hang_s: float) -> None:
    began = time.monotonic()
    hang(bank.trial([["SELECT pg_sleep(1000)"]], hang_s=hang_s))
    assert time.monotonic() - began > hang_s


def test_slow_statements_are_none(bank: Bank) -> None:
    bank.define("""
        CREATE FUNCTION dawdle() RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
          FOR i IN 1 .. 5 LOOP
            IF harness.point(91) THEN END IF;
            PERFORM pg_sleep(0.15);
          END LOOP;
        END $$
    """)
    run, history = bank.trial([["SELECT dawdle()"]], hang_s=0.3).play()
    assert (run.points, codes(history)) == ([-1, 91, 91, 91, 91, 91], [""])


def test_a_session_that_loses_count_of_its_turns_cannot_be_run(bank: Bank) -> None:
    sessions: Sessions = [["SELECT setval('pg_temp.harness_turn', 90)", TAKE]]
    with pytest.raises(CouldNotRun, match=r"announced turn 9\d of its gate; expected turn \d") as caught:
        bank.trial(sessions).play()
    assert caught.value.slug == "turn-lost"
    assert bank.backends() == 0
