"""Runs, step by step: what a step is, what is written down of it, and what a settled state is."""

from __future__ import annotations

import pytest

from harness.engine.execution import Run
from harness.explore.exhaustive import Exhaustive
from harness.explore.replay import Exact
from harness.explore.sparse import Sparse
from harness.words.history import History
from harness.words.schedule import Decision, Switch
from harness.words.stage import CLIENT_POINT, FAULT_POINT

from .memory_server import Data, Statement
from .memory_trial import MemoryTrial, Sessions, calls, play, told, trace


def run(sessions: Sessions, *switches: tuple[int, int], **data: int) -> tuple[Run, History]:
    return play(MemoryTrial(sessions, data), Sparse(tuple(Switch(*switch) for switch in switches)))


def test_a_step_goes_from_one_point_to_the_next() -> None:
    made, _ = run([calls("5 6")])
    assert made.decisions == [Decision((0,), None, 0), Decision((0,), 0, 0), Decision((0,), 0, 0)]
    assert made.points == [CLIENT_POINT, 5, 6]


def test_what_was_sent_is_told_at_its_step() -> None:
    made, _ = run([calls("1", "2 3")], (4, 0))
    assert made.statements == {0: "1", 2: "2 3"}


def test_the_chosen_session_takes_the_step() -> None:
    made, _ = run([calls("1 2"), calls("3")], (1, 1))
    assert trace(made) == [0, 1, 1, 0, 0]
    assert made.points == [CLIENT_POINT, CLIENT_POINT, 3, 1, 2]


def test_a_session_that_is_done_is_not_enabled() -> None:
    made, _ = run([calls("1"), calls("2")])
    assert [decision.enabled for decision in made.decisions] == [(0, 1), (0, 1), (1,), (1,)]


def test_nobody_on_stage_is_an_empty_run() -> None:
    made, history = run([])
    assert (made, history.calls) == (Run(), ())


def test_a_waiter_is_not_enabled_until_it_is_woken() -> None:
    made, _ = run([calls("+a 1"), calls("+a 2")], (1, 1))
    assert [(decision.enabled, decision.chosen) for decision in made.decisions] == [
        ((0, 1), 0),
        ((0, 1), 1),
        ((0,), 0),
        ((1,), 1),
    ]


def test_a_wait_is_told_with_those_who_block_and_ends_in_the_step_that_wakes() -> None:
    made, _ = run([calls("+a 1"), calls("+a 2")], (1, 1))
    assert told(made) == [(1, 1, "wait", 0), (2, 1, "wake", 0)]


def test_what_a_woken_session_does_belongs_to_the_step_that_woke_it() -> None:
    def write(data: Data) -> None:
        data["written_at"] = len(seen)

    seen: list[int] = []

    def see(data: Data) -> None:
        seen.append(data["written_at"])

    waiter: Statement = ("+a", write, "2")
    owner: Statement = ("+a", "1")
    made, _ = run([[[owner], [(see,)]], [[waiter]]], (1, 1), written_at=-1)
    assert trace(made) == [0, 1, 0, 0, 1]
    assert seen == [0], "the waiter had written before the next step was taken"


def test_an_error_is_told_with_its_sqlstate_at_its_step() -> None:
    made, history = run([calls("1 !22012 2")])
    assert told(made) == [(1, 0, "error", "22012")]
    assert history.calls[0].result.code == "22012"


def test_a_nowait_lock_is_an_error_and_no_wait() -> None:
    made, _ = run([calls("+a 1"), calls("?a 2")], (1, 1))
    assert told(made) == [(1, 1, "error", "55P03")]


def test_the_events_of_the_chosen_session_come_first() -> None:
    made, _ = run([calls("2"), calls("+a 1 !40001"), calls("+a 3")], (0, 1), (1, 2), (2, 1))
    assert told(made)[1:] == [(2, 1, "error", "40001"), (2, 2, "wake", 1)]


@pytest.mark.parametrize("at", range(1, 5))
def test_a_cancel_strikes_whoever_executes_a_statement(at: int) -> None:
    made, _ = run([calls("1 2 3"), 0], (at, 1))
    assert made.points[at] == FAULT_POINT
    struck = [(at, 1, "fault", "cancel", 0), (at, 0, "error", "57014")]
    assert told(made) == (struck if at < 4 else [])


def test_a_cancel_finds_nobody_between_two_statements() -> None:
    made, history = run([calls("1", "2"), 0], (2, 1))
    assert told(made) == []
    assert {call.result.code for call in history.calls} == {""}


def test_a_cancelled_session_goes_on_with_its_next_statement() -> None:
    made, _ = run([[[["1", "2"]], [["3"]]], 0], (2, 1))
    assert made.points == [CLIENT_POINT, 1, FAULT_POINT, CLIENT_POINT, 3]


def test_every_schedule_of_two_sessions_is_made_once() -> None:
    trial, strategy = MemoryTrial([calls("1 2"), calls("3")]), Exhaustive()
    traces = []
    while strategy.begin():
        made, _ = trial.run(strategy)
        strategy.end(made.decisions)
        traces.append(tuple(trace(made)))
    assert sorted(set(traces)) == sorted(traces)
    assert len(traces) == 10, "the ways to put 2 steps among 3: 5 over 2"


def test_a_replay_is_the_same_run() -> None:
    trial = MemoryTrial([calls("1 +a 2", "3"), calls("+a 4"), 0])
    strategy = Exhaustive()
    while strategy.begin():
        made, history = trial.run(strategy)
        strategy.end(made.decisions)
        assert play(trial, Exact(made.decisions)) == (made, history)
