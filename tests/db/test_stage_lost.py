"""Lost connections on a real server: what is there afterwards, what the client knows, and who goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.db.controlled import ControlledConnection
from harness.explore.exhaustive import Exhaustive
from harness.explore.replay import Exact
from harness.explore.sparse import Sparse
from harness.words.fault import CUT_AFTER_SEND, CUT_BEFORE_SEND, TERMINATE, Fault, Strike
from harness.words.history import EventKind, Status
from harness.words.schedule import Switch

from .bank import Bank, codes, told, trace
from .traces import eventually

TAKE = "SELECT take(1, 10)"
CUTS = [TERMINATE, CUT_BEFORE_SEND, CUT_AFTER_SEND]


@pytest.fixture(scope="module")
def bank(module_database: str, server: AnyServer) -> Iterator[Bank]:
    with Bank(module_database, local=server.local) as bank:
        yield bank


async def change(connection: ControlledConnection) -> None:
    async with connection.transaction():
        await connection.execute("UPDATE account SET balance = 1 WHERE id = 1")
        await connection.execute("UPDATE account SET balance = 2 WHERE id = 2")


def locks(bank: Bank) -> Any:
    """How many advisory locks there are in this database: those of the gates."""
    ours = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    gates = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {ours}"
    return bank.admin.execute(gates.encode()).fetchone()


@pytest.mark.parametrize("point", [1, 2, 3])
def test_a_termination_at_a_point_ends_the_session_there(bank: Bank, point: int) -> None:
    run, history = bank.trial([[TAKE], Strike(0, TERMINATE)]).play((point, 1))
    assert told(run) == [(point, 1, "fault", "terminate", 0), (point, 0, "error", "57P01")]
    assert history.calls[0].result.status is Status.UNKNOWN
    assert history.final[0] == (1, 15)
    assert run.strikes[point][2:] == (point, TAKE, False)


def test_a_termination_of_an_idle_session_rolls_back_what_is_open(bank: Bank) -> None:
    run, history = bank.trial([[change], Strike(0, TERMINATE)]).play((2, 1))
    assert told(run) == [(2, 1, "fault", "terminate", 0), (2, 0, "error", "57P01")]
    assert history.final[:2] == ((1, 15), (2, 15))


def test_a_termination_in_a_lock_wait_ends_the_wait(bank: Bank) -> None:
    run, history = bank.trial([[TAKE], [TAKE], Strike(1, TERMINATE)]).play((2, 1), (4, 2))
    assert told(run) == [
        (3, 1, "wait", 0),
        (4, 2, "fault", "terminate", 1),
        (4, 1, "wake", 0),
        (4, 1, "error", "57P01"),
    ]
    assert codes(history) == ["", "57P01"]
    assert history.final[0] == (1, 5)


def test_a_termination_wakes_who_waited_for_the_session(bank: Bank) -> None:
    run, history = bank.trial([[TAKE], [TAKE], Strike(0, TERMINATE)]).play((2, 1), (4, 2))
    assert told(run, EventKind.WAIT, EventKind.WAKE) == [(3, 1, "wait", 0), (4, 1, "wake", 0)]
    assert codes(history) == ["57P01", ""]
    assert history.final[0] == (1, 5)


def test_a_cut_before_the_send_leaves_nothing(bank: Bank) -> None:
    run, history = bank.trial([[TAKE], Strike(0, CUT_BEFORE_SEND)]).play((0, 1))
    assert told(run) == [(0, 1, "fault", "cut-before-send", 0), (0, 0, "error", "08006")]
    assert history.calls[0].result.status is Status.UNKNOWN
    assert (history.calls[0].invoked, history.calls[0].returned) == (0, 0)
    assert history.final[0] == (1, 15)


def test_a_cut_before_the_send_rolls_back_what_is_open(bank: Bank) -> None:
    run, history = bank.trial([[change], Strike(0, CUT_BEFORE_SEND)]).play((2, 1))
    assert told(run, EventKind.FAULT) == [(2, 1, "fault", "cut-before-send", 0)]
    assert history.final[:2] == ((1, 15), (2, 15))


@pytest.mark.parametrize("point", [1, 2, 3])
def test_nobody_is_cut_before_the_send_inside_a_function(bank: Bank, point: int) -> None:
    run, history = bank.trial([[TAKE], Strike(0, CUT_BEFORE_SEND)]).play((point, 1))
    assert told(run) == []
    assert history.final[0] == (1, 5)


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_what_was_sent_commits_though_its_client_was_cut_off(bank: Bank, at: int) -> None:
    run, history = bank.trial([[TAKE], Strike(0, CUT_AFTER_SEND)]).play((at, 1))
    assert told(run) == [(at, 1, "fault", "cut-after-send", 0), (at, 0, "error", "08006")]
    assert history.calls[0].result.status is Status.UNKNOWN
    assert history.final[0] == (1, 5)
    # All the steps of the function are made, the rest of them by the ghost.
    assert run.points == [[-2, 1, 2, 3], [-1, -2, 1, 2, 3], [-1, 1, -2, 2, 3], [-1, 1, 2, -2, 3]][at]
    assert trace(run) == [0] * at + [1] * (len(run.points) - at)


def test_what_a_ghost_leaves_open_is_rolled_back(bank: Bank) -> None:
    _, history = bank.trial([[change], Strike(0, CUT_AFTER_SEND)]).play((1, 1))
    assert history.final[:2] == ((1, 15), (2, 15))


def test_a_commit_that_was_sent_is_done(bank: Bank) -> None:
    run, history = bank.trial([[change], Strike(0, CUT_AFTER_SEND)]).play((3, 1))
    assert told(run, EventKind.FAULT) == [(3, 1, "fault", "cut-after-send", 0)]
    assert history.calls[0].result.status is Status.UNKNOWN
    assert history.final[:2] == ((1, 1), (2, 2))


def test_a_client_meets_its_own_ghost(bank: Bank) -> None:
    run, history = bank.trial([[TAKE, TAKE], Strike(0, CUT_AFTER_SEND)]).play((2, 1), (3, 0))
    assert told(run) == [
        (2, 1, "fault", "cut-after-send", 0),
        (2, 0, "error", "08006"),
        (4, 0, "wait", 1),
        (6, 0, "wake", 1),
    ]
    assert codes(history) == ["08006", ""]
    assert history.final[0] == (1, -5)


def test_a_ghost_in_a_lock_wait_goes_on_waiting(bank: Bank) -> None:
    run, history = bank.trial([[TAKE], [TAKE, "SELECT 1"], Strike(1, CUT_AFTER_SEND)]).play((2, 1), (4, 2))
    assert told(run) == [
        (3, 1, "wait", 0),
        (4, 2, "fault", "cut-after-send", 1),
        (4, 2, "wait", 0),
        (4, 1, "wake", 0),
        (4, 1, "error", "08006"),
        (6, 2, "wake", 0),
    ]
    assert codes(history) == ["", "08006", ""]
    assert history.final[0] == (1, -5)
    assert run.strikes[4].waiting


def test_a_ghost_that_fails_is_over(bank: Bank) -> None:
    run, history = bank.trial([["SELECT 1 / 0"], Strike(0, CUT_AFTER_SEND)]).play((0, 1))
    assert told(run) == [
        (0, 1, "fault", "cut-after-send", 0),
        (0, 1, "error", "22012"),
        (0, 0, "error", "08006"),
    ]
    assert codes(history) == ["08006"]


def test_two_ghosts_of_one_client(bank: Bank) -> None:
    strikes = [Strike(0, CUT_AFTER_SEND), Strike(0, CUT_AFTER_SEND)]
    run, history = bank.trial([[TAKE, TAKE, TAKE], *strikes]).play((2, 1), (3, 0), (4, 2))
    assert told(run, EventKind.FAULT) == [(2, 1, "fault", "cut-after-send", 0), (4, 2, "fault", "cut-after-send", 0)]
    assert codes(history) == ["08006", "08006", ""]
    assert history.final[0] == (1, -15)


def test_client_code_that_does_not_let_go_of_a_lost_connection_gets_nowhere(bank: Bank) -> None:
    async def stubborn(connection: ControlledConnection) -> str:
        try:
            async with connection.transaction():
                await connection.execute(TAKE.encode())
        except psycopg.Error:
            await connection.execute("SELECT 1")
        return "done"

    _, history = bank.trial([[stubborn, TAKE], Strike(0, CUT_AFTER_SEND)]).play((2, 1))
    assert codes(history) == ["08006", ""]
    # The ghost had begun a transaction that nobody can end.
    assert history.final[0] == (1, 5)


@pytest.mark.parametrize("fault", CUTS, ids=str)
def test_a_client_that_is_done_is_not_struck(bank: Bank, fault: Fault) -> None:
    run, _ = bank.trial([[TAKE], Strike(0, fault)]).play()
    assert told(run) == []


@pytest.mark.parametrize("fault", CUTS, ids=str)
def test_a_lost_connection_leaves_no_backend_and_no_gate(bank: Bank, fault: Fault) -> None:
    trial = bank.trial([[TAKE, TAKE], Strike(0, fault)])
    trial.play()
    before = (bank.backends(), locks(bank))
    for at in range(6):
        trial.play((at, 1))
        assert (bank.backends(), locks(bank)) == before


@pytest.mark.parametrize("fault", CUTS, ids=str)
def test_every_schedule_comes_again(bank: Bank, fault: Fault) -> None:
    trial, strategy = bank.trial([[TAKE, TAKE], ["SELECT take(1, 1)"], Strike(0, fault)]), Exhaustive(bound=1)
    struck = 0
    while strategy.begin():
        run, history = trial.run(strategy)
        strategy.end(run.decisions)
        struck += bool(told(run, EventKind.FAULT))
        again = Exact(run.decisions)
        assert again.begin()
        assert trial.run(again) == (run, history)
    assert struck >= 6


class Breaking(Sparse):
    """Gives up before step 3."""

    def choose(self, position: int, enabled: tuple[int, ...], current: int | None) -> int:
        if position == 3:
            raise KeyboardInterrupt
        return super().choose(position, enabled, current)


def test_a_run_that_is_given_up_ends_its_ghosts(bank: Bank) -> None:
    trial = bank.trial([[TAKE], Strike(0, CUT_AFTER_SEND)])
    strategy = Breaking((Switch(2, 1),))
    assert strategy.begin()
    with pytest.raises(KeyboardInterrupt):
        trial.run(strategy)
    assert eventually(lambda: bank.backends() == 0)
    trial.play((2, 1))
    assert bank.backends() == 1
