"""Every strategy by its name."""

from __future__ import annotations

from collections.abc import Callable

from harness.explore.exhaustive import Exhaustive
from harness.explore.mixture import Mixture
from harness.explore.pct import PCT
from harness.explore.random_walk import RandomWalk
from harness.explore.strategy import Strategy
from harness.explore.urw import URW

STRATEGIES: dict[str, Callable[[int, int | None], Strategy]] = {
    "exhaustive": lambda _seed, bound: Exhaustive(bound),
    "mixture": lambda seed, _bound: Mixture(seed),
    "pct": lambda seed, _bound: PCT(seed),
    "random": lambda seed, _bound: RandomWalk(seed),
    "urw": lambda seed, _bound: URW(seed),
}
"""Name to ``(seed, preemption bound) -> strategy``."""
