"""Events of one step: the chosen session's first, whatever the order in which they were noted."""

from __future__ import annotations

from harness.engine.step_order import put_chosen_first
from harness.words.history import Event, EventKind

WAKE, ERROR = EventKind.WAKE, EventKind.ERROR


def test_the_chosen_session_comes_first_in_its_step_alone() -> None:
    events = [Event(1, 0, WAKE), Event(2, 0, WAKE), Event(2, 1, ERROR), Event(3, 0, WAKE), Event(3, 1, ERROR)]
    put_chosen_first(events, 2, 1)
    assert events == [Event(1, 0, WAKE), Event(2, 1, ERROR), Event(2, 0, WAKE), Event(3, 1, ERROR), Event(3, 0, WAKE)]


def test_earlier_steps_are_left_alone() -> None:
    events = [Event(1, 0, WAKE), Event(1, 1, ERROR), Event(2, 0, WAKE)]
    put_chosen_first(events, 2, 1)
    assert events == [Event(1, 0, WAKE), Event(1, 1, ERROR), Event(2, 0, WAKE)]
