"""The random numbers of a run: a tape that is fixed before the run starts.

The tape is a function of the sampler, the seed and the index of the run alone. Which entry is read for what is fixed
too (one for each step, or one for each session by its number), so that the k-th choice uses the same number whatever
the server answered: the schedule is drawn whole up front, and the answers only interpret it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random


def tape(sampler: str, seed: int, run: int) -> Callable[[], float]:
    """Reads the next number of the tape, uniform in [0, 1)."""
    return Random(f"{sampler}:{seed}:{run}").random
