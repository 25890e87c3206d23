"""Shrinking: to the fewest preemptions there are, and a proof that there are no fewer."""

from __future__ import annotations

import itertools

import pytest

from harness.engine.campaign import Campaign, Finding
from harness.engine.execution import Hang
from harness.engine.shrink import Shrinker, Shrunk
from harness.explore.random_walk import RandomWalk
from harness.explore.replay import Exact
from harness.words.history import History
from harness.words.verdict import Violation

from .memory_trial import MemoryTrial, calls, play
from .planted import PLANTED, double_sale, judge, to_and_fro


def find(trial: MemoryTrial, seed: int, preemptions: int = 4) -> Finding:
    """A failing run that is far from the smallest."""
    strategy = RandomWalk(seed)
    while True:
        made = Campaign(trial, strategy, judge, lambda _: {})
        made.advance()
        for found in made.tally.findings.values():
            if found.preemptions >= preemptions:
                return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fewest", PLANTED)
def test_a_planted_bug_shrinks_to_the_fewest_preemptions_and_that_is_proved(fewest: int, seed: int) -> None:
    trial = PLANTED[fewest]()
    shrunk = Shrinker(trial, judge).shrink(find(trial, seed, fewest + 1))
    assert (shrunk.finding.preemptions, shrunk.proved) == (fewest, True)


def test_what_is_left_still_fails() -> None:
    trial = to_and_fro()
    finding = Shrinker(trial, judge).shrink(find(trial, 1)).finding
    run, history = play(trial, Exact(finding.run.decisions))
    assert (run, history) == (finding.run, finding.history)
    assert finding.violation in judge(history)


def test_a_known_clean_bound_needs_no_second_proof() -> None:
    trial = to_and_fro()
    smallest = Shrinker(trial, judge).shrink(find(trial, 1)).finding
    proved_again, known = (Shrinker(trial, judge).shrink(smallest, clean_up_to=bound) for bound in (None, 1))
    assert known.finding.size == proved_again.finding.size == smallest.size
    assert known.proved
    assert known.tries < proved_again.tries


def test_without_tries_nothing_is_proved() -> None:
    trial = to_and_fro()
    found = find(trial, 1)
    shrunk = Shrinker(trial, judge, max_tries=5).shrink(found)
    assert (shrunk.proved, shrunk.tries) == (False, 5)
    assert shrunk.finding.size <= found.size


def test_when_the_time_is_over_the_smallest_so_far_is_no_proved_minimum() -> None:
    trial = to_and_fro()
    found = find(trial, 1)
    ticks = itertools.count()
    shrunk = Shrinker(trial, judge, deadline=8, clock=lambda: next(ticks)).shrink(found)
    assert not shrunk.proved
    assert 0 < shrunk.tries <= 8
    assert shrunk.finding.size <= found.size
    assert Shrinker(trial, judge, deadline=0).shrink(found) == Shrunk(found, proved=False, tries=0)


def test_another_property_that_breaks_on_the_way_is_not_taken_for_it() -> None:
    def two(history: History) -> list[Violation]:
        return judge(history) or [Violation("other", "always")]

    trial = to_and_fro()
    shrunk = Shrinker(trial, two).shrink(find(trial, 1))
    assert shrunk.finding.violation.property == "no-bug"


def test_a_hang_on_the_way_is_a_hang() -> None:
    trial = double_sale()
    found = find(trial, 1, 2)
    stuck = MemoryTrial([calls("1 ~"), calls("2")])
    with pytest.raises(Hang):
        Shrinker(stuck, judge).shrink(found)


def test_a_checker_that_raises_is_not_taken_for_a_property_that_holds() -> None:
    def broken(_: History) -> list[Violation]:
        raise ZeroDivisionError

    trial = double_sale()
    found = find(trial, 1, 2)
    with pytest.raises(ZeroDivisionError):
        Shrinker(trial, broken).shrink(found)
