"""A stretch is only a quicker way to say the same: every strategy makes the same runs with it and without."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.explore.exhaustive import Exhaustive
from harness.explore.mixture import Mixture
from harness.explore.pct import PCT
from harness.explore.random_walk import RandomWalk
from harness.explore.replay import Exact
from harness.explore.sparse import Sparse
from harness.explore.strategy import Strategy
from harness.explore.urw import URW
from harness.words.schedule import Switch

from .simulator import Program, campaign, run, run_in_stretches

PROGRAM: Program = (("a", "+x", "b", "-x", "c"), ("+x", "d", "-x"), ("e", "f", "g", "h"))

STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "exhaustive": Exhaustive,
    "mixture": lambda: Mixture(3),
    "pct": lambda: PCT(3),
    "random": lambda: RandomWalk(3),
    "urw": lambda: URW(3),
    "sparse": lambda: Sparse((Switch(1, 2), Switch(3, 1), Switch(3, 0), Switch(40, 1))),
    "replay": lambda: Exact(next(campaign(PROGRAM, Sparse((Switch(2, 1), Switch(4, 2)))))),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_runs_are_the_same(name: str) -> None:
    plain, quick = STRATEGIES[name](), STRATEGIES[name]()
    for _ in range(300):
        goes_on = plain.begin()
        assert quick.begin() == goes_on
        if not goes_on:
            break
        decisions, _log = run(PROGRAM, plain.choose)
        assert run_in_stretches(PROGRAM, quick) == decisions
        plain.end(decisions)
        quick.end(decisions)


def test_stretches_save_most_of_the_asking() -> None:
    asked = 0

    class Counting(Sparse):
        def choose(self, position: int, enabled: tuple[int, ...], current: int | None) -> int:
            nonlocal asked
            asked += 1
            return super().choose(position, enabled, current)

    strategy = Counting(())
    assert strategy.begin()
    decisions = run_in_stretches((("a",) * 50, ("b",) * 50), strategy)
    assert len(decisions) == 100
    assert asked == 2
