"""The median of paired differences, with limits that hold however often one looks.

A sign test that may be looked at after every pair. That the median is at most m is bet against: with n differences, s
of them above m, the wealth of a gambler who spreads his stake evenly over every chance p from 1/2 to 1 that the next
one is above is the mean of 2^n p^s (1-p)^(n-s) over those p. Whatever the differences are, and whatever their noise,
that wealth is no more than 1 in the mean as long as the median is at most m, and by Ville's inequality it *ever*
reaches 1/alpha with a chance of at most alpha. (J. Ville, "Étude critique de la notion de collectif", 1939; for
intervals made of such bets S. R. Howard and A. Ramdas, "Sequential estimation of quantiles", Bernoulli 2022.) So a run
may end as soon as it knows enough, and no look has to be paid for.

All m that are not rejected lie between two of the differences in order: the interval is one of order statistics, as
that of the ordinary sign test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, inf
from statistics import median


@dataclass(frozen=True, slots=True)
class Interval:
    """Limits of a median. ``lower`` is greater than it with a chance of at most the alpha that it was made with, at any
    time whatever; likewise ``upper``. With too few differences they are infinite."""

    lower: float
    middle: float
    upper: float
    pairs: int


@cache
def decisive(pairs: int, alpha: float) -> int | None:
    """How many of so many differences must be above m, so that the median is not at most m. None: all would not do."""
    if pairs < 0 or not 0 < alpha < 1:
        raise ValueError((pairs, alpha))
    # The wealth in whole numbers: sum of C(n+1, k) for k <= s, over (n+1) C(n, s). It grows with s.
    below, wanted = 0, ceil(1 / alpha) * (pairs + 1)
    of_more = of_pairs = 1
    for above in range(pairs + 1):
        below += of_more
        if below >= wanted * of_pairs:
            return above
        of_more = of_more * (pairs + 1 - above) // (above + 1)
        of_pairs = of_pairs * (pairs - above) // (above + 1)
    return None


def interval(differences: Sequence[float], alpha_lower: float, alpha_upper: float) -> Interval:
    """The limits of the median of the differences so far. Raises ``ValueError`` without any."""
    if not differences:
        raise ValueError("no differences")
    ordered, count = sorted(differences), len(differences)
    low, high = decisive(count, alpha_lower), decisive(count, alpha_upper)
    return Interval(
        -inf if low is None else ordered[count - low],
        median(ordered),
        inf if high is None else ordered[high - 1],
        count,
    )
