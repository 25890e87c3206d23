"""The bound is the exact one: just at it, a run without a violation has a chance of 1 - confidence."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.miss_bound import Sampled, miss_bound


@given(st.integers(1, 10**6), st.floats(0.01, 0.999))
def test_at_the_bound_the_chance_of_finding_nothing_is_what_confidence_leaves(draws: int, confidence: float) -> None:
    assert (1 - miss_bound(draws, confidence)) ** draws == pytest.approx(1 - confidence, rel=1e-6)


@given(st.integers(1, 10**12))
def test_the_rule_of_three_is_just_above_it(draws: int) -> None:
    assert 0 < miss_bound(draws) < 3 / draws


@pytest.mark.parametrize(("draws", "bound"), [(1, 0.95), (10, 0.2589), (59, 0.0495), (100, 0.0295), (1000, 0.00299)])
def test_tabled_values(draws: int, bound: float) -> None:
    assert miss_bound(draws) == pytest.approx(bound, abs=5e-5)


def test_without_draws_nothing_is_known() -> None:
    assert miss_bound(0) == 1.0
    assert Sampled("urw", 0, 0).bound() == 1.0


def test_campaigns_that_find_nothing_are_covered() -> None:
    """Of campaigns with a true share just above the bound, at most 5 % find nothing."""
    draws, random = 30, Random(1)
    share = miss_bound(draws)
    silent = sum(all(random.random() >= share for _ in range(draws)) for _ in range(20_000))
    assert silent / 20_000 == pytest.approx(0.05, abs=0.005)


@pytest.mark.parametrize(("draws", "confidence"), [(-1, 0.95), (10, 0.0), (10, 1.0), (10, 95)])
def test_nonsense_is_refused(draws: int, confidence: float) -> None:
    with pytest.raises(ValueError, match=str(draws)):
        miss_bound(draws, confidence)


@pytest.mark.parametrize(("draws", "distinct"), [(3, 4), (3, 0), (0, 1), (3, -1)])
def test_impossible_counts_are_refused(draws: int, distinct: int) -> None:
    with pytest.raises(ValueError, match="distinct"):
        Sampled("urw", draws, distinct)


def test_repeats_are_draws_but_not_distinct() -> None:
    sampled = Sampled("pct", 1000, 12)
    assert sampled.bound() == miss_bound(1000)
    assert str(sampled) == (
        "1000 draws of pct (12 distinct) without a violation: at most 0.30 % of its draws violate (95 % confidence)"
    )


@pytest.mark.parametrize(("draws", "percent"), [(0, "100"), (1, "95"), (7, "35"), (240, "1.3"), (10**7, "0.000030")])
def test_the_sentence_rounds_up(draws: int, percent: str) -> None:
    assert f"at most {percent} %" in str(Sampled("random", draws, draws))
    assert float(percent) >= 100 * miss_bound(draws)
