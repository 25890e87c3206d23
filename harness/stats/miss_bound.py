"""How many violating schedules can there be when none was found: the upper end of an exact binomial interval.

C. J. Clopper and E. S. Pearson, "The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial",
Biometrika 1934. With no violation in n draws the one-sided limit has a closed form, the p with
(1 - p)^n = 1 - confidence; at 95 % that is just below 3 / n ("rule of three").
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from math import expm1, log1p


def miss_bound(draws: int, confidence: float = 0.95) -> float:
    """The greatest share of violating draws (0 to 1) that ``draws`` draws without a violation leave credible.

    A share above it would have shown at least one violation with a chance of at least ``confidence``. The draws must be
    independent and of one distribution. Without draws the share can be anything: 1.
    """
    if draws < 0 or not 0 < confidence < 1:
        raise ValueError((draws, confidence))
    return -expm1(log1p(-confidence) / draws) if draws else 1.0


@dataclass(frozen=True, slots=True)
class Sampled:
    """What one sampler drew without finding a violation.

    ``draws`` counts the runs, repeated traces included, for those are what the bound is about: the chance that one more
    draw *of this sampler* violates. It says nothing about schedules that the sampler makes rarely or never, and of the
    share of all schedules only when the sampler is uniform (``urw`` without blocking). ``distinct`` counts the
    traces; it says how much was seen and enters no bound. Neither runs of an enumeration nor those of another sampler
    may be counted in. A sampler that learns lengths from its first runs is of one distribution only after them.
    """

    sampler: str
    draws: int
    distinct: int

    def __post_init__(self) -> None:
        if not 0 <= self.distinct <= self.draws or (self.distinct == 0) != (self.draws == 0):
            raise ValueError(self)

    def bound(self, confidence: float = 0.95) -> float:
        return miss_bound(self.draws, confidence)

    def __str__(self) -> str:
        # Rounded up: the sentence must not promise more than the bound.
        percent = Context(prec=2, rounding=ROUND_CEILING).create_decimal_from_float(100 * self.bound())
        return (
            f"{self.draws} draws of {self.sampler} ({self.distinct} distinct) without a violation: "
            f"at most {percent:f} % of its draws violate (95 % confidence)"
        )
