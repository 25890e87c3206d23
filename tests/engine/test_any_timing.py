"""The same choices make the same run, however long anything takes: thousands of runs on machines with other work to do.

The server in memory checks besides that no two sessions ever act at once, and that no backend is frozen while it runs
or while it is in its deadlock check.
"""

from __future__ import annotations

import pytest

from harness.explore.random_walk import RandomWalk
from harness.explore.replay import Exact
from harness.explore.sparse import Sparse
from harness.words.schedule import Switch

from .memory_stage import Loaded
from .memory_trial import MemoryTrial, Sessions, calls, play

RUNS = 60

CONTENDED: dict[str, Sessions] = {
    "one row, two sessions": [calls("1 +a 2 3", "+a 4"), calls("1 +a 2 3")],
    "one row, four sessions": [calls("1 +a 2 3")] * 4,
    "two rows released by one step": [calls("1 +a +b 2 3"), calls("+a 4"), calls("+b 5"), calls("1 +a 2")],
    "a deadlock of two": [calls("1 +a 2 +b 3"), calls("1 +b 2 +a 3")],
    "a deadlock of three": [calls("1 +a 2 +b 3"), calls("1 +b 2 +c 3"), calls("1 +c 2 +a 3")],
    "deadlocks beside waiters": [calls("1 +a 2 +b 3"), calls("1 +b 2 +a 3"), calls("1 +a 2"), calls("1 +b 2")],
    "cancels": [calls("1 +a 2 3", "4"), calls("1 +a 2"), 0, calls("+a 5"), 0, 1],
    "errors": [calls("1 +a 2 !40001", "+a 3"), calls("1 +a 2"), calls("1 ?a 2"), calls("+a -a 3")],
}


@pytest.mark.parametrize("stall_s", [0.0005, 0.004, 0.012], ids=lambda stall_s: f"{stall_s * 1000:g}ms")
@pytest.mark.parametrize("name", CONTENDED)
def test_a_run_is_the_same_on_a_loaded_machine(name: str, stall_s: float) -> None:
    strategy = RandomWalk(7)
    for seed in range(RUNS):
        quiet = play(MemoryTrial(CONTENDED[name]), strategy)
        loaded = play(MemoryTrial(CONTENDED[name], latency=Loaded(seed, stall_s)), Exact(quiet[0].decisions))
        assert loaded == quiet


@pytest.mark.parametrize("name", ["one row, two sessions", "a deadlock of two"])
def test_a_stage_that_cannot_freeze_is_as_good_with_one_waiter(name: str) -> None:
    strategy = RandomWalk(7)
    for seed in range(RUNS):
        quiet = play(MemoryTrial(CONTENDED[name]), strategy)
        trial = MemoryTrial(CONTENDED[name], latency=Loaded(seed, 0.001), can_freeze=False)
        assert play(trial, Exact(quiet[0].decisions)) == quiet


def test_a_waiter_is_not_left_frozen_inside_its_deadlock_check() -> None:
    switches = Switch(1, 1), Switch(2, 0)
    sessions: Sessions = [calls("+a 1 2"), calls("+a 3")]
    quiet = play(MemoryTrial(sessions), Sparse(switches))
    for late_s in range(900, 1100):
        assert play(MemoryTrial(sessions, late_s=late_s * 0.00001), Sparse(switches)) == quiet


@pytest.mark.parametrize("can_freeze", [True, False])
def test_two_who_are_woken_by_one_step_need_freezing(can_freeze: bool) -> None:
    sessions: Sessions = [calls("+a +b 1"), calls("+a +c 2"), calls("+b +c 3")]
    made = set()
    for seed in range(RUNS):
        trial = MemoryTrial(sessions, latency=Loaded(seed, 0.001), can_freeze=can_freeze)
        run, _ = play(trial, Sparse((Switch(1, 1), Switch(2, 2))))
        made.add((*run.decisions, *run.events))
    assert (len(made) == 1) is can_freeze
