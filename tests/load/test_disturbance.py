"""Errors that a disturbance explains, and those that none does."""

from __future__ import annotations

from math import inf

import pytest

from harness.load.disturbance import GRACE_S, Disturbance, covered, unexplained
from harness.load.figures import Span

KILL = Disturbance("kill", 10.0, 10.1)


@pytest.mark.parametrize(
    ("error", "explained"),
    [
        (Span(9.0, 10.05, "during"), True),
        (Span(9.0, inf, "never answered"), True),
        (Span(10.1 + GRACE_S / 2, 20, "just after"), True),
        (Span(9.0, 9.9, "before"), False),
        (Span(10.2 + GRACE_S, 20, "long after"), False),
        (Span(10.0, 10.05, "try again", 503), True),
        (Span(10.0, 10.05, "a bug", 500), False),
        (Span(10.0, 10.05, "somebody else's bug", 502), False),
    ],
    ids=lambda value: value.what if isinstance(value, Span) else "",
)
def test_an_error_is_explained_by_what_it_overlaps(error: Span, explained: bool) -> None:
    assert unexplained([error], [KILL]) == ([] if explained else [error])
    assert unexplained([error], []) == [error]


def test_the_share_of_the_time_that_is_excused_counts_no_moment_twice() -> None:
    close = Disturbance("kill", 10.5, 10.6)
    assert covered([close, KILL], 0.0, 100.0) == pytest.approx((2.6) / 100)
    assert covered([KILL], 0.0, 11.0) == pytest.approx(1 / 11)
    assert covered([KILL], 20.0, 30.0) == covered([], 0.0, 0.0) == 0
