"""The states that are left are those of every permutation that explains what was seen, no more and no fewer."""

from __future__ import annotations

from itertools import chain, combinations, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.check.consistent_states import consistent_states
from harness.words.history import Call, Result, Status

from .models import BUSY, MODELS, UNKNOWN, Model, Recorded, corrupted, histories, ok

models = pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))


def ends(model: Model, recorded: Recorded) -> set[Any]:
    """The oracle: run every permutation of the answered calls and of every subset of the unknown ones."""
    answered = [call for call in recorded.calls if call.result.status in (Status.OK, Status.REFUSED)]
    unknown = [call for call in recorded.calls if call.result.status is Status.UNKNOWN]
    found = set()
    for taken in chain.from_iterable(combinations(unknown, size) for size in range(len(unknown) + 1)):
        for order in permutations([*answered, *taken]):
            state, explained = model.initial, True
            for place, call in enumerate(order):
                answer, state = model.apply(state, call.operation)
                explained &= call.result.status is Status.UNKNOWN or answer == call.result
                explained &= not any(
                    call.precedes(earlier) or (call.session == earlier.session and call.invoked < earlier.invoked)
                    for earlier in order[:place]
                    if call.result.status is not Status.UNKNOWN
                )
            if explained and state == recorded.final:
                found.add(state)
    return found


def found(model: Model, recorded: Recorded) -> frozenset[Any]:
    return consistent_states(
        recorded.calls, [model.initial], model.apply, final=recorded.final, view=lambda state: state
    )


@models
@given(st.data())
def test_it_agrees_with_every_permutation(model: Model, data: st.DataObject) -> None:
    recorded = data.draw(histories(model) | corrupted(model))
    assert found(model, recorded) == ends(model, recorded)


def note(state: tuple[int, int], operation: tuple[str, int]) -> tuple[Result, tuple[int, int]]:
    """A sum that can be read, and the last number, which cannot."""
    return ok(), (state[0] + operation[1], operation[1])


def readable(state: tuple[int, int]) -> int:
    return state[0]


ONE, TWO = Call(0, ("add", 1), 0, 2, ok()), Call(1, ("add", 2), 1, 3, ok())


def test_what_cannot_be_read_is_kept_open() -> None:
    assert consistent_states([ONE, TWO], [(0, 0)], note, final=3, view=readable) == {(3, 1), (3, 2)}
    later = Call(1, ("add", 2), 3, 4, ok())
    assert consistent_states([ONE, later], [(0, 0)], note, final=3, view=readable) == {(3, 2)}


def test_every_state_before_is_gone_on_from() -> None:
    assert consistent_states([ONE], [(0, 7), (0, 8), (5, 0)], note, final=1, view=readable) == {(1, 1)}
    assert consistent_states([ONE], [], note, final=1, view=readable) == set()


def test_busy_changes_nothing_and_unknown_may() -> None:
    busy, lost = Call(0, ("add", 1), 0, 2, BUSY), Call(0, ("add", 1), 0, None, UNKNOWN)
    assert consistent_states([busy], [(0, 0)], note, final=0, view=readable) == {(0, 0)}
    assert consistent_states([busy], [(0, 0)], note, final=1, view=readable) == set()
    for final, state in ((0, (0, 0)), (1, (1, 1))):
        assert consistent_states([lost], [(0, 0)], note, final=final, view=readable) == {state}
