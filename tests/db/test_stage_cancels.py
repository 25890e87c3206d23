"""Cancels on a real server: at every point, in a lock wait, twice, and where the function catches them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.db import nemesis
from harness.db.any_server import AnyServer
from harness.db.controlled import ControlledConnection
from harness.db.nemesis import Nemesis
from harness.explore.exhaustive import Exhaustive
from harness.explore.replay import Exact
from harness.words.errors import CouldNotRun
from harness.words.history import EventKind
from harness.words.stage import SessionState

from .bank import Bank, codes, lose, told, trace

TAKE = "SELECT take(1, 10)"


@pytest.fixture(scope="module")
def bank(module_database: str, server: AnyServer) -> Iterator[Bank]:
    with Bank(module_database, local=server.local) as bank:
        bank.define("""
            CREATE FUNCTION survive(p_account integer) RETURNS text LANGUAGE plpgsql AS $$
            BEGIN
              IF harness.point(61) THEN END IF;
              BEGIN
                IF harness.point(62) THEN END IF;
                UPDATE account SET balance = 0 WHERE id = p_account;
                IF harness.point(63) THEN END IF;
                RETURN 'done';
              EXCEPTION WHEN query_canceled THEN
                IF harness.point(64) THEN END IF;
                UPDATE account SET balance = 99 WHERE id = 3;
                IF harness.point(65) THEN END IF;
                RETURN 'survived';
              END;
            END $$;
            CREATE FUNCTION survive_without_points(p_account integer) RETURNS text LANGUAGE plpgsql AS $$
            BEGIN
              UPDATE account SET balance = 0 WHERE id = p_account;
              RETURN 'done';
            EXCEPTION WHEN query_canceled THEN
              UPDATE account SET balance = 99 WHERE id = 3;
              RETURN 'survived';
            END $$;
            CREATE FUNCTION survive_and_sleep(p_account integer) RETURNS text LANGUAGE plpgsql AS $$
            BEGIN
              IF harness.point(71) THEN END IF;
              UPDATE account SET balance = 0 WHERE id = p_account;
              RETURN 'done';
            EXCEPTION WHEN query_canceled THEN
              PERFORM pg_sleep(0.5);
              RETURN 'survived';
            END $$;
        """)
        yield bank


@pytest.mark.parametrize("point", [1, 2, 3])
def test_a_cancel_at_a_point_fails_the_statement_and_nothing_is_changed(bank: Bank, point: int) -> None:
    run, history = bank.trial([[TAKE], 0]).play((point, 1))
    assert told(run) == [(point, 1, "fault", "cancel", 0), (point, 0, "error", "57014")]
    assert codes(history) == ["57014"]
    assert history.final[0] == (1, 15)


@pytest.mark.parametrize("at", [0, 4])
def test_a_cancel_of_an_idle_session_does_nothing(bank: Bank, at: int) -> None:
    run, history = bank.trial([[TAKE], 0]).play((at, 1))
    assert told(run) == []
    assert history.final[0] == (1, 5)


def test_a_cancel_between_two_statements_of_a_transaction_does_nothing(bank: Bank) -> None:
    async def change(connection: ControlledConnection) -> None:
        async with connection.transaction():
            await connection.execute("UPDATE account SET balance = 1 WHERE id = 1")
            await connection.execute("UPDATE account SET balance = 2 WHERE id = 2")

    run, history = bank.trial([[change], 0]).play((2, 1))
    assert told(run) == []
    assert history.final[:2] == ((1, 1), (2, 2))


def test_a_cancel_in_a_lock_wait_ends_the_wait(bank: Bank) -> None:
    run, history = bank.trial([[TAKE], [TAKE], 1]).play((2, 1), (4, 2))
    assert told(run) == [
        (3, 1, "wait", 0),
        (4, 2, "fault", "cancel", 1),
        (4, 1, "wake", 0),
        (4, 1, "error", "57014"),
    ]
    assert codes(history) == ["", "57014"]


def test_a_cancel_beside_another_waiter_hands_the_wait_on(bank: Bank) -> None:
    run, history = bank.trial([[TAKE], [TAKE], [TAKE], 1]).play((2, 1), (4, 2), (6, 3))
    assert told(run, EventKind.WAKE) == [(6, 1, "wake", 0), (8, 2, "wake", 0)]
    assert codes(history) == ["", "57014", ""]


def test_the_cancel_of_a_frozen_waiter_is_over_when_the_step_is(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = bank.trial([[TAKE], [TAKE], [TAKE], 1])
    states = []
    advance = Nemesis.advance

    def watched(striker: Nemesis, steps: int) -> None:
        advance(striker, steps)
        states.append(trial.stage.actors[1].state)

    monkeypatch.setattr(Nemesis, "advance", watched)
    trial.play((2, 1), (4, 2), (6, 3))
    assert states == [SessionState.DONE]


@pytest.mark.parametrize("point", [1, 2, 3])
def test_a_cancel_leaves_no_gate_closed(bank: Bank, point: int) -> None:
    ours = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    gates = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {ours}"
    trial = bank.trial([[TAKE], 0])
    counted = set()
    for _ in range(3):
        trial.play((point, 1))
        counted.add(bank.admin.execute(gates).fetchone())
    assert len(counted) == 1


def test_a_function_that_catches_a_cancel_goes_on_to_its_next_point(bank: Bank) -> None:
    run, history = bank.trial([["SELECT survive(1)"], 0]).play((2, 1))
    assert run.points == [-1, 61, -2, 64, 65]
    assert told(run) == [(2, 1, "fault", "cancel", 0)]
    assert history.calls[0].result["answer"] == "survived"
    assert history.final == ((1, 15), (2, 15), (3, 99))


def test_a_function_that_catches_a_cancel_in_a_lock_wait_goes_on(bank: Bank) -> None:
    run, history = bank.trial([["SELECT survive(1)"], [TAKE], 0]).play((0, 1), (2, 0), (5, 2))
    assert told(run) == [(4, 0, "wait", 1), (5, 2, "fault", "cancel", 0), (5, 0, "wake", 1)]
    assert history.final[2] == (3, 99)


def test_a_function_without_points_that_catches_a_cancel_goes_on_to_its_end(bank: Bank) -> None:
    run, history = bank.trial([["SELECT survive_without_points(1)"], [TAKE], 0]).play((0, 1), (2, 0), (3, 2))
    assert told(run) == [(2, 0, "wait", 1), (3, 2, "fault", "cancel", 0), (3, 0, "wake", 1)]
    assert history.final[2] == (3, 99)


def test_two_cancels_strike_twice(bank: Bank) -> None:
    run, history = bank.trial([["SELECT survive(1)"], 0, 0]).play((2, 1), (3, 2))
    assert told(run) == [(2, 1, "fault", "cancel", 0), (3, 2, "fault", "cancel", 0), (3, 0, "error", "57014")]
    assert codes(history) == ["57014"]


def test_two_cancels_of_one_statement_strike_it_once(bank: Bank) -> None:
    run, history = bank.trial([[TAKE, TAKE], 0, 0]).play((2, 1), (3, 2))
    assert told(run) == [(2, 1, "fault", "cancel", 0), (2, 0, "error", "57014")]
    assert codes(history) == ["57014", ""]


def test_who_was_cancelled_after_a_stretch_starts_anew(bank: Bank) -> None:
    # Session 0 is given all its steps at once; the lock stops it in the middle, and there it is struck.
    run, history = bank.trial([[TAKE, TAKE], ["SELECT take(1, 1)"], 0]).play((0, 1), (3, 0), (5, 2))
    assert trace(run)[:6] == [1, 1, 1, 0, 0, 2]
    assert codes(history) == ["57014", "", ""]
    assert history.final[0] == (1, 4)


def test_every_schedule_with_a_cancel_comes_again(bank: Bank) -> None:
    trial, strategy = bank.trial([[TAKE], ["SELECT survive(1)"], 0]), Exhaustive(bound=1)
    cancelled = 0
    while strategy.begin():
        run, history = trial.run(strategy)
        strategy.end(run.decisions)
        cancelled += "57014" in codes(history)
        again = Exact(run.decisions)
        assert again.begin()
        assert trial.run(again) == (run, history)
    assert cancelled


@pytest.mark.parametrize("schedule", [[(2, 1)], [(0, 2), (2, 0), (3, 1)]], ids=["at a point", "in a lock wait"])
def test_a_cancel_that_is_not_delivered_is_told(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, schedule: list[tuple[int, int]]
) -> None:
    trial = bank.trial([[TAKE], 0, [TAKE]])
    lose(b"cancel", trial.stage, monkeypatch)
    monkeypatch.setattr(nemesis, "_PATIENCE_S", 0.2)
    with pytest.raises(CouldNotRun, match="session 0 has not felt its cancel") as caught:
        trial.play(*schedule)
    assert caught.value.slug == "fault-lost"


def test_nobody_is_cancelled_before_he_waits_at_his_point(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = bank.trial([[TAKE], 0])
    lose(b"waits_for_us", trial.stage, monkeypatch)
    monkeypatch.setattr(nemesis, "_PATIENCE_S", 0.2)
    with pytest.raises(CouldNotRun, match="session 0 does not wait at the point"):
        trial.play((2, 1))


def test_a_cancel_that_is_caught_is_delivered_however_long_the_function_goes_on(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nemesis, "_PATIENCE_S", 0.2)
    _, history = bank.trial([["SELECT survive_and_sleep(1)"], 0]).play((1, 1))
    assert history.calls[0].result["answer"] == "survived"
    run, history = bank.trial([["SELECT survive_and_sleep(1)"], [TAKE], 0]).play((0, 1), (2, 0), (4, 2))
    assert told(run)[:2] == [(3, 0, "wait", 1), (4, 2, "fault", "cancel", 0)]
    assert [call.result["answer"] for call in history.calls if call.session == 0] == ["survived"]
