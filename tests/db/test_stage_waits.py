"""Locks on a real server: who waits for whom, who is woken by which step, who does not wait at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.db.any_server import AnyServer
from harness.db.controlled import ControlledConnection
from harness.explore.random_walk import RandomWalk
from harness.explore.replay import Exact
from harness.words.history import EventKind

from .bank import Bank, codes, told, trace


@pytest.fixture(scope="module")
def bank(module_database: str, server: AnyServer) -> Iterator[Bank]:
    with Bank(module_database, local=server.local) as bank:
        bank.define("""
            CREATE FUNCTION take_nowait(p_account integer) RETURNS integer LANGUAGE plpgsql AS $$
            BEGIN
              IF harness.point(21) THEN END IF;
              PERFORM FROM account WHERE id = p_account FOR UPDATE NOWAIT;
              IF harness.point(22) THEN END IF;
              RETURN p_account;
            END $$;
            CREATE FUNCTION take_any() RETURNS integer LANGUAGE plpgsql AS $$
            DECLARE v_id integer;
            BEGIN
              IF harness.point(31) THEN END IF;
              SELECT id INTO v_id FROM account ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1;
              IF harness.point(32) THEN END IF;
              RETURN v_id;
            END $$;
            CREATE FUNCTION take_advisory(p_key integer) RETURNS void LANGUAGE plpgsql AS $$
            BEGIN
              IF harness.point(41) THEN END IF;
              PERFORM pg_advisory_xact_lock(p_key);
              IF harness.point(42) THEN END IF;
            END $$;
            CREATE FUNCTION undo(p_account integer) RETURNS void LANGUAGE plpgsql AS $$
            BEGIN
              IF harness.point(51) THEN END IF;
              BEGIN
                UPDATE account SET balance = 0 WHERE id = p_account;
                IF harness.point(52) THEN END IF;
                RAISE division_by_zero;
              EXCEPTION WHEN division_by_zero THEN
                IF harness.point(53) THEN END IF;
              END;
              IF harness.point(54) THEN END IF;
            END $$;
            CREATE TABLE booking (seat integer PRIMARY KEY);
        """)
        yield bank


TAKE = "SELECT take(1, 10)"


def test_a_wait_is_told_with_who_blocks_and_the_wake_belongs_to_the_commit(bank: Bank) -> None:
    run, history = bank.trial([[TAKE], [TAKE]]).play((2, 1))
    assert trace(run) == [0, 0, 1, 1, 0, 0, 1, 1]
    assert run.points == [-1, 1, -1, 1, 2, 3, 2, 3]
    assert told(run) == [(3, 1, "wait", 0), (5, 1, "wake", 0)]
    assert history.final[0] == (1, -5)


def test_a_waiter_is_not_enabled(bank: Bank) -> None:
    run, _ = bank.trial([[TAKE], [TAKE]]).play((2, 1))
    assert [decision.enabled for decision in run.decisions[3:]] == [(0, 1), (0,), (0,), (1,), (1,)]


def test_a_plain_read_does_not_wait(bank: Bank) -> None:
    run, history = bank.trial([[TAKE], ["SELECT balance FROM account WHERE id = 1"]]).play((3, 1))
    assert told(run) == []
    assert history.calls[1].result["answer"] == 15


def test_a_statement_without_points_waits_too(bank: Bank) -> None:
    run, history = bank.trial([[TAKE], ["UPDATE account SET balance = 7 WHERE id = 1"]]).play((2, 1))
    assert told(run) == [(2, 1, "wait", 0), (4, 1, "wake", 0)]
    assert history.final[0] == (1, 7)


@pytest.mark.parametrize("waiters", [3, 4])
def test_first_come_first_served(bank: Bank, waiters: int) -> None:
    arrivals = [(2 + 2 * place, waiters - place) for place in range(waiters)]
    trial = bank.trial([[TAKE]] * (waiters + 1))
    first = trial.play(*arrivals)
    assert [event[1] for event in told(first[0], EventKind.WAKE)] == list(range(waiters, 0, -1))
    for _ in range(10):
        assert trial.play(*arrivals) == first


@pytest.mark.parametrize("sessions", [3, 4])
def test_who_waits_for_one_row_is_the_same_whatever_the_schedule(bank: Bank, sessions: int) -> None:
    trial, strategy = bank.trial([[TAKE]] * sessions), RandomWalk(sessions)
    for _ in range(40):
        strategy.begin()
        run, history = trial.run(strategy)
        again = Exact(run.decisions)
        assert again.begin()
        assert trial.run(again) == (run, history)


def test_nowait_is_an_error_and_no_wait(bank: Bank) -> None:
    run, history = bank.trial([[TAKE], ["SELECT take_nowait(1)"]]).play((2, 1))
    assert told(run) == [(3, 1, "error", "55P03")]
    assert codes(history) == ["", "55P03"]


def test_skip_locked_takes_another_row(bank: Bank) -> None:
    run, history = bank.trial([["SELECT take_any()"]] * 3).play((2, 1), (4, 2))
    assert told(run) == []
    assert sorted(call.result["answer"] for call in history.calls) == [1, 2, 3]


def test_an_advisory_lock_of_the_program_is_a_lock_like_any(bank: Bank) -> None:
    run, _ = bank.trial([["SELECT take_advisory(5)"]] * 2).play((2, 1))
    assert told(run) == [(3, 1, "wait", 0), (4, 1, "wake", 0)]


def test_advisory_locks_of_a_session_last_longer_than_its_statements(bank: Bank) -> None:
    lock, unlock = "SELECT pg_advisory_lock(6)", "SELECT pg_advisory_unlock(6)"
    run, _ = bank.trial([[lock, "SELECT 1", unlock], [lock, unlock]]).play((1, 1))
    assert told(run) == [(1, 1, "wait", 0), (3, 1, "wake", 0)]


def test_a_unique_key_waits_for_the_transaction_that_may_take_it(bank: Bank) -> None:
    async def book(connection: ControlledConnection) -> None:
        async with connection.transaction(force_rollback=True):
            await connection.execute("INSERT INTO booking VALUES (1)")
            await connection.execute("SELECT 1")

    run, history = bank.trial([[book], [book]]).play((2, 1))
    assert told(run) == [(3, 1, "wait", 0), (5, 1, "wake", 0)]
    assert codes(history) == ["", ""]


def test_a_table_lock_is_waited_for(bank: Bank) -> None:
    async def lock(connection: ControlledConnection) -> None:
        async with connection.transaction():
            await connection.execute("LOCK TABLE account IN EXCLUSIVE MODE")
            await connection.execute("SELECT 1")

    run, _ = bank.trial([[lock], [TAKE]]).play((2, 1))
    assert told(run) == [(3, 1, "wait", 0), (5, 1, "wake", 0)]


def test_an_exception_block_that_is_left_gives_its_locks_back(bank: Bank) -> None:
    run, history = bank.trial([["SELECT undo(1)"], [TAKE]]).play((2, 1), (4, 0))
    assert run.points == [-1, 51, -1, 1, 52, 53, 54, 2, 3]
    assert told(run) == [(3, 1, "wait", 0), (4, 1, "wake", 0)], "woken while the function is at point 53"
    assert history.final[0] == (1, 5)


def test_a_savepoint_that_is_rolled_back_gives_its_locks_back(bank: Bank) -> None:
    async def undo(connection: ControlledConnection) -> None:
        async with connection.transaction():
            async with connection.transaction(force_rollback=True):
                await connection.execute("UPDATE account SET balance = 0 WHERE id = 1")
            await connection.execute("SELECT 1")

    run, _ = bank.trial([[undo], [TAKE]]).play((3, 1))
    wait, wake = told(run)
    assert (wait, wake) == ((4, 1, "wait", 0), (5, 1, "wake", 0)), "woken by ROLLBACK TO, before the COMMIT"


def test_an_error_gives_all_locks_back_at_once(bank: Bank) -> None:
    async def fail(connection: ControlledConnection) -> None:
        async with connection.transaction():
            await connection.execute("UPDATE account SET balance = 0 WHERE id = 1")
            await connection.execute("SELECT 1 / 0")

    run, history = bank.trial([[fail], [TAKE]]).play((2, 1))
    assert told(run) == [(3, 1, "wait", 0), (4, 0, "error", "22012"), (4, 1, "wake", 0)]
    assert codes(history) == ["22012", ""]
