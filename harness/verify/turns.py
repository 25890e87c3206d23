"""Whose turn it is among the scenarios of a share: each comes round again and again, and the small ones are hurried.

What a few preemptions can break is found soonest where there is least to run, so every other turn goes to the smallest
scenario of which not all schedules with so few preemptions were run yet. The turns between them go round, so that
nobody waits for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence

from harness.verify.enquiry import Enquiry

SLICE_S_MAX = 0.25
"""How long a scenario runs before another one of the share has its turn, seconds."""
ROUNDS_MIN = 4
"""How many turns every scenario should have, however small the budget."""


def take_turns(
    enquiries: Sequence[Enquiry],
    deadline: float,
    ran: Callable[[Enquiry], None],
    stopped: Callable[[], bool],
    *,
    first: Collection[str] = (),
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Let the scenarios run until the clock says ``deadline``, none has a schedule left, or ``stopped`` says so.

    ``ran`` is told of each turn; ``first`` are the names of scenarios that are hurried before all others.
    """
    going = list(enquiries)
    turn = min(SLICE_S_MAX, (deadline - clock()) / (ROUNDS_MIN * len(going)))
    for enquiry in _in_turn(going, first):
        now = clock()
        if now >= deadline or stopped():
            return
        enquiry.advance(min(now + turn, deadline))
        ran(enquiry)
        if enquiry.finished:
            going.remove(enquiry)


def _in_turn(going: Sequence[Enquiry], first: Collection[str]) -> Iterator[Enquiry]:
    """Whose turn it is, of those that are going then."""
    known: set[str] = set()
    while going:
        for enquiry in list(going):
            if enquiry in going:
                yield enquiry
                # Before its first turn nobody knows how large a scenario is.
                if enquiry.scenario.name in known and (hurried := _smallest(going, first)) is not None:
                    yield hurried
                known.add(enquiry.scenario.name)


def _smallest(enquiries: Sequence[Enquiry], first: Collection[str]) -> Enquiry | None:
    return min(
        (each for each in enquiries if not each.few_preemptions_done),
        key=lambda each: (each.scenario.name not in first, each.extent),
        default=None,
    )
