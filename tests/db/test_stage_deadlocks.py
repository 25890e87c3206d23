"""Deadlocks on a real server: the victim is the session that closed the cycle, every time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.db.any_server import AnyServer
from harness.db.controlled import ControlledConnection
from harness.explore.exhaustive import Exhaustive
from harness.words.history import EventKind

from .bank import Bank, Sessions, codes, told

CROSSING: Sessions = [["SELECT move(1, 2)"], ["SELECT move(2, 1)"]]
ROUND: Sessions = [["SELECT move(1, 2)"], ["SELECT move(2, 3)"], ["SELECT move(3, 1)"]]


@pytest.fixture(scope="module")
def bank(module_database: str, server: AnyServer) -> Iterator[Bank]:
    with Bank(module_database, local=server.local) as bank:
        bank.define("""
            CREATE FUNCTION move_or_stay(p_from integer, p_to integer) RETURNS text LANGUAGE plpgsql AS $$
            BEGIN
              IF harness.point(11) THEN END IF;
              UPDATE account SET balance = balance - 1 WHERE id = p_from;
              BEGIN
                IF harness.point(12) THEN END IF;
                UPDATE account SET balance = balance + 1 WHERE id = p_to;
              EXCEPTION WHEN deadlock_detected THEN
                RETURN 'stayed';
              END;
              IF harness.point(13) THEN END IF;
              RETURN 'moved';
            END $$;
            CREATE TABLE one ();
            CREATE TABLE other ();
        """)
        yield bank


def close_cycle(closer: int, sessions: int) -> list[tuple[int, int]]:
    """Everyone changes an account of its own; then all but the closer wait, then the closer does."""
    others = [session for session in range(sessions) if session != closer]
    changes = [(2 * session, session) for session in range(sessions)]
    return changes + [(2 * sessions + place, session) for place, session in enumerate([*others, closer])]


@pytest.mark.parametrize("closer", [0, 1])
def test_the_victim_of_two_is_the_closer(bank: Bank, closer: int) -> None:
    trial = bank.trial(CROSSING)
    first = trial.play(*close_cycle(closer, 2))
    assert [code == "40P01" for code in codes(first[1])] == [session == closer for session in range(2)]
    for _ in range(8):
        assert trial.play(*close_cycle(closer, 2)) == first


@pytest.mark.parametrize("closer", [0, 1, 2])
def test_the_victim_of_three_is_the_closer(bank: Bank, closer: int) -> None:
    trial = bank.trial(ROUND)
    first = trial.play(*close_cycle(closer, 3))
    assert [code == "40P01" for code in codes(first[1])] == [session == closer for session in range(3)]
    for _ in range(4):
        assert trial.play(*close_cycle(closer, 3)) == first


def test_the_wait_the_cycle_and_the_error_are_told_in_this_order(bank: Bank) -> None:
    run, _ = bank.trial(CROSSING).play(*close_cycle(0, 2))
    assert told(run) == [
        (4, 1, "wait", 0),
        (5, 0, "wait", 1),
        (5, 0, "deadlock", 0, 1),
        (5, 0, "wake", 1),
        (5, 0, "error", "40P01"),
        (5, 1, "wake", 0),
    ]


def test_the_report_of_the_server_names_the_cycle_as_we_do(bank: Bank) -> None:
    """What is told of a deadlock that was over before we looked: by the detail of the error."""
    trial = bank.trial(ROUND)
    told_by_server = []
    cycle_in = trial.stage.cycle_in

    def listen(detail: str) -> tuple[int, ...]:
        told_by_server.append(cycle_in(detail))
        return told_by_server[-1]

    trial.stage.cycle_in = listen  # type: ignore[method-assign]
    try:
        run, _ = trial.play(*close_cycle(1, 3))
    finally:
        del trial.stage.cycle_in
    assert told(run, EventKind.DEADLOCK) == [(8, 1, "deadlock", *told_by_server[0])]


@pytest.mark.parametrize("closer", [0, 1])
def test_a_stage_that_cannot_freeze_has_the_same_victim(bank: Bank, closer: int) -> None:
    schedule = close_cycle(closer, 2)
    assert bank.trial(CROSSING, can_freeze=False).play(*schedule) == bank.trial(CROSSING).play(*schedule)


def test_a_function_that_catches_the_error_goes_on(bank: Bank) -> None:
    sessions: Sessions = [["SELECT move_or_stay(1, 2)"], ["SELECT move_or_stay(2, 1)"]]
    run, history = bank.trial(sessions).play((2, 1), (4, 1), (5, 0))
    assert told(run, EventKind.DEADLOCK) == [(5, 0, "deadlock", 0, 1)]
    assert [call.result["answer"] for call in history.calls] == ["stayed", "moved"]


def test_a_deadlock_on_the_client_is_one_as_well(bank: Bank) -> None:
    def change(first: int, second: int) -> object:
        async def client(connection: ControlledConnection) -> None:
            async with connection.transaction():
                for account in (first, second):
                    await connection.execute("UPDATE account SET balance = 0 WHERE id = %s", (account,))

        return client

    run, history = bank.trial([[change(1, 2)], [change(2, 1)]]).play((2, 1), (4, 0), (5, 1))  # type: ignore[list-item]
    assert codes(history) == ["", "40P01"]
    assert told(run, EventKind.DEADLOCK) == [(5, 1, "deadlock", 1, 0)]


def test_a_cycle_that_ends_by_a_change_in_the_queue_is_no_deadlock(bank: Bank) -> None:
    """Session 1 waits behind a share lock, session 2 only behind session 1: PostgreSQL lets session 2 go first."""

    async def share_one_lock_other(connection: ControlledConnection) -> None:
        async with connection.transaction():
            await connection.execute("LOCK TABLE one IN SHARE MODE")
            await connection.execute("LOCK TABLE other IN EXCLUSIVE MODE")

    async def lock_one(connection: ControlledConnection) -> None:
        await connection.execute("SELECT 1")
        async with connection.transaction():
            await connection.execute("LOCK TABLE one IN EXCLUSIVE MODE")

    async def lock_other_share_one(connection: ControlledConnection) -> None:
        async with connection.transaction():
            await connection.execute("LOCK TABLE other IN EXCLUSIVE MODE")
            await connection.execute("LOCK TABLE one IN SHARE MODE")

    trial = bank.trial([[share_one_lock_other], [lock_one], [lock_other_share_one]])
    run, history = trial.play((2, 2), (4, 1), (7, 2), (8, 0))
    assert codes(history) == ["", "", ""]
    assert told(run, EventKind.DEADLOCK) == []
    assert told(run, EventKind.WAIT)[:3] == [(6, 1, "wait", 0), (7, 2, "wait", 1), (8, 0, "wait", 2)]


def test_every_schedule_of_two_is_one_of_three_outcomes(bank: Bank) -> None:
    trial, strategy = bank.trial(CROSSING), Exhaustive(bound=1)
    seen = set()
    while strategy.begin():
        run, history = trial.run(strategy)
        strategy.end(run.decisions)
        seen.add(tuple(codes(history)))
    assert seen == {("", ""), ("40P01", ""), ("", "40P01")}
