"""Latencies as distributions: a histogram with logarithmic bins, and quantiles as far as so many samples have any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from math import ceil, floor, log10
from typing import Any

from harness.load.figures import Figures

PER_DECADE = 20
"""Bins to a factor of ten: each is 12 % wider than the one before."""
LEAST_MS = 0.001
"""What is shorter is counted as so long: a clock that did not move has no logarithm."""
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999)


def distributions(figures: Figures, *, opened: bool) -> list[dict[str, Any]]:
    """Of all requests together, then of each operation, as JSON; ``opened``: the open model is told, too."""
    if not figures.requests:
        return []
    every = list(figures.operations.values())
    closed = list(chain.from_iterable(each.closed_ms for each in every))
    came = list(chain.from_iterable(each.open_ms for each in every))
    whole = {"operation": None, "closed": distribution(closed), "open": distribution(came) if opened else None}
    return [
        whole,
        *(
            {
                "operation": name,
                "closed": distribution(each.closed_ms),
                "open": distribution(each.open_ms) if opened else None,
            }
            for name, each in sorted(figures.operations.items())
        ),
    ]


def distribution(milliseconds: Sequence[float]) -> dict[str, Any]:
    """``first_bin`` b and ``counts``: the first count is of the latencies from 10^(b / 20) ms to the next power."""
    ordered = sorted(milliseconds)
    bins = Counter(bin_of(value) for value in ordered)
    least, most = (min(bins), max(bins)) if bins else (0, -1)
    return {
        "first_bin": least,
        "counts": [bins[number] for number in range(least, most + 1)],
        "quantiles": quantiles(ordered),
    }


def bin_of(milliseconds: float) -> int:
    """The number of its bin."""
    return floor(log10(max(LEAST_MS, milliseconds)) * PER_DECADE)


def quantiles(ordered: Sequence[float]) -> list[Mapping[str, float]]:
    """By nearest rank. A share of which fewer than one sample lies above is the maximum, and left to it."""
    if not ordered:
        return []
    shares = [share for share in SHARES if round(len(ordered) * (1 - share), 6) >= 1]
    return [
        *({"share": share, "ms": round(ordered[max(0, ceil(len(ordered) * share) - 1)], 3)} for share in shares),
        {"share": 1.0, "ms": round(ordered[-1], 3)},
    ]
