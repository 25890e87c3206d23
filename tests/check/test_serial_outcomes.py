"""The explanation holds exactly the outcomes of the serial orders, the nearest first."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, combinations, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.check.linearizability import Witness, find_witness
from harness.check.serial_outcomes import Difference, differences, explain
from harness.words.history import Call, Status

from .models import MODELS, UNKNOWN, Model, bank, corrupted, ok, refused

BUY = ("buy", 10)
BOTH_WON = (Call(0, BUY, 0, 5, ok(balance=0)), Call(1, BUY, 1, 6, ok(balance=0)))
ONE_WON = (Call(0, BUY, 0, 5, ok(balance=0)), Call(1, BUY, 1, 6, refused("insufficient")))


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_the_outcomes_are_those_of_all_orders(model: Model, data: st.DataObject) -> None:
    recorded = data.draw(corrupted(model))
    answered = [c for c in recorded.calls if c.result.status in (Status.OK, Status.REFUSED)]
    unknown = [c for c in recorded.calls if c.result.status == Status.UNKNOWN]
    expected: set[Any] = set()
    for taken in chain.from_iterable(combinations(unknown, size) for size in range(len(unknown) + 1)):
        for order in permutations([*answered, *taken]):
            if any(
                later.result.status != Status.UNKNOWN and later.precedes(earlier)
                for i, later in enumerate(order)
                for earlier in order[:i]
            ):
                continue
            state, wrong = model.initial, set()
            for call in order:
                answer, state = model.apply(state, call.operation)
                if call.result.status != Status.UNKNOWN and answer != call.result:
                    wrong.add((str(recorded.calls.index(call)), call.result, answer))
            expected.add((frozenset(wrong), state))
    explanation = explain(recorded.calls, model.initial, model.apply, final=recorded.final)
    assert explanation.whole
    assert len(explanation.outcomes) == len(expected)
    found = {(frozenset((d.path, d.seen, d.valid) for d in o.answers), o.final) for o in explanation.outcomes}
    assert found == expected
    distances = [len(o.answers) + len(o.state) for o in explanation.outcomes]
    assert distances == sorted(distances)
    witness = find_witness(
        recorded.calls, model.initial, model.apply, final=recorded.final, may_be_busy=lambda *_: True
    )
    assert isinstance(witness, Witness) == (distances[0] == 0)


def test_a_wrong_state_is_shown_beside_the_valid_one() -> None:
    explanation = explain(ONE_WON, (10, 0), bank, final=(-10, 2))
    assert explanation.sentence() == "state (-10, 2) matches no serial order; valid: (0, 1)"
    assert explanation.closest.state == (Difference("0", -10, 0), Difference("1", 2, 1))
    assert explanation.closest.answers == ()


def test_a_wrong_answer_is_shown_beside_the_nearest_one() -> None:
    explanation = explain(BOTH_WON, (10, 0), bank, final=(0, 1))
    closest = explanation.closest
    assert closest.state == ()
    assert [(d.seen, d.valid) for d in closest.answers] == [(ok(balance=0), refused("insufficient"))]
    assert {outcome.answers[0].path for outcome in explanation.outcomes} == {"0", "1"}
    shown = explanation.sentence(show=lambda result: f"{result.status}:{result.code}")
    assert shown == "answer ok: of call 1 matches no serial order; closest: refused:insufficient"


def test_many_valid_states_are_counted_not_listed() -> None:
    calls = tuple(Call(i, ("deposit", 2**i), 0, None, UNKNOWN) for i in range(3))
    sentence = explain(calls, (0, 0), bank, final=(9, 9)).sentence(show=lambda state: str(state[0]), most=2)
    head, valid = sentence.split("; valid: ")
    assert head == "state 9 matches no serial order"
    assert valid.endswith(" and 6 more")
    assert len(valid.removesuffix(" and 6 more").split(", ")) == 2


def test_a_limit_is_admitted_and_an_outcome_found_all_the_same() -> None:
    calls = tuple(Call(i, ("deposit", 2**i), 0, 1, ok()) for i in range(8))
    explanation = explain(calls, (0, 0), bank, final=(0, 0), limit=5)
    assert not explanation.whole
    assert explanation.closest.final == (255, 0)


@dataclass(frozen=True)
class Books:
    balances: tuple[tuple[str, Decimal], ...]
    sold: tuple[int, ...]
    open: bool = True


def test_differences_lead_to_the_values() -> None:
    seen = Books((("A", Decimal(-10)), ("B", Decimal(5))), (1, 2))
    valid = Books((("A", Decimal(0)), ("C", Decimal(5))), (1, 1))
    assert differences(seen, valid) == (
        Difference("balances.A", Decimal(-10), Decimal(0)),
        Difference("balances.B", Decimal(5), None),
        Difference("balances.C", None, Decimal(5)),
        Difference("sold.1", 2, 1),
    )


@pytest.mark.parametrize(
    ("seen", "valid", "expected"),
    [
        (1, 1, ()),
        (1, 2, (Difference("", 1, 2),)),
        ((1, 2), (1,), (Difference("", (1, 2), (1,)),)),
        ((("a", 1),), (), (Difference("a", 1, None),)),
        ((("a", 1), ("a", 2)), (("a", 1), ("a", 3)), (Difference("1.1", 2, 3),)),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, (Difference("a.b", 1, 2),)),
        ({"a": 1}, (1,), (Difference("", {"a": 1}, (1,)),)),
        (Books((), ()), None, (Difference("", Books((), ()), None),)),
    ],
)
def test_differences_of_shapes(seen: object, valid: object, expected: tuple[Difference, ...]) -> None:
    assert differences(seen, valid) == expected
