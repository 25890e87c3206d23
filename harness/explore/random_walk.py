"""Each step goes to any enabled session with equal chance: the baseline that better samplers have to beat.

It is not uniform over schedules: with sessions of unequal length, those where the short one waits are rare (``urw``).
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.explore.strategy import FOREVER
from harness.explore.tape import Tape
from harness.words.schedule import Decision


class RandomWalk:
    """Uniform among the enabled sessions at each step. Never ends; run i depends on (seed, i) alone."""

    name = "random"
    part = "random"

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._run = -1

    def begin(self) -> bool:
        self._run += 1
        self._tape = Tape(self.name, self.seed, self._run)
        return True

    def choose(self, position: int, enabled: tuple[int, ...], _current: int | None) -> int:
        return enabled[int(self._tape[position] * len(enabled))]

    def stretch(self, position: int, enabled: tuple[int, ...], chosen: int) -> int:
        if len(enabled) == 1:
            return FOREVER
        steps = 0
        while self.choose(position + steps, enabled, None) == chosen:
            steps += 1
        return steps

    def end(self, decisions: Sequence[Decision]) -> None:
        pass
