"""What must not grow while a service is under load: connections, locks, the memory of the server and of the API.

Looked at once a second, and judged after a warm-up by the median slope (Theil and Sen): a few outliers, such as the
moment of a crash, do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from harness.load.look import Look

WARM_UP = 0.2
"""The share of the run that is not judged."""
JUDGED_S_MIN = 60.0
"""What is left must be so long: a slope over a few seconds says nothing."""
GAP_S_MAX = 10.0
"""The last look may be so long before the end: a server that is being started again takes that long."""
POINTS_MAX = 400
"""More are thinned out: the slope looks at all pairs."""

MEMORY_PER_MINUTE_MAX = 0.01


class Growth(NamedTuple):
    """How a quantity has changed after the warm-up. ``grows`` is None when the run was too short to say."""

    name: str
    first: float
    """The median of the first quarter after the warm-up."""
    last: float
    """Of the last quarter."""
    per_minute: float
    """The slope, as a share of ``first``."""
    grows: bool | None


def growths(looks: Sequence[Look]) -> list[Growth]:
    """What became of each quantity that was seen."""
    if not looks:
        return []
    begin, end = looks[0].at, looks[-1].at
    warm = [look for look in looks if look.at >= begin + (end - begin) * WARM_UP]
    found = []
    for name, few, share in (
        ("connections", 1.0, 0.05),
        ("locks", 20.0, 0.5),
        ("server_bytes", 0.0, 0.0),
        ("api_bytes", 0.0, 0.0),
    ):
        points = [(look.at, float(value)) for look in warm if (value := getattr(look, name)) is not None]
        if len(points) < 4:
            continue
        quarter = len(points) // 4
        first, last = (median(value for _, value in part) for part in (points[:quarter], points[-quarter:]))
        per_minute = slope(points) * 60 / first if first else 0.0
        long_enough = points[-1][0] - points[0][0] >= JUDGED_S_MIN
        if name.endswith("bytes"):
            grown = per_minute >= MEMORY_PER_MINUTE_MAX
        else:
            # Both follow the load: a few more or less are none that were forgotten.
            grown = per_minute > 0 and last > first + max(few, first * share)
        found.append(Growth(name, first, last, per_minute, grown if long_enough else None))
    return found


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes between all pairs, per second."""
    points = points[:: -(-len(points) // POINTS_MAX)]
    slopes = [
        (other - value) / (later - at)
        for place, (at, value) in enumerate(points)
        for later, other in points[place + 1 :]
        if later > at
    ]
    return median(slopes) if slopes else 0.0


def gap(looks: Sequence[Look], began: float, ended: float, failure: BaseException | None = None) -> str:
    """Why these looks do not tell how a run from ``began`` to ``ended`` ended; empty where they do, or it was short."""
    last = looks[-1].at if looks else began
    if (ended - began) * (1 - WARM_UP) < JUDGED_S_MIN or ended - last <= GAP_S_MAX:
        return ""
    why = f" ({type(failure).__name__}: {failure})" if failure is not None else ""
    return f"nothing was looked at in the last {ended - last:.0f} s of {ended - began:.0f} s{why}"
