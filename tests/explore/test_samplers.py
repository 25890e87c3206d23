"""What each sampler promises about its distribution, with fixed seeds, and that runs depend on (seed, index) alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import factorial, prod

import pytest

from harness.explore.lengths import Lengths
from harness.explore.pct import PCT
from harness.explore.random_walk import RandomWalk
from harness.explore.strategy import Strategy
from harness.explore.urw import URW
from harness.words.schedule import Decision

from .simulator import Program, campaign, run, trace

UNEQUAL: Program = (("a",) * 5, ("b",), ("c",) * 2)
LOCKED: Program = (("a", "+x", "b", "-x"), ("+x", "c", "-x", "d"), ("e", "f", "g"))
SAMPLERS: list[Callable[[int], Strategy]] = [RandomWalk, URW, PCT]


def informed(program: Program) -> Lengths:
    """Lengths of a program without branches: every run has the same."""
    lengths = Lengths()
    lengths.learn(run(program, lambda _position, enabled, _current: enabled[0])[0])
    return lengths


def chi_square(counts: Counter[tuple[int, ...]], cells: int) -> float:
    expected = counts.total() / cells
    return sum((count - expected) ** 2 / expected for count in counts.values()) + expected * (cells - len(counts))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_seed_gives_the_same_runs_and_another_seed_others(sampler: Callable[[int], Strategy]) -> None:
    runs = list(campaign(LOCKED, sampler(7), 50))
    assert runs == list(campaign(LOCKED, sampler(7), 50))
    assert runs != list(campaign(LOCKED, sampler(8), 50))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_run_does_not_depend_on_how_much_the_runs_before_it_asked(sampler: Callable[[int], Strategy]) -> None:
    """A run cut after two steps leaves the next one as it would have been."""
    whole, cut = sampler(3), sampler(3)
    for strategy in (whole, cut):
        assert strategy.begin()
        strategy.end(run(LOCKED, strategy.choose)[0])
    assert whole.begin()
    run(LOCKED, whole.choose)
    assert cut.begin()
    assert cut.choose(0, (0, 1, 2), None) in {0, 1, 2}
    assert list(campaign(LOCKED, whole, 20)) == list(campaign(LOCKED, cut, 20))


def test_random_walk_is_uniform_at_each_step() -> None:
    strategy = RandomWalk(1)
    firsts: Counter[int] = Counter()
    for decisions in campaign(UNEQUAL, strategy, 3000):
        firsts[decisions[0].chosen] += 1
    # 13.8 is the 99.9 % point of chi-square with two degrees of freedom.
    assert sum((count - 1000) ** 2 / 1000 for count in firsts.values()) < 13.8


def test_urw_is_uniform_over_interleavings_of_unequal_sessions_and_the_random_walk_is_not() -> None:
    lengths = [len(session) for session in UNEQUAL]
    cells = factorial(sum(lengths)) // prod(map(factorial, lengths))
    assert cells == 168
    # 230 is above the 99.9 % point of chi-square with 167 degrees of freedom (228.9).
    urw = Counter(map(trace, campaign(UNEQUAL, URW(2, informed(UNEQUAL)), 20_000)))
    assert chi_square(urw, cells) < 230
    walk = Counter(map(trace, campaign(UNEQUAL, RandomWalk(2), 20_000)))
    assert chi_square(walk, cells) > 2300


def test_urw_learns_the_lengths_from_its_first_run() -> None:
    strategy = URW(2)
    list(campaign(UNEQUAL, strategy, 1))
    assert strategy.lengths.steps == [5, 1, 2]
    counts = Counter(map(trace, campaign(UNEQUAL, strategy, 20_000)))
    assert chi_square(counts, 168) < 230


def test_urw_survives_sessions_that_outlive_their_estimate() -> None:
    strategy = URW(5, informed((("a",), ("b",))))
    assert {len(decisions) for decisions in campaign(UNEQUAL, strategy, 200)} == {8}


def test_lengths_keep_the_greatest() -> None:
    lengths = Lengths()
    lengths.learn([Decision((0, 2), None, 2), Decision((0, 2), 2, 2), Decision((0,), 2, 0)])
    lengths.learn([Decision((0, 1, 2), None, 1), Decision((0, 2), 1, 2)])
    assert lengths.steps == [1, 1, 2]
    assert lengths.total == 3


# The examples of the PCT paper, section 2: the order of two steps (depth 1), an atomicity violation (depth 2: a check
# and its use, with another session's reset between them), and two constraints in one run (depth 3).
ORDER: Program = (("init", "a", "a", "a"), ("use", "b", "b", "b"))
ATOMICITY: Program = (("a", "a", "check", "use", "a"), ("b", "b", "b", "reset", "b"), ("c", "c", "c"))
TWO_WINDOWS: Program = (("open", "a", "shut"), ("b", "set", "b", "get"))


def comes(log: list[tuple[int, str]], *actions: str) -> bool:
    """These actions come in this order."""
    places = [next(i for i, (_, action) in enumerate(log) if action == wanted) for wanted in actions]
    return places == sorted(places)


@pytest.mark.parametrize(
    ("program", "depth", "bug"),
    [
        (ORDER, 1, ("use", "init")),
        (ATOMICITY, 2, ("check", "reset", "use")),
        (TWO_WINDOWS, 3, ("open", "set", "shut", "get")),
    ],
)
def test_pct_finds_a_bug_of_its_depth_as_often_as_the_paper_promises(
    program: Program, depth: int, bug: tuple[str, ...]
) -> None:
    strategy = PCT(11, depth, informed(program))
    runs = 4000
    found = 0
    for _ in range(runs):
        assert strategy.begin()
        decisions, log = run(program, strategy.choose)
        strategy.end(decisions)
        found += comes(log, *bug)
    promised = 1 / (len(program) * sum(map(len, program)) ** (depth - 1))
    # Three standard deviations below the promised rate, so that chance alone does not fail it.
    assert found >= runs * promised - 3 * (runs * promised) ** 0.5
    assert found > 0


def test_pct_of_depth_one_never_preempts_by_a_change() -> None:
    """Strict priorities: whoever starts runs to its end when nothing blocks."""
    for decisions in campaign(UNEQUAL, PCT(1, depth=1), 100):
        order = [session for session, _ in Counter(trace(decisions)).items()]
        assert trace(decisions) == tuple(s for s in order for _ in UNEQUAL[s])


def test_pct_changes_at_most_depth_minus_one_times() -> None:
    for decisions in campaign(UNEQUAL, PCT(1, depth=3, lengths=informed(UNEQUAL)), 300):
        preempted = [d for d in decisions if d.current in d.enabled and d.chosen != d.current]
        assert len(preempted) <= 2


def test_pct_rejects_a_depth_below_one() -> None:
    with pytest.raises(ValueError, match="0"):
        PCT(1, depth=0)
