"""Cycles in the graph of waits."""

from __future__ import annotations

from harness.engine.waits import cycle_through


def test_a_chain_is_no_cycle() -> None:
    assert cycle_through(0, {0: (1,), 1: (2,)}) == []


def test_two_who_wait_for_each_other() -> None:
    assert cycle_through(1, {0: (1,), 1: (0,)}) == [1, 0]


def test_the_way_back_is_found_among_several() -> None:
    assert cycle_through(3, {3: (1, 2), 1: (0,), 2: (4, 5), 5: (3,)}) == [3, 2, 5]


def test_a_cycle_of_others_is_not_ours() -> None:
    assert cycle_through(0, {0: (1,), 1: (2,), 2: (1,)}) == []
