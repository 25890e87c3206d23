"""A recorded run is made again exactly, or the first difference is named."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.explore.replay import Exact
from harness.explore.sparse import Sparse
from harness.explore.strategy import Diverged
from harness.words.schedule import Decision, Switch

from .simulator import Program, campaign, run

PROGRAM: Program = (("a", "+x", "b", "-x"), ("+x", "c", "-x", "d"), ("e", "f", "g"))
SWITCHES = st.lists(st.builds(Switch, st.integers(0, 10), st.integers(0, 2)), max_size=8)


def made(schedule: tuple[Switch, ...]) -> list[Decision]:
    (decisions,) = campaign(PROGRAM, Sparse(schedule))
    return decisions


@given(SWITCHES.map(tuple))
@settings(max_examples=30)
def test_a_replay_makes_the_same_decisions(schedule: tuple[Switch, ...]) -> None:
    decisions = made(schedule)
    assert list(campaign(PROGRAM, Exact(decisions))) == [decisions]


def test_a_replay_diverges_on_another_enabled_set() -> None:
    decisions = made(())
    strategy = Exact(decisions)
    assert strategy.begin()
    assert strategy.choose(0, (0, 1, 2), None) == 0
    with pytest.raises(Diverged) as caught:
        strategy.choose(1, (0, 2), 0)
    assert (caught.value.position, caught.value.wanted, caught.value.enabled) == (1, 0, (0, 2))
    assert caught.value.recorded == (0, 1, 2)


def test_a_replay_diverges_when_the_run_goes_on() -> None:
    strategy = Exact(made(()))
    longer: Program = (*PROGRAM[:2], (*PROGRAM[2], "h"))
    assert strategy.begin()
    with pytest.raises(Diverged) as caught:
        run(longer, strategy.choose)
    assert (caught.value.position, caught.value.wanted) == (11, None)


def test_a_replay_diverges_when_the_run_is_over_too_soon() -> None:
    strategy = Exact(made(()))
    shorter: Program = (*PROGRAM[:2], PROGRAM[2][:-1])
    assert strategy.begin()
    decisions, _ = run(shorter, strategy.choose)
    with pytest.raises(Diverged) as caught:
        strategy.end(decisions)
    assert (caught.value.position, caught.value.wanted, caught.value.enabled) == (10, 2, ())
