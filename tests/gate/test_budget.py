"""A budget is shared out by weights, goes on to those who come after, and is the same in all shards."""

from __future__ import annotations

import pytest

from harness.gate.budget import LEAST_S, WEIGHTS, Budget
from harness.gate.part import COMPARE, FAULTS, LOAD, NAMES, TESTS, VERIFY


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_parts_that_are_there_share_all_of_it() -> None:
    clock = Clock()
    budget = Budget(90, [VERIFY, FAULTS, LOAD, COMPARE], clock=clock)
    given = 0.0
    for name in (VERIFY, FAULTS, LOAD, COMPARE):
        given += budget.of(name)
        clock.now += budget.of(name)
    assert given == pytest.approx(90)
    assert budget.spent == pytest.approx(90)


def test_what_one_does_not_spend_the_others_have() -> None:
    clock = Clock()
    budget = Budget(90, [VERIFY, COMPARE], clock=clock)
    assert budget.of(VERIFY) == pytest.approx(90 * WEIGHTS[VERIFY] / (WEIGHTS[VERIFY] + WEIGHTS[COMPARE]))
    clock.now += 1
    assert budget.of(COMPARE) == pytest.approx(89)
    clock.now += 200
    assert budget.of(COMPARE) == LEAST_S


def test_tests_have_half_of_it_at_most() -> None:
    assert Budget(90, NAMES, clock=Clock()).of(TESTS) == 45


@pytest.mark.parametrize("name", [VERIFY, FAULTS])
def test_shards_are_given_the_same_whatever_they_have_spent(name: str) -> None:
    early, late = Clock(), Clock()
    shards = [Budget(90, NAMES, fixed=True, clock=clock) for clock in (early, late)]
    late.now += 40
    assert shards[0].of(name) == shards[1].of(name)
    assert sum(shards[0].of(each) for each in WEIGHTS) == pytest.approx(45)
