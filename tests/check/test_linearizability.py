"""The search agrees with trying every permutation, on correct and on corrupted histories."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, combinations, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.check.linearizability import Mismatch, Refutation, Witness, find_witness, overlapped
from harness.words.history import Call, Result, Status

from .models import BUSY, FAILED, MODELS, UNKNOWN, Model, Operation, Recorded, bank, corrupted, histories, ok, refused

models = pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))


def explains(model: Model, order: Sequence[Call], final: Any) -> bool:
    """The definition: real time is respected, every answer is the model's, the state is the final one."""
    for i, later in enumerate(order):
        for earlier in order[:i]:
            if later.result.status != Status.UNKNOWN and later.precedes(earlier):
                return False
    state = model.initial
    for call in order:
        answer, state = model.apply(state, call.operation)
        if call.result.status != Status.UNKNOWN and answer != call.result:
            return False
    return bool(state == final)


def serializable(model: Model, recorded: Recorded) -> bool:
    """The oracle: every permutation of the answered calls and of every subset of the unknown ones."""
    answered = [call for call in recorded.calls if call.result.status in (Status.OK, Status.REFUSED)]
    unknown = [call for call in recorded.calls if call.result.status == Status.UNKNOWN]
    subsets = chain.from_iterable(combinations(unknown, size) for size in range(len(unknown) + 1))
    return any(
        explains(model, order, recorded.final) for taken in subsets for order in permutations([*answered, *taken])
    )


def always(_call: Call, _calls: Sequence[Call]) -> bool:
    return True


def check(model: Model, recorded: Recorded) -> Witness | Refutation:
    return find_witness(recorded.calls, model.initial, model.apply, final=recorded.final, may_be_busy=always)


@models
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_correct_history_has_a_witness_that_explains_it(model: Model, data: st.DataObject) -> None:
    recorded = data.draw(histories(model))
    witness = check(model, recorded)
    assert isinstance(witness, Witness)
    assert explains(model, witness.order, recorded.final)
    assert sorted(map(id, (*witness.order, *witness.without_effect))) == sorted(map(id, recorded.calls))
    assert {call.result.status for call in witness.without_effect} <= {Status.BUSY, Status.FAILED, Status.UNKNOWN}


@models
@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_corrupted_history_is_judged_as_by_trying_everything(model: Model, data: st.DataObject) -> None:
    recorded = data.draw(corrupted(model))
    verdict = check(model, recorded)
    assert isinstance(verdict, Witness) == serializable(model, recorded)
    if isinstance(verdict, Witness):
        assert explains(model, verdict.order, recorded.final)
    else:
        state = model.initial
        for call in verdict.longest:
            _, state = model.apply(state, call.operation)
        assert explains(model, verdict.longest, state)
        assert verdict.reached == state
        for mismatch in verdict.stuck:
            assert mismatch.call not in verdict.longest
            assert mismatch.model == model.apply(state, mismatch.call.operation)[0] != mismatch.call.result


def call(session: int, operation: Operation, invoked: int, returned: int | None, result: Result) -> Call:
    return Call(session, operation, invoked, returned, result)


BUY = ("buy", 10)


def test_two_winners_of_one_balance_are_refuted() -> None:
    calls = (call(0, BUY, 0, 5, ok(balance=0)), call(1, BUY, 1, 6, ok(balance=0)))
    refutation = find_witness(calls, (10, 0), bank, final=(-10, 2))
    assert isinstance(refutation, Refutation)
    assert refutation.longest == (calls[0],)
    assert refutation.stuck == (Mismatch(calls[1], refused("insufficient")),)
    assert refutation.reached == (0, 1)


def test_a_wrong_final_state_alone_is_refuted() -> None:
    calls = (call(0, BUY, 0, 5, ok(balance=0)), call(1, BUY, 1, 6, refused("insufficient")))
    refutation = find_witness(calls, (10, 0), bank, final=(0, 2))
    assert isinstance(refutation, Refutation)
    assert refutation.longest == calls
    assert refutation.stuck == ()
    assert refutation.reached == (0, 1)
    assert isinstance(find_witness(calls, (10, 0), bank), Witness)


def test_a_view_compares_only_what_was_probed() -> None:
    calls = (call(0, BUY, 0, 5, ok(balance=0)),)
    assert isinstance(find_witness(calls, (10, 0), bank, final=0, view=lambda state: state[0]), Witness)
    assert isinstance(find_witness(calls, (10, 0), bank, final=1, view=lambda state: state[0]), Refutation)


def test_real_time_order_is_respected() -> None:
    write, read = call(0, ("write", 1), 0, 1, ok()), call(1, ("read",), 2, 3, ok(value=0))
    model = MODELS["register"]
    assert isinstance(find_witness((write, read), 0, model.apply), Refutation)
    overlapping = call(1, ("read",), 1, 3, ok(value=0))
    witness = find_witness((write, overlapping), 0, model.apply)
    assert isinstance(witness, Witness)
    assert witness.order == (overlapping, write)


def test_a_session_makes_its_calls_in_order_even_within_one_step() -> None:
    write, read = call(0, ("write", 1), 0, 1, ok()), call(0, ("read",), 1, 3, ok(value=0))
    assert isinstance(find_witness((write, read), 0, MODELS["register"].apply), Refutation)


@pytest.mark.parametrize("final", [(10, 0), (0, 1)])
def test_an_unknown_call_may_have_taken_effect_or_not(final: tuple[int, int]) -> None:
    calls = (call(0, BUY, 0, None, UNKNOWN),)
    witness = find_witness(calls, (10, 0), bank, final=final)
    assert isinstance(witness, Witness)
    assert witness.order == (calls if final == (0, 1) else ())
    assert witness.without_effect == (() if final == (0, 1) else calls)


def test_an_unknown_call_may_take_effect_after_its_client_gave_up() -> None:
    gave_up = call(0, BUY, 0, 1, UNKNOWN)
    seen = call(1, ("balance",), 2, 3, ok(balance=10))
    witness = find_witness((gave_up, seen), (10, 0), bank, final=(0, 1))
    assert isinstance(witness, Witness)
    assert witness.order == (seen, gave_up)


def test_an_unknown_call_takes_no_effect_before_it_was_made() -> None:
    seen = call(1, ("balance",), 0, 1, ok(balance=0))
    assert isinstance(find_witness((seen, call(0, BUY, 2, None, UNKNOWN)), (10, 0), bank), Refutation)


def test_an_unknown_call_takes_effect_at_most_once() -> None:
    assert isinstance(find_witness((call(0, ("buy", 4), 0, None, UNKNOWN),), (10, 0), bank, final=(2, 2)), Refutation)


def test_an_unknown_call_is_never_stuck() -> None:
    lost, impossible = call(0, ("balance",), 0, None, UNKNOWN), call(1, ("balance",), 0, 1, ok(balance=3))
    refutation = find_witness((lost, impossible), (10, 0), bank)
    assert isinstance(refutation, Refutation)
    assert refutation.stuck == (Mismatch(impossible, ok(balance=10)),)


def test_a_failed_call_has_no_effect() -> None:
    assert isinstance(find_witness((call(0, BUY, 0, 1, FAILED),), (10, 0), bank, final=(10, 0)), Witness)
    assert isinstance(find_witness((call(0, BUY, 0, 1, FAILED),), (10, 0), bank, final=(0, 1)), Refutation)


def test_a_busy_answer_needs_a_cause() -> None:
    busy, other = call(0, BUY, 0, 3, BUSY), call(1, BUY, 2, 5, ok(balance=0))
    witness = find_witness((busy, other), (10, 0), bank, final=(0, 1))
    assert isinstance(witness, Witness)
    assert witness.without_effect == (busy,)
    later = call(1, BUY, 4, 5, ok(balance=0))
    refutation = find_witness((busy, later), (10, 0), bank, final=(0, 1))
    assert isinstance(refutation, Refutation)
    assert refutation.unfounded_busy == (busy,)
    assert refutation.stuck == ()
    assert refutation.longest == (later,)


def test_the_caller_says_what_conflicts() -> None:
    busy, other = call(0, BUY, 0, 3, BUSY), call(1, ("balance",), 2, 5, ok(balance=10))

    def buyers_conflict(one: Call, calls: Sequence[Call]) -> bool:
        return overlapped(one, [one, *(c for c in calls if c.operation[0] == "buy")])

    assert isinstance(find_witness((busy, other), (10, 0), bank), Witness)
    assert isinstance(find_witness((busy, other), (10, 0), bank, may_be_busy=buyers_conflict), Refutation)


def test_answers_are_compared_as_the_caller_says() -> None:
    calls = (call(0, BUY, 0, 1, ok(balance=99)),)

    def same_status(model: Result, seen: Result) -> bool:
        return model.status == seen.status

    assert isinstance(find_witness(calls, (10, 0), bank), Refutation)
    assert isinstance(find_witness(calls, (10, 0), bank, matches=same_status), Witness)


def test_the_memo_enters_each_configuration_once() -> None:
    """Ten deposits that overlap: 10! orders, but 2^10 sets of operations done, each with one state."""
    calls = tuple(call(i, ("deposit", 1), 0, 1, ok()) for i in range(10))
    applied = 0

    def counted(state: tuple[int, int], operation: Operation) -> tuple[Result, tuple[int, int]]:
        nonlocal applied
        applied += 1
        assert applied <= 10 * 2**9
        return bank(state, operation)

    refutation = find_witness(calls, (0, 0), counted, final=(11, 0))
    assert isinstance(refutation, Refutation)
    assert refutation.explored == 2**10
    assert applied == 10 * 2**9


def test_nothing_happened() -> None:
    assert find_witness((), (10, 0), bank, final=(10, 0)) == Witness((), (), 1)
    assert isinstance(find_witness((), (10, 0), bank, final=(9, 0)), Refutation)
