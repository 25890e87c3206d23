"""Axes: round ends, few ticks, words with units, whatever the values."""

from __future__ import annotations

from math import inf, nan

import pytest

from harness.report.html.scales import (
    TICKS_MAX,
    clock,
    doubling,
    linear,
    logarithmic,
    moments,
    nines,
    number,
    ratios,
    time,
)


@pytest.mark.parametrize(
    ("values", "high", "ticks"),
    [
        ([], 1, 6),
        ([0.0], 1, 6),
        ([97.0], 100, 6),
        ([100.0], 100, 6),
        ([101.0], 150, 4),
        ([0.003], 0.003, 4),
        ([1e300], 1e300, 6),
        ([nan, inf, 7.0], 8, 5),
    ],
)
def test_a_linear_axis_ends_at_a_round_number(values: list[float], high: float, ticks: int) -> None:
    scale = linear(values)
    assert (scale.low, len(scale.ticks)) == (0, ticks)
    assert scale.high == pytest.approx(high)
    assert scale.at(scale.low) == 0
    assert scale.at(scale.high) == 1


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [([], 1, 2), ([5.0], 5, 10), ([3.0, 4000.0], 2, 5000), ([0.0, 1.0], 1, 2), ([1e-300, 1e300], 1e-300, 1e300)],
)
def test_a_logarithmic_axis_ends_at_round_numbers(values: list[float], low: float, high: float) -> None:
    scale = logarithmic(values)
    assert scale.low == pytest.approx(low)
    assert scale.high == pytest.approx(high)
    assert 2 <= len(scale.ticks) <= TICKS_MAX
    assert scale.at((scale.low**0.5) * (scale.high**0.5)) == pytest.approx(0.5)
    assert scale.at(0) == 0


@pytest.mark.parametrize("seconds", [0.0, 0.3, 5.0, 30.5, 119.0, 600.0, 86_400.0, 1e7])
def test_the_time_of_a_run_has_few_moments(seconds: float) -> None:
    scale = moments(seconds)
    assert 2 <= len(scale.ticks) <= TICKS_MAX + 1
    assert max(scale.ticks) <= max(1.0, scale.high)


def test_every_nine_is_equally_far() -> None:
    scale = nines(0.999)
    assert [scale.words(tick) for tick in scale.ticks] == ["p50", "p90", "p99", "p99.9"]
    assert [round(scale.at(share), 3) for share in (0, 0.9, 0.99, 0.999, 1.0)] == [0, 0.333, 0.667, 1, 1]
    assert nines(1.0).high < 1


def test_twice_is_equally_far() -> None:
    assert [round(doubling([2, 8, 4]).at(value), 3) for value in (2, 4, 8)] == [0, 0.5, 1]
    assert doubling([4]).at(4) == pytest.approx(0.5)


def test_half_and_twice_are_equally_far_from_the_same() -> None:
    scale = ratios([2.0, 0.5])
    assert [round(scale.at(value), 3) for value in (0.5, 1, 2)] == [0, 0.5, 1]
    assert scale.words(1.0) == "same"
    assert ratios([]).high == pytest.approx(1.1)
    assert [round(tick, 2) for tick in ratios([1.3, inf, 0.0]).ticks] == [0.9, 1, 1.1]
    assert [round(tick, 2) for tick in ratios([40.0]).ticks] == [0.1, 1, 1.9]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.1234, "0.123"), (1234.5, "1,234"), (12345, "12.3 k"), (5e6, "5 M"), (1e15, "1.0e+15")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 ms"), (0.25, "250 µs"), (4.1234, "4.12 ms"), (1500, "1.5 s"), (90_000, "90 s"), (180_000, "3 min")],
)
def test_times_have_a_unit(value: float, text: str) -> None:
    assert time(value) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0 s"), (2.5, "2.5 s"), (150, "2:30 min"), (7260, "2:01 h")])
def test_moments_have_a_unit(value: float, text: str) -> None:
    assert clock(value) == text
