"""A stretch is many steps at the price of one, and nothing else: the runs are those of single steps."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.explore.exhaustive import Exhaustive
from harness.explore.mixture import Mixture
from harness.explore.random_walk import RandomWalk
from harness.explore.sparse import Sparse
from harness.explore.strategy import Strategy
from harness.words.schedule import Decision, Switch

from .memory_trial import MemoryTrial, Sessions, calls, play, told

LONG = " ".join(map(str, range(1, 101)))


class SingleSteps:
    """A strategy that never says how long it would go on."""

    name = "single steps"

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy

    @property
    def part(self) -> str:
        return self._strategy.part

    def begin(self) -> bool:
        return self._strategy.begin()

    def choose(self, position: int, enabled: tuple[int, ...], current: int | None) -> int:
        return self._strategy.choose(position, enabled, current)

    def stretch(self, _position: int, _enabled: tuple[int, ...], _chosen: int) -> int:
        return 0

    def end(self, decisions: Sequence[Decision]) -> None:
        self._strategy.end(decisions)


SCENARIOS: dict[str, Sessions] = {
    "several statements": [calls("1 2 3", "4 5"), calls("6", "7 8")],
    "a function that ends": [calls("1", "", "2 3"), calls("4 5 6")],
    "a lock in the middle": [calls("1 +a 2 3 4"), calls("5 6 +a 7 8")],
    "an error in the middle": [calls("1 2 !22012 3", "4 5"), calls("6 7")],
    "a lock refused in the middle": [calls("1 +a 2 3"), calls("4 5 ?a 6 7", "8")],
    "a deadlock in the middle": [calls("1 +a 2 3 +b 4"), calls("5 +b 6 +a 7")],
    "a cancel in the middle": [calls("1 2 3", "4"), calls("5"), 0],
    "a cancelled wait": [calls("1 +a 2"), calls("3 4 +a 5 6"), 1],
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_run_is_that_of_single_steps(name: str) -> None:
    trial = MemoryTrial(SCENARIOS[name])
    quick, slow = Exhaustive(bound=2), SingleSteps(Exhaustive(bound=2))
    while quick.begin():
        made, history = trial.run(quick)
        quick.end(made.decisions)
        assert play(trial, slow) == (made, history)
    assert not slow.begin()


@pytest.mark.parametrize("strategy", [RandomWalk, Mixture])
def test_samplers_make_the_runs_of_single_steps(strategy: type[RandomWalk | Mixture]) -> None:
    for name, sessions in SCENARIOS.items():
        quick, slow = strategy(3), SingleSteps(strategy(3))
        for _ in range(40):
            if not quick.begin():
                break
            made = MemoryTrial(sessions).run(quick)
            quick.end(made[0].decisions)
            assert play(MemoryTrial(sessions), slow) == made, name


def test_a_function_longer_than_a_stretch_is_told_whole() -> None:
    made, _ = play(MemoryTrial([calls(LONG)]), Sparse(()))
    assert made.points == [-1, *range(1, 101)]


def test_a_wait_in_the_middle_is_told_at_the_step_that_waits() -> None:
    made, _ = play(MemoryTrial([calls("+a 1"), calls("2 3 +a 4 5")]), Sparse((Switch(1, 1),)))
    assert told(made) == [(3, 1, "wait", 0), (4, 1, "wake", 0)]


def test_an_error_in_the_middle_is_told_at_the_step_that_fails() -> None:
    made, _ = play(MemoryTrial([calls("1 2 !22012 3")]), Sparse(()))
    assert told(made) == [(2, 0, "error", "22012")]


def test_an_answer_in_the_middle_is_given_at_the_step_that_ends() -> None:
    _, history = play(MemoryTrial([calls("1 2", "3")]), Sparse(()))
    assert [(call.invoked, call.returned) for call in history.calls] == [(0, 2), (3, 4)]


def test_a_stretch_is_asked_for_once() -> None:
    asked = []

    class Counting(Sparse):
        def choose(self, position: int, enabled: tuple[int, ...], current: int | None) -> int:
            asked.append(position)
            return super().choose(position, enabled, current)

    play(MemoryTrial([calls("1 2 3 4 5 6 7 8"), calls("1 2 3")]), Counting(()))
    assert asked == [0, 9]
