"""Is there a serial order of these operations that explains every answer and the final state?

The search of J. M. Wing and C. Gong, "Testing and Verifying Concurrent Objects", JPDC 1993, with the memo of G. Lowe,
"Testing for Linearizability", CCPE 2017: a pair of (operations done, model state) that failed once is never entered
again. The history is judged whole, not key by key: one purchase spans leads and credits. The search is exponential in
the number of operations that overlap; two to eight of them take milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import inf
from operator import eq
from typing import Any, TypeVar

from harness.words.history import Call, Result, Status

S = TypeVar("S", bound=Hashable)

Apply = Callable[[S, Any], tuple[Result, S]]
"""The sequential model: a state and an operation to the answer and the next state. Pure."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A serial order that explains the history."""

    order: tuple[Call, ...]
    """The calls with an answer, and those unknown ones that took effect, as if one at a time."""
    without_effect: tuple[Call, ...]
    """Busy and failed calls, and unknown ones that never took effect."""
    explored: int
    """Pairs of (operations done, model state) that the search entered."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A call that could come next, and what the model would have answered instead."""

    call: Call
    model: Result


@dataclass(frozen=True, slots=True)
class Refutation:
    """No serial order explains the history, or a busy answer had no cause."""

    longest: tuple[Call, ...]
    """A serial order that explains as many answers as any: the first found."""
    stuck: tuple[Mismatch, ...]
    """Every call that could come after ``longest``; empty when all have their place and something else is wrong."""
    reached: Any
    """The view of the model state after ``longest``; what to compare with the final state when nothing is stuck."""
    unfounded_busy: tuple[Call, ...]
    """Busy answers without an overlapping operation that conflicts."""
    explored: int


def overlapped(call: Call, calls: Sequence[Call]) -> bool:
    """The weakest cause of a busy answer: a call of another session overlaps, or one of its own that it gave up."""
    return any(
        (other.session != call.session or (other is not call and other.result.status is Status.UNKNOWN))
        and other.overlaps(call)
        for other in calls
    )


def effect_is_possible(call: Call) -> bool:
    """Busy and failed calls changed nothing: they fit anywhere in their interval and leave no trace."""
    return call.result.status in (Status.OK, Status.REFUSED, Status.UNKNOWN)


def predecessors(calls: Sequence[Call]) -> list[int]:
    """For each call the set (as bits) of the calls that must come before it, by real time or within its session.

    An unknown call comes before nobody: the server may still carry it out after its client gave up.
    """

    def comes_first(first: Call, second: Call) -> bool:
        if first.result.status == Status.UNKNOWN:
            return False
        return first.precedes(second) or (first.session == second.session and first.invoked < second.invoked)

    return [sum(1 << j for j, first in enumerate(calls) if comes_first(first, second)) for second in calls]


def find_witness(
    calls: Sequence[Call],
    initial: S,
    apply: Apply[S],
    *,
    final: object = None,
    view: Callable[[S], object] = lambda state: state,
    matches: Callable[[Result, Result], bool] = eq,
    may_be_busy: Callable[[Call, Sequence[Call]], bool] = overlapped,
) -> Witness | Refutation:
    """Search for a serial order of ``calls`` from ``initial`` that respects real time (``Call.precedes``).

    - ok and refused calls must be answered by the model as they were: ``matches(model's answer, seen answer)``;
    - busy and failed calls have no effect; a busy one needs a cause: ``may_be_busy(call, calls)``;
    - unknown calls take effect at any point from their invocation on, or never, whatever their answer;
    - ``final``, if given, is what was there in the end: it must equal ``view(model state)``. A view that leaves out
      what was not probed makes the comparison as coarse as the probes.
    """
    placed = [call for call in calls if effect_is_possible(call)]
    # Early returns first: the likely order, so that a witness is found soon.
    placed.sort(key=lambda call: (inf if call.returned is None else call.returned, call.invoked))
    before = predecessors(placed)
    unknown = [call.result.status == Status.UNKNOWN for call in placed]
    required = sum(1 << i for i, is_unknown in enumerate(unknown) if not is_unknown)
    entered: set[tuple[int, S]] = set()
    order: list[int] = []
    longest, longest_state, answered = list[int](), initial, 0

    def search(done: int, state: S) -> bool:
        nonlocal longest, longest_state, answered
        if (done, state) in entered:
            return False
        entered.add((done, state))
        if (count := (done & required).bit_count()) > answered:
            longest, longest_state, answered = order.copy(), state, count
        if done & required == required and (final is None or view(state) == final):
            longest, longest_state = order.copy(), state
            return True
        for i, call in enumerate(placed):
            if done >> i & 1 or before[i] & ~done:
                continue
            answer, after = apply(state, call.operation)
            if unknown[i] or matches(answer, call.result):
                order.append(i)
                if search(done | 1 << i, after):
                    return True
                order.pop()
        return False

    found = search(0, initial)
    unfounded = tuple(call for call in calls if call.result.status == Status.BUSY and not may_be_busy(call, calls))
    if found and not unfounded:
        idle = [call for call in calls if not effect_is_possible(call)]
        idle += [call for i, call in enumerate(placed) if i not in longest]
        return Witness(tuple(placed[i] for i in longest), tuple(idle), len(entered))
    done = sum(1 << i for i in longest)
    stuck = tuple(
        Mismatch(call, apply(longest_state, call.operation)[0])
        for i, call in enumerate(placed)
        if not unknown[i] and not done >> i & 1 and not before[i] & ~done
    )
    return Refutation(tuple(placed[i] for i in longest), stuck, view(longest_state), unfounded, len(entered))
