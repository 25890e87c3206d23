"""Every list of switches is a schedule, and the switches of a run make that run again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.explore.sparse import Sparse
from harness.words.schedule import Decision, Switch, count_preemptions, default_choice, switches_of

from .simulator import Program, campaign, run

PROGRAM: Program = (("a", "+x", "b", "-x"), ("+x", "c", "-x", "d"), ("e", "f", "g"))
SWITCHES = st.lists(st.builds(Switch, st.integers(-2, 14), st.integers(-1, 4)), max_size=8)


def made(schedule: tuple[Switch, ...]) -> list[Decision]:
    (decisions,) = campaign(PROGRAM, Sparse(schedule))
    return decisions


@given(SWITCHES.map(tuple))
def test_any_list_of_switches_runs_to_the_end(schedule: tuple[Switch, ...]) -> None:
    decisions = made(schedule)
    assert len(decisions) == sum(map(len, PROGRAM))
    asked = dict(schedule)
    for position, decision in enumerate(decisions):
        wanted = asked.get(position)
        default = default_choice(decision.enabled, decision.current)
        assert decision.chosen == (wanted if wanted in decision.enabled else default)


@given(st.lists(st.integers(0, 99), min_size=20, max_size=20))
def test_the_switches_of_a_run_make_it_again(numbers: list[int]) -> None:
    numbered = iter(numbers)
    decisions, _ = run(PROGRAM, lambda _position, enabled, _current: enabled[next(numbered) % len(enabled)])
    assert made(switches_of(decisions)) == decisions


@given(SWITCHES.map(tuple))
def test_switches_that_are_skipped_can_be_dropped(schedule: tuple[Switch, ...]) -> None:
    decisions = made(schedule)
    effective = switches_of(decisions)
    assert set(effective) <= set(schedule)
    assert made(effective) == decisions


def test_no_switches_is_the_default_without_preemptions() -> None:
    decisions = made(())
    assert count_preemptions(decisions) == 0
    assert switches_of(decisions) == ()


def test_it_runs_once() -> None:
    strategy = Sparse(())
    assert strategy.begin()
    assert not strategy.begin()
