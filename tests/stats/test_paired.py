"""Limits of a median that hold at every look: exact on small cases, and on simulated noise with known ratios."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import product
from math import comb, inf, log1p
from random import Random

import pytest

from harness.stats.paired import decisive, interval


@cache
def wealth(pairs: int, above: int) -> Fraction:
    """What the gambler has, computed in another way: the mean of 2^n p^s (1-p)^(n-s) over p from 1/2 to 1."""
    # With p = (1 + u) / 2 it is the mean of (1 + u)^s (1 - u)^(n - s) over u from 0 to 1.
    coefficients = [Fraction(1)]
    for sign in [1] * above + [-1] * (pairs - above):
        shifted = [Fraction(0), *(sign * each for each in coefficients)]
        coefficients = [a + b for a, b in zip([*coefficients, Fraction(0)], shifted, strict=True)]
    return sum((each / (power + 1) for power, each in enumerate(coefficients)), Fraction(0))


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.01, 0.0004])
def test_decisive_is_the_first_count_with_which_the_gambler_has_enough(alpha: float) -> None:
    for pairs in range(1, 19):
        enough = [above for above in range(pairs + 1) if wealth(pairs, above) >= Fraction(1 / alpha)]
        assert decisive(pairs, alpha) == (enough[0] if enough else None)


def test_looking_after_every_pair_costs_no_more_than_alpha() -> None:
    """All sequences of 14 fair coins: the share of those that are ever rejected, whenever one stops."""
    alpha = 0.05
    rejected = 0
    for coins in product((0, 1), repeat=14):
        above = 0
        for pairs, coin in enumerate(coins, 1):
            above += coin
            if (needed := decisive(pairs, alpha)) is not None and above >= needed:
                rejected += 1
                break
    assert 0 < rejected / 2**14 <= alpha


def test_the_limits_are_differences_in_order() -> None:
    found = interval(list(range(100)), 0.01, 0.01)
    needed = decisive(100, 0.01)
    assert needed is not None
    assert (found.lower, found.middle, found.upper) == (100 - needed, 49.5, needed - 1)


def test_few_differences_tell_nothing() -> None:
    found = interval([1.0, 2.0], 0.01, 0.01)
    assert (found.lower, found.upper, found.pairs) == (-inf, inf, 2)
    with pytest.raises(ValueError, match="no differences"):
        interval([], 0.01, 0.01)
    with pytest.raises(ValueError, match="-1"):
        decisive(-1, 0.01)


def test_what_does_not_vary_is_known_soon() -> None:
    found = interval([0.03] * 16, 0.0004, 0.0004)
    assert (found.lower, found.upper) == (0.03, 0.03)


def test_long_runs_are_no_trouble() -> None:
    assert comb(2000, 1000) > 10**300
    needed = decisive(2000, 0.0004)
    assert needed is not None
    assert 1000 < needed < 1200


def noisy(random: Random, ratio: float) -> float:
    """The logarithm of a ratio of two measurements with the noise of a machine that others use, too: heavy tails."""
    side = [random.gauss(0, 0.03) + (random.expovariate(2) if random.random() < 0.15 else 0) for _ in range(2)]
    return log1p(ratio) + side[0] - side[1]


def stopped(seed: int, ratio: float, limit: float, alpha: float, rounds: int) -> str:
    random, seen = Random(seed), list[float]()
    for _ in range(rounds):
        seen.append(noisy(random, ratio))
        if len(seen) >= 12:
            found = interval(seen, alpha, alpha)
            if found.lower > log1p(limit):
                return "slower"
            if found.upper < log1p(limit):
                return "fine"
    return "unknown"


def test_on_the_limit_itself_false_alarms_are_as_rare_as_promised() -> None:
    said = [stopped(seed, 0.05, 0.05, 0.05, 100) for seed in range(100)]
    # Binomial: more than 14 of 100 would happen once in 4,000 times if alpha were used up.
    assert said.count("slower") <= 14
    assert said.count("fine") <= 14


def test_equal_things_are_never_slower_and_ten_percent_is_always_found() -> None:
    alpha = 0.02 / 52
    assert {stopped(seed, 0.0, 0.05, alpha, 150) for seed in range(30)} == {"fine"}
    assert {stopped(seed, 0.10, 0.05, alpha, 200) for seed in range(30)} == {"slower"}
