"""An open model's schedule: when clients come, whatever the server does meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal, get_args

Pattern = Literal["poisson", "constant"]
PATTERNS: tuple[Pattern, ...] = get_args(Pattern)


def arrivals(pattern: Pattern, rate: float, start: float, random: Random) -> Iterator[float]:
    """Moments from ``start`` on, in order and without end, ``rate`` of them a second.

    ``poisson``: independent clients, gaps of an exponential distribution. ``constant``: equal gaps, the first of them
    cut at random, so that several processes do not come together.
    """
    now = start
    if pattern == "constant":
        now += random.random() / rate
        number = 0
        while True:
            # Multiplied, not added up: a sum of gaps would drift.
            yield now + number / rate
            number += 1
    while True:
        now += random.expovariate(rate)
        yield now
