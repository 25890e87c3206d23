"""The random numbers of a run: a tape that is fixed before the run starts.

The tape is a function of the sampler, the seed and the index of the run alone. Which entry is read for what is fixed
too (one for each step, or one for each session by its number), so that the k-th choice uses the same number whatever
the server answered: the schedule is drawn whole up front, and the answers only interpret it.
"""

from __future__ import annotations

from random import Random


class Tape:
    """Numbers uniform in [0, 1), by their place on the tape (from 0)."""

    def __init__(self, sampler: str, seed: int, run: int) -> None:
        self._draw = Random(f"{sampler}:{seed}:{run}").random
        self._numbers: list[float] = []

    def __getitem__(self, place: int) -> float:
        numbers = self._numbers
        while place >= len(numbers):
            numbers.append(self._draw())
        return numbers[place]
