"""The enumeration is exactly the set of all runs, by bound, without repetition."""

from __future__ import annotations

from itertools import chain
from math import factorial, prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.explore.exhaustive import Exhaustive
from harness.explore.strategy import Diverged
from harness.words.schedule import Decision, count_preemptions, switches_of

from .simulator import Program, campaign, every_run, run, trace

LOCKED: Program = (("a", "+x", "b", "-x", "c"), ("+x", "d", "-x"), ("e", "f"))
NESTED: Program = (("+x", "+y", "-y", "-x"), ("+x", "a", "+y", "-y", "-x"), ("+y", "-y"))


def free(*lengths: int) -> Program:
    return tuple(("step",) * length for length in lengths)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Two or three short sessions, some with critical sections of one lock at a time (so without deadlock)."""
    sections = st.sampled_from([["s"], ["s", "s"], ["+x", "-x"], ["+x", "s", "-x"], ["+y", "-y"]])
    session = st.lists(sections, min_size=0, max_size=2).map(lambda parts: tuple(chain.from_iterable(parts)))
    sessions = st.lists(session, min_size=1, max_size=3)
    return tuple(draw(sessions.filter(lambda program: sum(map(len, program)) <= 8)))


@pytest.mark.parametrize("lengths", [(1,), (3, 3), (4, 2), (2, 2, 2), (3, 1, 2), (1, 1, 1, 1, 1), (5, 0)])
def test_without_locks_the_runs_are_counted_by_the_multinomial(lengths: tuple[int, ...]) -> None:
    strategy = Exhaustive()
    runs = {trace(decisions) for decisions in campaign(free(*lengths), strategy)}
    assert len(runs) == factorial(sum(lengths)) // prod(map(factorial, lengths))
    assert strategy.complete
    assert strategy.remaining == 0


@given(programs())
@settings(deadline=None, max_examples=60)
def test_it_makes_each_run_once_and_in_the_order_of_preemptions(program: Program) -> None:
    strategy = Exhaustive()
    runs = list(campaign(program, strategy))
    assert sorted(map(trace, runs)) == sorted(map(trace, every_run(program)))
    preemptions = [count_preemptions(decisions) for decisions in runs]
    assert preemptions == sorted(preemptions)
    assert strategy.completed_bound == preemptions[-1]
    assert strategy.complete


@pytest.mark.parametrize("program", [free(3, 2), free(2, 2, 2), LOCKED, NESTED])
@pytest.mark.parametrize("bound", [0, 1, 2, 3])
def test_a_bound_holds_exactly_the_runs_within_it(program: Program, bound: int) -> None:
    strategy = Exhaustive(bound)
    runs = sorted(map(trace, campaign(program, strategy)))
    everything = list(every_run(program))
    assert runs == sorted(trace(decisions) for decisions in everything if count_preemptions(decisions) <= bound)
    assert strategy.completed_bound == bound
    assert strategy.complete == (len(runs) == len(everything))
    assert (strategy.remaining == 0) == strategy.complete
    assert not strategy.begin()


def test_completed_bound_tells_at_every_moment_what_was_run() -> None:
    by_bound: dict[int, set[tuple[int, ...]]] = {}
    for decisions in every_run(LOCKED):
        by_bound.setdefault(count_preemptions(decisions), set()).add(trace(decisions))
    strategy = Exhaustive()
    assert strategy.completed_bound is None
    made: set[tuple[int, ...]] = set()
    for decisions in campaign(LOCKED, strategy):
        made.add(trace(decisions))
        whole = [bound for bound, runs in sorted(by_bound.items()) if runs <= made]
        assert strategy.completed_bound == (whole[-1] if whole else None)
        assert strategy.complete == (len(made) == sum(map(len, by_bound.values())))


def test_the_order_is_the_same_every_time() -> None:
    assert list(campaign(LOCKED, Exhaustive())) == list(campaign(LOCKED, Exhaustive()))


def test_an_abandoned_run_never_counts_as_made() -> None:
    strategy = Exhaustive()
    for number in range(1_000_000):
        if not strategy.begin():
            break
        decisions, _ = run(LOCKED, strategy.choose)
        if number != 2:
            strategy.end(decisions)
    assert strategy.remaining >= 1
    assert not strategy.complete
    assert strategy.completed_bound is None


def test_a_run_abandoned_in_a_later_bound_leaves_the_earlier_one_complete() -> None:
    strategy = Exhaustive()
    while strategy.completed_bound is None:
        assert strategy.begin()
        strategy.end(run(LOCKED, strategy.choose)[0])
    assert strategy.begin()
    list(campaign(LOCKED, strategy))
    assert strategy.completed_bound == 0
    assert not strategy.complete


def test_a_prefix_that_asks_for_a_session_that_is_not_enabled_diverges() -> None:
    strategy = Exhaustive()
    assert strategy.begin()
    strategy.end(run(free(1, 1), strategy.choose)[0])
    assert strategy.begin()
    with pytest.raises(Diverged) as caught:
        strategy.choose(0, (0,), None)
    assert (caught.value.position, caught.value.wanted, caught.value.enabled) == (0, 1, (0,))
    assert caught.value.recorded == (0, 1)
    assert "at step 0 the enabled sessions were 0;" in str(caught.value)


def test_other_enabled_sessions_within_the_prefix_diverge() -> None:
    strategy = Exhaustive()
    assert strategy.begin()
    strategy.end(run(free(2, 1), strategy.choose)[0])
    assert strategy.begin()
    decisions, _ = run(free(2, 1, 1), strategy.choose)
    remaining = strategy.remaining
    with pytest.raises(Diverged) as caught:
        strategy.end(decisions)
    assert (caught.value.position, caught.value.enabled, caught.value.recorded) == (0, (0, 1, 2), (0, 1))
    assert strategy.remaining == remaining


def test_a_run_that_is_over_before_its_prefix_diverges() -> None:
    strategy = Exhaustive(bound=2)
    assert strategy.begin()
    strategy.end(run(free(2, 2), strategy.choose)[0])
    while True:
        assert strategy.begin()
        decisions, _ = run(free(2, 2), strategy.choose)
        if switches_of(decisions)[-1].position >= 2:
            break
        strategy.end(decisions)
    with pytest.raises(Diverged) as caught:
        strategy.end(decisions[:1])
    assert caught.value.position == 1
    assert caught.value.enabled == ()
    assert "the run was over" in str(caught.value)


def test_many_enabled_sets_are_told_apart() -> None:
    """More than 256 of them, so that a record needs more than one byte for each."""
    strategy = Exhaustive()
    subsets = [tuple(s for s in range(9) if mask >> s & 1) for mask in range(1, 512)]
    decisions = []
    current: int | None = None
    assert strategy.begin()
    for position, enabled in enumerate(subsets):
        chosen = strategy.choose(position, enabled, current)
        decisions.append(Decision(enabled, current, chosen))
        current = chosen
    strategy.end(decisions)
    assert strategy.remaining == sum(len(enabled) - 1 for enabled in subsets)
    assert strategy.begin()
    last = len(subsets) - 1
    for position in range(last):
        assert strategy.choose(position, subsets[position], None) == decisions[position].chosen
    with pytest.raises(Diverged) as caught:
        strategy.choose(last, (), None)
    assert caught.value.recorded == subsets[last]
