"""Errors that a disturbance explains, and those that none does."""

from __future__ import annotations

from math import inf

import pytest

from harness.load.disturbance import GRACE_S, Disturbance, unexplained
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
    ],
    ids=lambda value: value.what if isinstance(value, Span) else "",
)
def test_an_error_is_explained_by_what_it_overlaps(error: Span, explained: bool) -> None:
    assert unexplained([error], [KILL]) == ([] if explained else [error])
    assert unexplained([error], []) == [error]
