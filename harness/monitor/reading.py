"""What was read of one metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from harness.monitor.threshold import Grade, Threshold


@dataclass(frozen=True, slots=True)
class Reading:
    """``value`` is None where nothing could be read, and ``reason`` says why; ``failed`` if it was asked for.

    ``counted`` says how many requests, deliveries or purchases the value is of, ``figures`` what else was counted,
    ``leads`` which ones (the first few) are wrong. ``worst`` is as ``Threshold.grade`` has it.
    """

    threshold: Threshold
    value: float | None = None
    worst: float | None = None
    counted: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    leads: tuple[str, ...] = ()
    reason: str = ""
    failed: bool = False
    looked: bool = True

    @classmethod
    def not_asked(cls, threshold: Threshold, reason: str) -> Self:
        """Nobody wanted to know."""
        return cls(threshold, reason=reason, looked=False)

    @classmethod
    def not_had(cls, threshold: Threshold, reason: str) -> Self:
        """It was asked for, and could not be had."""
        return cls(threshold, reason=reason, looked=False, failed=True)

    def left_out(self, reason: str) -> Reading:
        """Its figures, which nobody wants judged."""
        return replace(self, value=None, worst=None, leads=(), reason=reason, failed=False, looked=False)

    @property
    def grade(self) -> Grade:
        """Never a pass without data."""
        if not self.looked:
            return Grade.NOT_MEASURED
        if self.value is None:
            return Grade.NO_DATA
        return self.threshold.grade(self.value, self.worst)
