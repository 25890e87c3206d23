"""Schedules drawn by Hypothesis: always valid, short, and small when they have been shrunk."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from harness.interleave.drawing import schedules
from harness.words.schedule import Schedule, Switch


@given(data=st.data(), sessions=st.integers(1, 5), steps=st.integers(1, 70), most=st.integers(0, 6))
def test_a_schedule_ascends_within_its_limits(data: st.DataObject, sessions: int, steps: int, most: int) -> None:
    drawn = data.draw(schedules(sessions, steps_max=steps, preemptions_max=most))
    positions = [switch.position for switch in drawn]
    assert positions == sorted(set(positions))
    assert len(drawn) <= most
    assert all(0 <= switch.position < steps and 0 <= switch.session < sessions for switch in drawn)


def smallest(found: Callable[[Schedule], bool]) -> Schedule:
    return find(schedules(3), found, settings=settings(max_examples=5000))


def test_a_schedule_shrinks_to_nothing() -> None:
    assert smallest(lambda _: True) == ()


def test_a_schedule_shrinks_to_few_switches_that_come_early() -> None:
    assert smallest(lambda drawn: any(switch.position >= 4 for switch in drawn)) == (Switch(4, 0),)
    assert smallest(lambda drawn: {2} <= {switch.session for switch in drawn}) == (Switch(0, 2),)


def test_a_schedule_shrinks_to_exactly_what_fails() -> None:
    wanted = {Switch(3, 1), Switch(7, 0)}
    assert set(smallest(lambda drawn: wanted <= set(drawn))) == wanted


@pytest.mark.parametrize("switch", [Switch(0, 0), Switch(59, 2), Switch(20, 1)])
def test_every_switch_can_be_drawn(switch: Switch) -> None:
    assert smallest(lambda drawn: switch in drawn) == (switch,)


@pytest.mark.parametrize(
    "wrong", [{"sessions": 0}, {"sessions": 2, "steps_max": 0}, {"sessions": 2, "preemptions_max": -1}]
)
def test_what_no_schedule_can_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="no schedules"):
        schedules(**wrong)
