"""Deadlocks: who is the victim, what is told, and what happens when the server sees it before we do."""

from __future__ import annotations

import pytest

from harness.engine.execution import Hang, Run
from harness.explore.exhaustive import Exhaustive
from harness.explore.sparse import Sparse
from harness.words.history import EventKind
from harness.words.schedule import Switch

from .memory_trial import MemoryTrial, Sessions, calls, play, told

CROSSING = [calls("+a 1 +b 2"), calls("+b 3 +a 4")]
ROUND = [calls("+a 1 +b 2"), calls("+b 1 +c 2"), calls("+c 1 +a 2")]


def run(trial: MemoryTrial, *switches: tuple[int, int]) -> Run:
    made, _ = play(trial, Sparse(tuple(Switch(*switch) for switch in switches)))
    return made


def victims(made: Run) -> list[int]:
    return [event.session for event in made.events if event.detail == "40P01"]


@pytest.mark.parametrize("closer", [0, 1])
def test_the_victim_of_two_is_who_closed_the_cycle(closer: int) -> None:
    made = run(MemoryTrial(CROSSING), (1, 1), (2, 1 - closer), (3, closer))
    assert victims(made) == [closer]


@pytest.mark.parametrize("closer", [0, 1, 2])
def test_the_victim_of_three_is_who_closed_the_cycle(closer: int) -> None:
    first, second = (other for other in range(3) if other != closer)
    made = run(MemoryTrial(ROUND), (1, 1), (2, 2), (3, first), (4, second), (5, closer))
    assert victims(made) == [closer]


def test_the_wait_the_cycle_and_the_error_are_told_in_this_order() -> None:
    made = run(MemoryTrial(CROSSING), (1, 1), (3, 0))
    assert told(made) == [
        (2, 1, "wait", 0),
        (3, 0, "wait", 1),
        (3, 0, "deadlock", 0, 1),
        (3, 0, "wake", 1),
        (3, 0, "error", "40P01"),
        (3, 1, "wake", 0),
    ]


def test_a_cycle_is_told_from_the_victim_along_the_waits() -> None:
    made = run(MemoryTrial(ROUND), (1, 1), (2, 2), (3, 0), (4, 1), (5, 2))
    assert told(made, EventKind.DEADLOCK) == [(5, 2, "deadlock", 2, 0, 1)]


def test_the_others_survive() -> None:
    trial, strategy = MemoryTrial(ROUND), Exhaustive(bound=2)
    deadlocks = 0
    while strategy.begin():
        made, history = trial.run(strategy)
        strategy.end(made.decisions)
        codes = [call.result.code for call in history.calls]
        assert codes.count("40P01") == len(told(made, EventKind.DEADLOCK)) <= 1
        deadlocks += codes.count("40P01")
    assert deadlocks


def test_a_waiter_whose_timeout_has_fired_long_ago_survives_too() -> None:
    def dawdle() -> float:
        return 0.02

    trial = MemoryTrial(CROSSING, latency=dawdle)
    assert victims(run(trial, (1, 1), (2, 1), (3, 0))) == [0]


@pytest.mark.parametrize("closer", [0, 1])
def test_a_stage_that_cannot_freeze_has_the_same_victim(closer: int) -> None:
    made = run(MemoryTrial(CROSSING, can_freeze=False), (1, 1), (2, 1 - closer), (3, closer))
    assert victims(made) == [closer]


def test_a_deadlock_that_was_over_before_we_looked_is_told_the_same() -> None:
    switches = ((1, 1), (3, 0))
    trial = MemoryTrial(CROSSING, deadlock_timeout_s=0.0001)
    # Whatever is asked after a pump of this length comes too late.
    assert told(run(trial, *switches)) == told(run(MemoryTrial(CROSSING), *switches))


def test_a_server_that_breaks_no_deadlock_is_a_hang() -> None:
    trial = MemoryTrial(CROSSING, breaks_deadlocks=False)
    with pytest.raises(Hang, match="has not broken a deadlock") as caught:
        run(trial, (1, 1), (3, 0))
    assert "session 0 wants b" in caught.value.picture


def test_two_deadlocks_in_one_run_have_each_their_victim() -> None:
    sessions: Sessions = [calls("+a 1 +b 2", "+a 1 +b 2"), calls("+b 3 +a 4", "+b 3 +a 4")]
    made = run(MemoryTrial(sessions), (1, 1), (2, 1), (3, 0), (4, 1), (5, 0), (6, 1), (7, 0))
    assert len(victims(made)) == len(told(made, EventKind.DEADLOCK)) == 2
