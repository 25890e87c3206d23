"""A scan in a given order of commits agrees with the search for any order, tried with every order that there is."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import permutations
from math import inf
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.check.commit_order import Inversion, Spans, Unexplained, scan
from harness.check.linearizability import Witness, find_witness
from harness.words.history import Call, Status

from .models import MODELS, Model, Recorded, corrupted, histories, ok

models = pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))


class Replayed:
    """A model that follows the commits. ``wrong`` says that a commit was answered otherwise."""

    def __init__(self, model: Model, commits: Sequence[Call], others: Sequence[Call]) -> None:
        self.apply = model.apply
        self.state: Any = model.initial
        self.calls, self.others = commits, others
        self.wrong = False
        self.looks = 0

    def commit(self, number: int) -> Iterable[Hashable]:
        call = self.calls[number]
        answer, self.state = self.apply(self.state, call.operation)
        self.wrong |= call.result.status is not Status.UNKNOWN and answer != call.result
        return ("state",)

    def explains(self, other: int) -> bool:
        self.looks += 1
        answer, after = self.apply(self.state, self.others[other].operation)
        return bool(answer == self.others[other].result and after == self.state)

    def concerns(self, _other: int) -> Iterable[Hashable]:
        return ("state",)


def spans(calls: Sequence[Call]) -> Spans:
    return Spans(
        [float(call.invoked) for call in calls],
        [
            inf if call.returned is None or call.result.status is Status.UNKNOWN else float(call.returned)
            for call in calls
        ],
    )


def fits(model: Model, commits: Sequence[Call], others: Sequence[Call], final: Any) -> bool:
    replay = Replayed(model, commits, others)
    found = list(scan(spans(commits), spans(others), replay))
    return not found and not replay.wrong and replay.state == final


def orders(calls: Sequence[Call]) -> Iterator[tuple[list[Call], list[Call]]]:
    """Every choice of those that committed, in every order, and the answered rest."""
    placed = [call for call in calls if call.result.status in (Status.OK, Status.REFUSED, Status.UNKNOWN)]
    for count in range(len(placed) + 1):
        for commits in permutations(placed, count):
            rest = [call for call in placed if call not in commits and call.result.status is not Status.UNKNOWN]
            yield list(commits), rest


@models
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_some_order_fits_exactly_when_the_search_finds_a_witness(model: Model, data: st.DataObject) -> None:
    recorded: Recorded = data.draw(st.one_of(histories(model, size=4), corrupted(model, size=4)))
    found = find_witness(
        recorded.calls, model.initial, model.apply, final=recorded.final, may_be_busy=lambda _call, _calls: True
    )
    fitting = any(fits(model, commits, others, recorded.final) for commits, others in orders(recorded.calls))
    assert fitting == isinstance(found, Witness)


def register(*written: tuple[int, float, float]) -> list[Call]:
    return [Call(0, ("write", value), invoked, returned, ok()) for value, invoked, returned in written]  # type: ignore[arg-type]


def read(value: int, invoked: float, returned: float) -> Call:
    return Call(1, ("read",), invoked, returned, ok(value=value))  # type: ignore[arg-type]


def judged(commits: Sequence[Call], others: Sequence[Call]) -> list[Inversion | Unexplained]:
    return list(scan(spans(commits), spans(others), Replayed(MODELS["register"], commits, others)))


def test_an_inversion_names_both() -> None:
    assert judged(register((1, 0, 1), (2, 5, 6), (0, 2, 3)), []) == [Inversion(2, 1)]


def test_a_stale_read_is_given_up_where_its_time_ends() -> None:
    writes = register((1, 0, 1), (2, 4, 5), (1, 8, 9))
    assert judged(writes, [read(0, 2, 3)]) == [Unexplained(0, 1)]
    assert judged(writes, [read(1, 6, 7)]) == [Unexplained(0, 2)]
    assert judged(writes, [read(1, 6, 8)]) == []


def test_reads_that_follow_one_another_never_go_back() -> None:
    writes = register((1, 0, 10))
    assert judged(writes, [read(0, 1, 2), read(1, 3, 4)]) == []
    assert judged(writes, [read(1, 1, 2), read(0, 3, 4)]) == [Unexplained(1, 1)]


def test_who_was_held_back_by_one_that_is_given_up_is_not_to_blame() -> None:
    writes = register((1, 0, 10))
    reads = [read(2, 1, 2), read(0, 3, 4), read(1, 5, 6)]
    assert judged(writes, reads) == [Unexplained(0, 1), Unexplained(1, 1, behind=0)]


def history(length: int) -> tuple[list[Call], list[Call]]:
    """Writers and readers of a register, some thirty at a time."""
    random, value, commits, others = Random(1), 0, list[Call](), list[Call]()
    for moment in range(length):
        invoked, returned = moment - random.random() * 30, moment + random.random() * 30
        if random.random() < 0.5:
            value = random.randrange(3)
            commits += register((value, invoked, returned))
        else:
            others.append(read(value, invoked, returned))
    return commits, others


@pytest.mark.parametrize("length", [500, 4000])
def test_the_work_grows_with_the_length_alone(length: int) -> None:
    commits, others = history(length)
    replay = Replayed(MODELS["register"], commits, others)
    assert list(scan(spans(commits), spans(others), replay)) == []
    assert replay.looks < 20 * len(others)
