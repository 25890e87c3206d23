"""Where a sequential model may stand after some concurrent operations: every state that explains what was seen.

Two serial orders can explain the same answers and still leave a model in different states, where the part in which they
differ cannot be read back. A checker that follows a long history step by step keeps all of them (the "possibility set"
of J. M. Wing and C. Gong, "Testing and Verifying Concurrent Objects", JPDC 1993); none left means a violation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import eq

from harness.check.linearizability import Apply, S, effect_is_possible, predecessors
from harness.words.history import Call, Result, Status


def consistent_states(
    calls: Sequence[Call],
    states: Iterable[S],
    apply: Apply[S],
    *,
    final: object,
    view: Callable[[S], object],
    matches: Callable[[Result, Result], bool] = eq,
) -> frozenset[S]:
    """The model states after ``calls`` from one of ``states``: those of every serial order that explains the answers,
    respects real time, and ends in a state whose ``view`` is ``final``.

    Busy and failed calls have no effect; an unknown one takes effect at any point from its invocation on, or never.
    """
    placed = [call for call in calls if effect_is_possible(call)]
    before = predecessors(placed)
    unknown = [call.result.status == Status.UNKNOWN for call in placed]
    required = sum(1 << i for i, is_unknown in enumerate(unknown) if not is_unknown)
    open_: list[tuple[int, S]] = [(0, state) for state in states]
    entered = set(open_)
    ends: set[S] = set()
    while open_:
        done, state = open_.pop()
        if done & required == required and view(state) == final:
            ends.add(state)
        for i, call in enumerate(placed):
            if done >> i & 1 or before[i] & ~done:
                continue
            answer, after = apply(state, call.operation)
            if unknown[i] or matches(answer, call.result):
                following = (done | 1 << i, after)
                if following not in entered:
                    entered.add(following)
                    open_.append(following)
    return frozenset(ends)
