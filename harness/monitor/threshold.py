"""What is expected of each metric, and from where on somebody should be woken: the figures of the payment document."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Unit = Literal["share", "leads", "seconds"]


class Grade(StrEnum):
    """What is said of one metric. ``NO_DATA``: there was nothing to measure; ``NOT_MEASURED``: nobody looked, or
    nobody could."""

    OK = "ok"
    ABOVE_EXPECTED = "above_expected"
    ALERT = "alert"
    NO_DATA = "no_data"
    NOT_MEASURED = "not_measured"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A value is as expected below ``expected``, or up to it where it is ``inclusive``; above ``alert`` it alarms."""

    metric: str
    unit: Unit
    expected: float
    alert: float
    inclusive: bool = False

    def grade(self, value: float, worst: float | None = None) -> Grade:
        """``worst`` is what may alarm, where that is another figure than the one that is expected to be small."""
        if (value if worst is None else worst) > self.alert:
            return Grade.ALERT
        expected = value <= self.expected if self.inclusive else value < self.expected
        return Grade.OK if expected else Grade.ABOVE_EXPECTED


CONFLICT_RATE = Threshold("purchase-conflict-rate", "share", 0.05, 0.20)
SOLD_COUNT = Threshold("sold-count-consistency", "leads", 0, 0, inclusive=True)
CREDITS_TIME = Threshold("completion-time-credits", "seconds", 2, 10)
STRIPE_TIME = Threshold("completion-time-stripe", "seconds", 5, 10)
HIT_RATE = Threshold("webhook-idempotency-hit-rate", "share", 0.10, 0.50, inclusive=True)

THRESHOLDS = (CONFLICT_RATE, SOLD_COUNT, CREDITS_TIME, STRIPE_TIME, HIT_RATE)
"""In the order of the document; its completion time is two, for credits and for Stripe."""
