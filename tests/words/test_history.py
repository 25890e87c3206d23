"""Histories: which call precedes which, and what a client can look up in an answer."""

from __future__ import annotations

import pytest

from harness.words.history import Call, Result, Status


def call(invoked: int, returned: int | None) -> Call:
    return Call(0, "operation", invoked, returned, Result(Status.OK))


def test_who_returned_before_the_other_was_invoked_precedes_it() -> None:
    assert call(0, 1).precedes(call(2, 3))
    assert not call(2, 3).precedes(call(0, 1))


@pytest.mark.parametrize(("one", "other"), [((0, 2), (1, 3)), ((0, 3), (1, 2)), ((0, 1), (1, 2))])
def test_neither_precedes_when_they_overlap(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert call(*one).overlaps(call(*other))
    assert call(*other).overlaps(call(*one))


def test_who_never_returned_precedes_nobody() -> None:
    assert not call(0, None).precedes(call(5, 6))
    assert call(0, None).overlaps(call(5, 6))


def test_a_value_is_looked_up_by_name() -> None:
    result = Result(Status.OK, value=(("balance", 5),))
    assert (result["balance"], result.get("balance"), result.get("none", 7)) == (5, 5, 7)
    with pytest.raises(KeyError):
        result["none"]
