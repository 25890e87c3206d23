"""Arrivals of the open model: as many as were asked for, at moments that nobody's answers change."""

from __future__ import annotations

from itertools import islice, pairwise
from random import Random
from statistics import fmean

import pytest

from harness.load.arrivals import PATTERNS, Pattern, arrivals


@pytest.mark.parametrize("pattern", PATTERNS)
def test_there_are_as_many_as_were_asked_for(pattern: Pattern) -> None:
    moments = list(islice(arrivals(pattern, 200.0, 10.0, Random(1)), 20_000))
    assert moments == sorted(moments)
    assert moments[0] >= 10
    assert 20_000 / (moments[-1] - 10) == pytest.approx(200, rel=0.03)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_seed_gives_the_same_again(pattern: Pattern) -> None:
    first, again, other = (list(islice(arrivals(pattern, 5, 0, Random(seed)), 50)) for seed in (1, 1, 2))
    assert first == again != other


def test_gaps_are_equal_or_exponential() -> None:
    constant, poisson = (
        [after - before for before, after in pairwise(islice(arrivals(pattern, 10, 0, Random(3)), 10_000))]
        for pattern in ("constant", "poisson")
    )
    assert min(constant) == pytest.approx(0.1) == max(constant)
    # Of an exponential distribution, 1 - 1/e are shorter than the mean.
    assert fmean(gap < 0.1 for gap in poisson) == pytest.approx(0.632, abs=0.02)


def test_processes_that_come_at_a_constant_rate_do_not_come_together() -> None:
    first, second = (next(arrivals("constant", 1, 0, Random(f"0 {process}"))) for process in (0, 1))
    assert 0 <= first < 1
    assert abs(first - second) > 0.01
