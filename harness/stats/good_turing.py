"""How much more could there be: what the outcomes that were seen once say about those that were not seen.

I. J. Good, "The Population Frequencies of Species and the Estimation of Population Parameters", Biometrika 1953 (the
idea is Turing's): the chance that the next draw is something new is about the share of draws that were seen only once.
The number of unseen kinds is estimated, from below, after A. Chao, "Nonparametric Estimation of the Number of Classes
in a Population", Scandinavian Journal of Statistics 1984. M. Böhme, "STADS: Software Testing as Species Discovery",
TOSEM 2018, applies both to testing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unseen:
    """Estimates, not limits; they presume independent draws of one distribution (one sampler, as in ``miss_bound``)."""

    draws: int
    kinds: int
    """Distinct outcomes that were seen."""
    singletons: int
    """Outcomes that were seen once."""
    doubletons: int
    """Outcomes that were seen twice."""

    @property
    def new_next(self) -> float:
        """The chance (0 to 1) that the next draw is an outcome not seen so far: singletons / draws. Without draws 1."""
        return self.singletons / self.draws if self.draws else 1.0

    @property
    def unseen_kinds(self) -> float:
        """About how many outcomes, at least, were not seen: Chao's f1 (f1 - 1) / (2 (f2 + 1)), with bias correction.

        It falls short when some outcomes are much rarer than others, and means little while most were seen only once.
        """
        return self.singletons * (self.singletons - 1) / (2 * (self.doubletons + 1))


def unseen(counts: Iterable[int]) -> Unseen:
    """From how often each outcome was seen (``Counter(...).values()``); those with 0 are left out."""
    seen = [count for count in counts if count]
    if any(count < 0 for count in seen):
        raise ValueError(seen)
    return Unseen(sum(seen), len(seen), seen.count(1), seen.count(2))
