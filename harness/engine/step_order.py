"""The order of the events of one step, which must not depend on how the server's messages arrive."""

from __future__ import annotations

from harness.words.history import Event


def put_chosen_first(events: list[Event], first_step: int, chosen: int) -> None:
    """The chosen session's events of a step come first: two messages may arrive in one read or in two.

    Of all events from ``first_step`` on, step by step; the others stay in their order.
    """
    if len(events) > 1 and events[-2].step >= first_step:
        first = len(events)
        while first and events[first - 1].step >= first_step:
            first -= 1
        events[first:] = sorted(events[first:], key=lambda event: (event.step, event.session != chosen))
