"""Those who wait for a lock: in which order they are woken, and how little of it is a matter of time."""

from __future__ import annotations

from harness.engine.execution import Run
from harness.explore.sparse import Sparse
from harness.words.history import EventKind
from harness.words.schedule import Switch

from .memory_trial import MemoryTrial, Sessions, calls, play, told, trace


def run(sessions: Sessions, *switches: tuple[int, int], can_freeze: bool = True) -> Run:
    made, _ = play(MemoryTrial(sessions, can_freeze=can_freeze), Sparse(tuple(Switch(*switch) for switch in switches)))
    return made


def queue(waiters: int) -> tuple[Sessions, list[tuple[int, int]]]:
    """A session that has a row, and so many that come for it, the last first."""
    arrivals = [(1 + place, waiters - place) for place in range(waiters)]
    return [calls("+a 1")] + [calls("+a 2")] * waiters, arrivals


def test_first_come_first_served() -> None:
    sessions, arrivals = queue(4)
    made = run(sessions, *arrivals)
    assert trace(made) == [0, 4, 3, 2, 1, 0, 4, 3, 2, 1]
    assert [event[:2] for event in told(made, EventKind.WAKE)] == [(5, 4), (6, 3), (7, 2), (8, 1)]


def test_who_is_woken_only_to_wait_again_was_not_woken() -> None:
    sessions, arrivals = queue(2)
    made = run(sessions, *arrivals)
    # In step 3 session 1 gets the right to be next, and then waits for session 2 as before.
    assert [event for event in told(made) if event[1] == 1] == [(2, 1, "wait", 2), (4, 1, "wake", 2)]


def test_whom_a_session_waits_for_is_told_when_it_changes() -> None:
    sessions, arrivals = queue(3)
    made = run(sessions, *arrivals)
    assert [event for event in told(made) if event[1] == 1] == [
        (3, 1, "wait", 2, 3),
        (4, 1, "wait", 2),
        (6, 1, "wake", 2),
    ]


def test_two_who_are_woken_by_one_step_go_on_one_after_the_other() -> None:
    # The server in memory fails when they do not.
    made = run([calls("+a +b 1"), calls("+a 2"), calls("+b 3")], (1, 2), (2, 1), (3, 0))
    assert told(made) == [(1, 2, "wait", 0), (2, 1, "wait", 0), (3, 2, "wake", 0), (3, 1, "wake", 0)]


def test_the_step_that_releases_is_over_before_the_waiter_goes_on() -> None:
    # The lock is given back in the middle of the step, and wanted again: whoever runs gets it.
    made = run([calls("+a 1 -a +a 2"), calls("+a 3")], (1, 1), (2, 0))
    assert told(made) == [(1, 1, "wait", 0), (3, 1, "wake", 0)]


def test_a_lock_given_back_in_the_middle_of_a_call_is_the_waiters() -> None:
    made = run([calls("+a 1 -a 2"), calls("+a 3"), calls("+a 4")], (1, 1), (2, 0), (3, 2))
    assert told(made) == [(1, 1, "wait", 0), (2, 1, "wake", 0), (3, 2, "wait", 1), (5, 2, "wake", 1)]


def test_a_woken_session_stops_at_its_next_point() -> None:
    made = run([calls("+a 1"), calls("+a 2 3 4")], (1, 1))
    assert made.points[3:] == [2, 3, 4]


def test_a_cancelled_waiter_lets_go_of_its_place() -> None:
    made = run([calls("+a 1"), calls("+a 2"), calls("+a 3"), 1], (1, 1), (2, 2), (3, 3))
    assert told(made) == [
        (1, 1, "wait", 0),
        (2, 2, "wait", 1),
        (3, 3, "fault", "cancel", 1),
        (3, 1, "wake", 0),
        (3, 1, "error", "57014"),
        (3, 2, "wait", 0),
        (4, 2, "wake", 0),
    ]


def test_an_error_of_a_waiter_wakes_the_next() -> None:
    made = run([calls("+a 1"), calls("+a !40001"), calls("+a 3")], (1, 1), (2, 2))
    assert told(made)[2:] == [(3, 1, "wake", 0), (3, 1, "error", "40001"), (3, 2, "wake", 1)]


def test_a_stage_that_cannot_freeze_has_the_same_runs_with_one_waiter() -> None:
    sessions: Sessions = [calls("1 +a 2", "3"), calls("+a 4 +b")]
    switches = [(1, 0), (2, 1)]
    assert run(sessions, *switches, can_freeze=False) == run(sessions, *switches)
