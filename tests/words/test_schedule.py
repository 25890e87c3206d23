"""Schedules: the default, what a preemption is, and the switches that make the same decisions again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.explore.sparse import Sparse
from harness.words.schedule import (
    Decision,
    Switch,
    count_preemptions,
    default_choice,
    is_preemption,
    switches_of,
)


def test_the_default_goes_on_with_who_ran_last() -> None:
    assert default_choice((0, 1, 2), 2) == 2


def test_the_default_is_else_the_lowest() -> None:
    assert default_choice((1, 2), 0) == 1
    assert default_choice((1, 2), None) == 1


def test_leaving_a_session_that_could_go_on_is_a_preemption() -> None:
    assert is_preemption(Decision((0, 1), 0, 1))


def test_leaving_one_that_is_blocked_or_done_is_none() -> None:
    assert not is_preemption(Decision((1, 2), 0, 2))


def test_going_on_is_none() -> None:
    assert not is_preemption(Decision((0, 1), 1, 1))


def test_beginning_with_any_session_is_none() -> None:
    assert not is_preemption(Decision((0, 1), None, 1))


def test_preemptions_are_counted() -> None:
    there_and_back = [Decision((0, 1), None, 0), Decision((0, 1), 0, 1), Decision((0, 1), 1, 0), Decision((1,), 0, 1)]
    assert count_preemptions(there_and_back) == 2


def test_only_what_is_not_the_default_is_a_switch() -> None:
    decisions = [Decision((0, 1), None, 1), Decision((0, 1), 1, 1), Decision((0, 1), 1, 0), Decision((1,), 0, 1)]
    assert switches_of(decisions) == (Switch(0, 1), Switch(2, 0))


@st.composite
def runs(draw: st.DrawFn) -> list[Decision]:
    decisions: list[Decision] = []
    current = None
    for enabled in draw(st.lists(st.sets(st.integers(0, 4), min_size=1), max_size=12)):
        chosen = draw(st.sampled_from(sorted(enabled)))
        decisions.append(Decision(tuple(sorted(enabled)), current, chosen))
        current = chosen
    return decisions


@given(runs())
def test_the_switches_make_the_same_decisions_again(decisions: list[Decision]) -> None:
    strategy = Sparse(switches_of(decisions))
    assert strategy.begin()
    for position, decision in enumerate(decisions):
        assert strategy.choose(position, decision.enabled, decision.current) == decision.chosen


@given(runs())
def test_a_preemption_is_a_switch(decisions: list[Decision]) -> None:
    assert count_preemptions(decisions) <= len(switches_of(decisions))
