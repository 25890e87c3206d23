"""The figures that the payment document publishes, beside those of a run, and how far the two may be compared.

What it expects of a live system is graded as ``harness monitor`` grades it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from harness.load.figures import Figures, Round, latency
from harness.load.finding import HistoryVerdict
from harness.monitor.threshold import (
    CONFLICT_RATE,
    CREDITS_TIME,
    HIT_RATE,
    SOLD_COUNT,
    STRIPE_TIME,
    Threshold,
)
from harness.words.history import Status

BUYERS = 100
"""In the document's race."""

_SAME_RACE = (
    "the same race; the document tells of one round, and neither of its machine nor of its database, nor what of its "
    "time is the test's own"
)
_SOME_TRANSACTION = (
    "the document tells neither of which transaction, nor by whom and under what load it was measured; here: purchases "
    "with credits, from sending to the answer, as their client saw them under this load"
)
_PROVOKED = "the document means normal traffic; a load scenario provokes refusals and repeats on purpose"
_PAID_AT_ONCE = "here customers pay at once, and the gateway delays, drops and repeats its deliveries on purpose"


class Published(NamedTuple):
    """One figure. ``here`` is None where the run has none of the kind; ``compares``: ``yes``, ``in part``, ``no``."""

    figure: str
    unit: str
    """``seconds``, ``ms``, ``share``, ``winners`` or ``leads``."""
    published: float | None
    here: float | None
    compares: str
    why: str
    expected: float | None = None
    """What the document expects at most of a live system, and from where on it wants an alert."""
    alert: float | None = None
    grade: str | None = None


def published(figures: Figures, history: HistoryVerdict, rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """Every figure of the document that a load run can have, in its order."""
    return [each._asdict() for each in (*_race(rounds), *_latency(figures), *_watched(figures, history))]


def _race(rounds: Sequence[Round]) -> list[Published]:
    races = [each for each in rounds if each.buyers == BUYERS]
    seconds = median(each.seconds for each in races) if races else None
    winners = max(each.winners for each in races) if races else None
    return [
        Published("race of 100 buyers for one lead", "seconds", 2.34, seconds, "in part", _SAME_RACE),
        Published("winners of that race, at most", "winners", 1, winners, "yes", "one winner is one winner anywhere"),
    ]


def _latency(figures: Figures) -> list[Published]:
    times = figures.operations["buy"].closed_ms if "buy" in figures.operations else ()
    found = latency(times)
    mean = sum(times) / len(times) if times else None
    told = (("average", 45.0, mean), ("least", 12.0, found.min), ("greatest", 89.0, found.max))
    return [
        Published(f"transaction latency, {which}", "ms", theirs, here, "no", _SOME_TRANSACTION)
        for which, theirs, here in told
    ]


def _watched(figures: Figures, history: HistoryVerdict) -> list[Published]:
    counts: Mapping[str, int] = history.counts
    buys = figures.operations.get("buy")
    sales = [each for name, each in figures.operations.items() if name in ("buy", "checkout")]
    asked = sum(each.counts.total() for each in sales)
    delivered = figures.operations["deliver"].counts[Status.OK] if "deliver" in figures.operations else 0
    repeats = max(0, delivered - counts.get("webhooks", 0)) / delivered if delivered else None
    credits_ = latency(buys.open_ms if buys else ())
    stripe = latency(figures.checkouts_s)
    sold = counts.get("leads_sold", 0)
    return [
        _graded(
            CONFLICT_RATE,
            "purchases answered with a conflict (409)",
            figures.conflicts / asked if asked else None,
            "no",
            _PROVOKED,
        ),
        _graded(
            SOLD_COUNT,
            "leads sold more than once",
            float(history.broken.get("sold-once", 0)) if sold else None,
            "yes",
            "none is none anywhere, and here every sale was checked",
        ),
        _graded(
            CREDITS_TIME,
            "completion of a purchase with credits, p99",
            _in_seconds(credits_.p99),
            "in part",
            "from the client's arrival to its clear answer, under this load on this machine",
            _in_seconds(credits_.max),
        ),
        _graded(STRIPE_TIME, "completion of a Stripe purchase, p99", stripe.p99, "in part", _PAID_AT_ONCE, stripe.max),
        _graded(HIT_RATE, "webhooks that had been applied already", repeats, "no", _PROVOKED),
    ]


def _graded(
    threshold: Threshold, figure: str, here: float | None, compares: str, why: str, worst: float | None = None
) -> Published:
    grade = None if here is None else threshold.grade(here, worst).value
    unit = {"share": "share", "leads": "leads", "seconds": "seconds"}[threshold.unit]
    return Published(figure, unit, None, here, compares, why, threshold.expected, threshold.alert, grade)


def _in_seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
