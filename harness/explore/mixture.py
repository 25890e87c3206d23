"""The order in which a verification tries schedules: few preemptions first, then breadth and depth in turn."""

from __future__ import annotations

from collections.abc import Sequence

from harness.explore.exhaustive import Exhaustive
from harness.explore.lengths import Lengths
from harness.explore.pct import PCT
from harness.explore.random_walk import RandomWalk
from harness.explore.strategy import Strategy
from harness.explore.urw import URW
from harness.words.schedule import Decision

COMPLETE_FIRST = 1
"""The preemption bound that is run completely before anything is sampled."""

PAUSE_MAX = 64
"""The most runs of the enumeration between two samples."""


class Mixture:
    """Bounds 0 and 1 completely; then one schedule of the enumeration, one of a sampler (urw, pct, random in turn).

    A sampler can repeat a trace, which is known only when the run is over. Each time one does, the enumeration gets
    twice as many turns before the next sample, up to ``PAUSE_MAX``; a new trace brings the samplers back.

    The order is a function of the seed and the program, never of time, so that of two budgets the smaller one makes a
    prefix of the runs of the greater. Ends when the enumeration is complete: then every schedule was run.
    """

    name = "mixture"

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._lengths = Lengths()
        self._exhaustive = Exhaustive()
        self._samplers: tuple[Strategy, ...] = (
            URW(seed, self._lengths),
            PCT(seed, lengths=self._lengths),
            RandomWalk(seed),
        )
        self._sampled = 0
        self._known: set[bytes] = set()
        self._pause = 1
        self._enumerated = 0
        """Runs of the enumeration since the last sample."""
        self._part: Strategy = self._exhaustive

    @property
    def part(self) -> str:
        """The name of the strategy that proposes (or proposed last) a run."""
        return self._part.name

    @property
    def completed_bound(self) -> int | None:
        """The preemption bound up to which everything was run (``Exhaustive.completed_bound``)."""
        return self._exhaustive.completed_bound

    @property
    def complete(self) -> bool:
        """Every schedule was run."""
        return self._exhaustive.complete

    @property
    def remaining(self) -> int:
        """Schedules that the enumeration knows and has not run."""
        return self._exhaustive.remaining

    def begin(self) -> bool:
        if self.complete:
            return False
        bound = self.completed_bound
        if bound is not None and bound >= COMPLETE_FIRST and self._enumerated >= self._pause:
            self._part = self._samplers[self._sampled % len(self._samplers)]
            self._sampled += 1
            self._enumerated = 0
        else:
            self._part = self._exhaustive
            self._enumerated += 1
        return self._part.begin()

    def choose(self, position: int, enabled: tuple[int, ...], current: int | None) -> int:
        return self._part.choose(position, enabled, current)

    def stretch(self, position: int, enabled: tuple[int, ...], chosen: int) -> int:
        return self._part.stretch(position, enabled, chosen)

    def end(self, decisions: Sequence[Decision]) -> None:
        self._lengths.learn(decisions)
        self._part.end(decisions)
        trace = bytes([decision.chosen for decision in decisions])
        if self._part is not self._exhaustive:
            self._pause = min(self._pause * 2, PAUSE_MAX) if trace in self._known else 1
        self._known.add(trace)
