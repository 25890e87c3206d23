"""How much of a scenario a campaign explored, in three values that never claim more than was run."""

from __future__ import annotations

from dataclasses import dataclass

from harness.db.plan import Plan
from harness.words.verdict import Certificate

ENOUGH_PREEMPTIONS = 2
"""Most concurrency bugs need no more (Musuvathi and Qadeer, PLDI 2007): the bound that verify aims to complete."""


@dataclass(frozen=True, slots=True)
class Explored:
    """``bound`` is the preemption bound that was completed (None: no limit) when the certificate is EXHAUSTED.

    ``miss_bound`` is, for SAMPLED, the upper end of the 95 % interval for the share of violating schedules among those
    that the samplers draw, none having been seen.
    """

    certificate: Certificate
    bound: int | None = None
    miss_bound: float | None = None

    def __str__(self) -> str:
        match self.certificate:
            case Certificate.EXHAUSTED:
                limit = "every schedule" if self.bound is None else f"every schedule of up to {self.bound} preemptions"
                return f"EXHAUSTED ({limit})"
            case Certificate.SAMPLED:
                share = "" if self.miss_bound is None else f", misses at most {self.miss_bound:.2%} of what it samples"
                return f"SAMPLED{share}"
            case _:
                return "INCONCLUSIVE"


def certify(
    *,
    complete: bool,
    completed_bound: int | None,
    sampled: bool,
    miss: float | None,
    opaque: bool,
    broken_off: bool,
    wanted: int = ENOUGH_PREEMPTIONS,
) -> Explored:
    """``sampled``: some schedules were drawn by samplers, and ``miss`` is what that leaves credible. ``wanted`` is the
    preemption bound that was asked for.

    With an opaque place nothing is exhausted (there may be interleavings inside it), and a campaign that was broken off
    by a hang or a divergence proves nothing.
    """
    if broken_off:
        return Explored(Certificate.INCONCLUSIVE)
    if completed_bound is None:
        # No enumeration, or not even its first bound.
        return Explored(Certificate.SAMPLED, miss_bound=miss) if sampled else Explored(Certificate.INCONCLUSIVE)
    if not opaque and complete:
        return Explored(Certificate.EXHAUSTED)
    if not opaque and (completed_bound >= wanted or (completed_bound >= 1 and not sampled)):
        return Explored(Certificate.EXHAUSTED, bound=completed_bound)
    if sampled or completed_bound >= 1:
        return Explored(Certificate.SAMPLED, miss_bound=miss)
    return Explored(Certificate.INCONCLUSIVE)


def opaque_places(plan: Plan, isolation: str) -> tuple[str, ...]:
    """Where steps cannot be told apart, or not at this isolation level, and why."""
    places = [f"{place.where}: {place.reason}" for place in plan.opaque]
    if isolation != "read committed":
        # Above it a transaction has one snapshot, and a point, being a command, takes it before it waits.
        places += [
            f"{point.function} line {point.line}: what follows {point.kind} has its snapshot before it comes to a point"
            for point in plan.points
            if point.kind in ("commit", "rollback")
        ]
    return tuple(places)
