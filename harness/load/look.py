"""One look at a service under load, and the looks of a whole run as the run document has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from harness.load.timeline import per_group

EVERY_S = 1.0
"""How often a service is looked at."""


class Look(NamedTuple):
    """One look at the service. Memory in bytes, that of processes alone, without what they share; None where unseen."""

    at: float
    connections: int | None
    locks: int | None
    server_bytes: int | None
    api_bytes: int | None
    busy: Mapping[str, int] | None = None
    """Sessions that are not idle, by what they are at: ``running``, or the type and the name of what they wait for."""
    ungranted: Mapping[str, int] | None = None
    """Locks that somebody waits for: their kind, mode, and table where they have one."""


def looks_document(looks: Sequence[Look], begin: float, end: float) -> list[dict[str, Any]]:
    """The looks between two moments as JSON, at most as many as there are buckets: means of those that are nearest."""
    quantities = ("connections", "locks", "server_bytes", "api_bytes")
    rows = []
    for at, places in per_group([look.at for look in looks], begin, end):
        group = [looks[place] for place in places]
        seen = {name: [value for each in group if (value := getattr(each, name)) is not None] for name in quantities}
        rows.append(
            {
                "at": round(at, 3),
                "looks": len(group),
                **{name: round(sum(values) / len(values), 3) if values else None for name, values in seen.items()},
                "busy": _mean(each.busy for each in group),
                "ungranted": _mean(each.ungranted for each in group),
            }
        )
    return rows


def _mean(counts: Iterable[Mapping[str, int] | None]) -> dict[str, float] | None:
    seen = [each for each in counts if each is not None]
    if not seen:
        return None
    total: Counter[str] = Counter()
    for each in seen:
        total.update(each)
    return {name: round(number / len(seen), 3) for name, number in total.most_common()}
