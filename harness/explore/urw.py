"""All interleavings with equal chance: a session is picked in proportion to the steps that it still has to make.

Algorithm 1 (URW) of H. Zhao, D. Wolff, U. Mathur and A. Roychoudhury, "Selectively Uniform Concurrency Testing",
ASPLOS 2025. From a state where session s has r_s steps left, (r_1 + ... + r_n)! / (r_1! ... r_n!) interleavings go on,
and the share of those that begin with s is r_s / (r_1 + ... + r_n). With exact counts and no blocking, every
interleaving is therefore equally likely; with estimates or locks it is an approximation.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.explore.lengths import Lengths
from harness.explore.strategy import FOREVER
from harness.explore.tape import Tape
from harness.words.schedule import Decision


class URW:
    """Uniform random walk. Never ends; run i reads only its own tape, (seed, i).

    The numbers of steps are those of earlier runs (``lengths``, which other strategies may share); the first run, with
    nothing known, is a plain random walk. A session that outlives its estimate counts as one step from its end.
    """

    name = "urw"
    part = "urw"

    def __init__(self, seed: int, lengths: Lengths | None = None) -> None:
        self.seed = seed
        self.lengths = lengths if lengths is not None else Lengths()
        self._run = -1

    def begin(self) -> bool:
        self._run += 1
        self._tape = Tape(self.name, self.seed, self._run)
        self._left = [max(steps, 1) for steps in self.lengths.steps]
        self._chosen, self._from = 0, 0
        return True

    def choose(self, position: int, enabled: tuple[int, ...], _current: int | None) -> int:
        left = self._left
        if enabled[-1] >= len(left):
            left.extend([1] * (enabled[-1] + 1 - len(left)))
        if position:
            left[self._chosen] = max(left[self._chosen] - (position - self._from), 1)
        self._from = position
        self._chosen = self._pick(position, enabled, left)
        return self._chosen

    def stretch(self, position: int, enabled: tuple[int, ...], chosen: int) -> int:
        if len(enabled) == 1:
            return FOREVER
        left = self._left.copy()
        steps = 0
        while True:
            left[chosen] = max(left[chosen] - 1, 1)
            if self._pick(position + steps, enabled, left) != chosen:
                return steps
            steps += 1

    def _pick(self, position: int, enabled: tuple[int, ...], left: Sequence[int]) -> int:
        if len(enabled) > 1:
            mark = self._tape[position] * sum([left[session] for session in enabled])
            for session in enabled:
                mark -= left[session]
                if mark < 0:
                    return session
        return enabled[-1]

    def end(self, decisions: Sequence[Decision]) -> None:
        self.lengths.learn(decisions)
