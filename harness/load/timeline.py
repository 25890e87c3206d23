"""How a load run went from moment to moment: answers, refusals and both latencies in equal stretches of its time.

Answers are counted when they came. Latencies stand where they began: the closed model's at the sending, the open
model's at the arrival, so that a stall is seen by all who met it, and not in the one moment at which it ends.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import ceil
from typing import Any, NamedTuple

from harness.load.figures import Figures, latency

BUCKETS_MAX = 120
BUCKETS_WANTED = 40
"""A run with few answers is not cut into more than so many: a percentile of a handful says nothing."""
ANSWERS_WANTED = 100
"""So many answers a bucket has a p99 of."""
WIDTHS_S = (0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""What people can count in."""


class Buckets(NamedTuple):
    """``number`` stretches of ``seconds`` each, from ``begin``; the last one may be cut short by the end."""

    begin: float
    seconds: float
    number: int

    def of(self, moment: float) -> int:
        """Which one a moment falls in; what lies outside belongs to the nearest."""
        return min(self.number - 1, max(0, int((moment - self.begin) / self.seconds)))


def buckets_for(seconds: float, answers: int, begin: float = 0.0) -> Buckets:
    """The finest that still say something, and no more than can be told apart."""
    width: float
    for width in WIDTHS_S:
        number = max(1, ceil(seconds / width))
        if number <= BUCKETS_MAX and (number <= BUCKETS_WANTED or answers >= number * ANSWERS_WANTED):
            break
    else:
        width = ceil(seconds / BUCKETS_MAX / WIDTHS_S[-1]) * WIDTHS_S[-1]
        number = ceil(seconds / width)
    return Buckets(begin, width, number)


def timeline(figures: Figures) -> dict[str, Any]:
    """The buckets of a run, as JSON; none where nothing was done."""
    if not figures.requests:
        return {"bucket_seconds": None, "buckets": []}
    begin = figures.first - figures.base
    cut = buckets_for(figures.seconds, len(figures.answered), begin)
    told = [Counter[int]() for _ in range(cut.number)]
    for moment, what in zip(figures.answered_at, figures.answered, strict=True):
        told[cut.of(moment)][what] += 1
    closed = {name: _split(cut, each.sent_at, each.closed_ms) for name, each in figures.operations.items()}
    open_ = {name: _split(cut, each.came_at, each.open_ms) for name, each in figures.operations.items()}
    words = list(figures.answers)
    return {
        "bucket_seconds": cut.seconds,
        "buckets": [
            {
                "at": place * cut.seconds,
                "per_second": round(told[place].total() / _length(cut, place, figures.seconds), 3),
                **_counted(told[place], words),
                "closed_ms": _percentiles(chain.from_iterable(each[place] for each in closed.values())),
                "open_ms": _percentiles(chain.from_iterable(each[place] for each in open_.values())),
                "operations": {
                    name: {
                        "answers": len(closed[name][place]),
                        "closed_p99_ms": _percentiles(closed[name][place])["p99"],
                        "open_p99_ms": _percentiles(open_[name][place])["p99"],
                    }
                    for name in sorted(closed)
                },
            }
            for place in range(cut.number)
        ],
    }


def _split(cut: Buckets, moments: Sequence[float], values: Sequence[float]) -> Sequence[array[float]]:
    parts = [array("d") for _ in range(cut.number)]
    for moment, value in zip(moments, values, strict=True):
        parts[cut.of(moment)].append(value)
    return parts


def _length(cut: Buckets, place: int, seconds: float) -> float:
    """Of this bucket within the run. A rate over a moment says nothing: the last one counts for a fifth at least."""
    return max(cut.seconds / 5, min(cut.seconds, seconds - place * cut.seconds))


def _counted(told: Mapping[int, int], words: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
    statuses: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for what, number in told.items():
        status, code = words[what]
        statuses[status] += number
        if code and status != "unknown":
            refusals[code] += number
    return {"statuses": dict(sorted(statuses.items())), "refusals": dict(sorted(refusals.items()))}


def _percentiles(values: Iterable[float]) -> dict[str, Any]:
    found = latency(list(values))
    return {
        "answers": found.answers,
        **{name: _thousandths(getattr(found, name)) for name in ("p50", "p90", "p99", "max")},
    }


def _thousandths(value: float | None) -> float | None:
    """A view is drawn of it: a microsecond is enough."""
    return None if value is None else round(value, 3)


def per_group(moments: Sequence[float], begin: float, end: float) -> Iterator[tuple[float, Sequence[int]]]:
    """(moment, places) for at most so many groups as there are buckets; what lies outside is left out."""
    inside = [place for place, moment in enumerate(moments) if begin <= moment <= end]
    if not inside:
        return
    size = ceil(len(inside) / BUCKETS_MAX)
    groups: dict[int, list[int]] = defaultdict(list)
    for number, place in enumerate(inside):
        groups[number // size].append(place)
    for places in groups.values():
        yield moments[places[0]] - begin, places
