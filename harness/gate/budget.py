"""A budget that the parts of a gate share: what one of them does not spend, those after it have."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from harness.gate.part import COMPARE, FAULTS, LOAD, NAMES, TESTS, VERIFY

WEIGHTS = {VERIFY: 9, FAULTS: 5, LOAD: 3, COMPARE: 7}
"""By which what is left is shared out among the parts that are still to come."""
TESTS_SHARE = 0.5
"""The tests take what they take, but no more than this part of the whole."""
LEAST_S = 1.0
"""What a part is given when nothing is left: it must still be able to find what every schedule shows."""


class Budget:
    """``seconds`` for these parts, from now on.

    ``fixed``: nobody is given what others have not spent, so that all shards of a gate give the same.
    """

    def __init__(
        self,
        seconds: float,
        parts: Collection[str],
        *,
        fixed: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds = seconds
        self._parts = parts
        self._fixed = fixed
        self._clock = clock
        self._began = clock()

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return self._clock() - self._began

    def of(self, part: str) -> float:
        """Seconds for this part, whose turn it is."""
        if part == TESTS:
            return self.seconds * TESTS_SHARE
        if self._fixed:
            coming = [each for each in self._parts if each != TESTS]
            left = self.seconds * (1 - TESTS_SHARE if TESTS in self._parts else 1)
        else:
            coming = [each for each in NAMES[NAMES.index(part) :] if each in self._parts]
            left = self.seconds - self.spent
        return max(LEAST_S, left * WEIGHTS[part] / sum(WEIGHTS[each] for each in coming))
