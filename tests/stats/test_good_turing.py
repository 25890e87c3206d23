"""The estimates have the expectations that their papers prove, by exact enumeration."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product
from math import prod

import pytest

from harness.stats.good_turing import Unseen, unseen

CHANCES = (Fraction(1, 2), Fraction(1, 3), Fraction(1, 6))


def samples(size: int) -> list[tuple[tuple[int, ...], Fraction]]:
    """Every sequence of draws from CHANCES, with its probability."""
    return [
        (draws, prod((CHANCES[kind] for kind in draws), start=Fraction(1)))
        for draws in product(range(len(CHANCES)), repeat=size)
    ]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_expected_estimate_is_the_expected_chance_of_something_new(size: int) -> None:
    """Good's theorem: E[singletons of n draws] / n is the expected unseen mass after n - 1 draws."""
    estimate = sum(chance * unseen(Counter(draws).values()).singletons for draws, chance in samples(size)) / size
    truth = sum(
        chance * sum(CHANCES[kind] for kind in range(len(CHANCES)) if kind not in draws)
        for draws, chance in samples(size - 1)
    )
    assert estimate == truth


def test_counts_are_sorted_into_kinds() -> None:
    seen = unseen([5, 1, 2, 1, 0, 1])
    assert seen == Unseen(draws=10, kinds=5, singletons=3, doubletons=1)
    assert seen.new_next == pytest.approx(0.3)
    assert seen.unseen_kinds == pytest.approx(1.5)


def test_when_everything_was_seen_often_nothing_more_is_expected() -> None:
    seen = unseen([40, 50, 60])
    assert seen.new_next == 0
    assert seen.unseen_kinds == 0


def test_without_draws_the_next_one_is_new() -> None:
    assert unseen([]) == Unseen(0, 0, 0, 0)
    assert unseen([]).new_next == 1


def test_the_number_of_unseen_kinds_is_estimated_from_below() -> None:
    """The means over all samples of 5 draws from 4 kinds."""
    everything = list(product(range(4), repeat=5))
    estimate = sum(unseen(Counter(draws).values()).unseen_kinds for draws in everything) / len(everything)
    truth = sum(4 - len(set(draws)) for draws in everything) / len(everything)
    assert truth * 0.5 < estimate <= truth


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        unseen([3, -1])
