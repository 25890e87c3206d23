"""Random priorities with a few change points: a guaranteed chance for every bug of small depth.

S. Burckhardt, P. Kothari, M. Musuvathi and S. Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of
Finding Bugs", ASPLOS 2010. The depth of a bug is the number of ordering constraints that suffice to cause it. In a
program of n sessions and at most k steps, each run finds a given bug of depth d with a chance of at least
1 / (n k^(d-1)).
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.explore.lengths import Lengths
from harness.explore.strategy import FOREVER
from harness.explore.tape import Tape
from harness.words.schedule import Decision


class PCT:
    """Probabilistic concurrency testing for bugs of depth at most ``depth``. Never ends; run i reads only its own tape.

    Sessions get random priorities and the enabled one with the highest runs. d - 1 change points are drawn from the
    steps 1 to k; the session that made such a step falls below all others (each point has a level of its own). The
    tape says at which part of the run a point lies, and k turns that into a step: the greatest length of a run so far
    (``lengths``, which other strategies may share). The first run, with nothing known, has no change points; the bound
    holds from the run on that knows k.
    """

    name = "pct"
    part = "pct"

    def __init__(self, seed: int, depth: int = 3, lengths: Lengths | None = None) -> None:
        if depth < 1:
            raise ValueError(depth)
        self.seed = seed
        self.depth = depth
        self.lengths = lengths if lengths is not None else Lengths()
        self._run = -1

    def begin(self) -> bool:
        self._run += 1
        tape = Tape(self.name, self.seed, self._run)
        steps = self.lengths.total
        places = [tape[level] for level in range(self.depth - 1)]
        self._changes = {int(place * steps) + 1: -level for level, place in enumerate(places, 1)} if steps else {}
        self._tape = tape
        self._priorities: list[float] = []
        return True

    def choose(self, position: int, enabled: tuple[int, ...], current: int | None) -> int:
        priorities = self._priorities
        while enabled[-1] >= len(priorities):
            priorities.append(self._tape[self.depth - 1 + len(priorities)])
        if position in self._changes and current is not None:
            priorities[current] = self._changes[position]
        return max(enabled, key=priorities.__getitem__)

    def stretch(self, position: int, _enabled: tuple[int, ...], _chosen: int) -> int:
        return min((change - position for change in self._changes if change >= position), default=FOREVER)

    def end(self, decisions: Sequence[Decision]) -> None:
        self.lengths.learn(decisions)
