"""Which leads a process takes: mostly such as nobody has wanted yet, now and then one that others are at."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from harness.load.users.process import Process

CONTESTED = 0.15
"""The share of purchases that want a lead which somebody of the same process has asked for a moment ago."""
RECENT = 32
BASKET = (1, 1, 1, 1, 2, 3)
"""How many leads a purchase is of, drawn at random."""


class Shelf:
    """Numbers of leads of the stock. When all have been asked for it begins again: then most of them are sold."""

    def __init__(self, process: Process) -> None:
        self._random = process.random
        self._fresh = self._walk(process)
        self._recent: deque[int] = deque(maxlen=RECENT)

    def fresh(self) -> int:
        """A lead that this process alone takes, and has not taken yet."""
        lead = next(self._fresh)
        self._recent.append(lead)
        return lead

    def basket(self) -> list[int]:
        """What a buyer wants: one lead or a few, no lead twice."""
        leads = {self.fresh() for _ in range(self._random.choice(BASKET))}
        if self._recent and self._random.random() < CONTESTED:
            leads.add(self._random.choice(self._recent))
        return sorted(leads)

    @staticmethod
    def _walk(process: Process) -> Iterator[int]:
        while True:
            yield from range(process.index, process.stock.leads, process.processes)
