"""What befalls deliveries is decided by the seed alone, and never forbids that one gets through."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gateway.mischief import LOSSES_MAX, ApiFate, Loss, Mischief, api_fate, journeys

SHARE = st.floats(0, 1)
WORST = Mischief(duplicates=1, delay_ms_max=9, reorder=1, drop=1, lose_answer=1, api_busy=1)


def test_the_default_is_kind() -> None:
    for number in range(20):
        (journey,) = journeys(Mischief(), number)
        assert (journey.delay_ms, journey.held, journey.losses) == (0, False, ())
        assert api_fate(Mischief(), number) is None


@given(st.integers(), st.integers(0, 10**6), SHARE, SHARE, SHARE, SHARE, st.integers(1, 9))
def test_it_is_within_bounds_and_the_same_again(
    seed: int, number: int, duplicates: float, reorder: float, drop: float, lose: float, copies: int
) -> None:
    mischief = Mischief(seed, duplicates, copies, 5, reorder, drop=drop, lose_answer=lose)
    found = journeys(mischief, number)
    assert found == journeys(mischief, number)
    assert 1 <= len(found) <= max(2, copies)
    for journey in found:
        assert 0 <= journey.delay_ms <= 5
        assert len(journey.losses) <= LOSSES_MAX
        assert journey.loss(len(journey.losses)) is None


def test_shares_are_kept() -> None:
    kind = Mischief(seed=3, duplicates=0.25, reorder=0.5, drop=0.1, lose_answer=0.2, api_busy=0.3, api_lost=0.5)
    found = [journeys(kind, number) for number in range(4000)]
    first = [each[0] for each in found]
    assert 0.2 < sum(len(each) > 1 for each in found) / 4000 < 0.3
    assert 0.45 < sum(journey.held for journey in first) / 4000 < 0.55
    assert 0.08 < sum(journey.loss(0) is Loss.REQUEST for journey in first) / 4000 < 0.12
    assert 0.15 < sum(journey.loss(0) is Loss.ANSWER for journey in first) / 4000 < 0.21
    fates = [api_fate(kind, number) for number in range(4000)]
    assert 0.27 < fates.count(ApiFate.BUSY) / 4000 < 0.33
    assert 0.3 < fates.count(ApiFate.LOST) / 4000 < 0.4


def test_other_seeds_are_other_mischief() -> None:
    kinds = [Mischief(seed=seed, duplicates=0.5, delay_ms_max=1000) for seed in (1, 2)]
    assert [journeys(kinds[0], number) for number in range(9)] != [journeys(kinds[1], number) for number in range(9)]


def test_the_worst_ends_nevertheless() -> None:
    for journey in journeys(WORST, 0):
        assert journey.losses == (Loss.REQUEST,) * LOSSES_MAX
    assert api_fate(WORST, 0) is ApiFate.BUSY


def test_retries_are_further_and_further_apart() -> None:
    kind = Mischief(retry_first_ms=10, retry_ms_max=100)
    assert [kind.retry_ms(attempts) for attempts in (1, 2, 3, 4, 5, 9999)] == [10, 20, 40, 80, 100, 100]


@pytest.mark.parametrize(
    "changes",
    [
        {"drop": 1.5},
        {"drop": -0.1},
        {"drop": "0.5"},
        {"drop": float("nan")},
        {"duplicates": True},
        {"parallel": 0},
        {"parallel": 2.5},
        {"copies_max": 0},
        {"retry_first_ms": 0},
        {"give_up_ms": -1},
        {"dorp": 0.5},
        [],
    ],
)
def test_what_cannot_be_is_refused(changes: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Mischief().but(changes)


def test_whole_numbers_are_shares_too() -> None:
    assert Mischief().but({"drop": 1, "seed": 7}) == Mischief(seed=7, drop=1.0)
