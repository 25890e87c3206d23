"""Verdicts and certificates: what a run proves, in words that never say more than was explored."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.words.errors import ExitCode


class Verdict(StrEnum):
    """What is said of one property on one subject."""

    HOLDS = "holds"
    VIOLATED = "violated"
    NONDETERMINISTIC = "nondeterministic"
    HANG = "hang"
    NOT_EXERCISED = "not_exercised"
    NOT_APPLICABLE = "not_applicable"


OF_CODE = {
    ExitCode.HOLDS: "holds",
    ExitCode.VIOLATED: "violated",
    ExitCode.COULD_NOT_RUN: "could_not_run",
    ExitCode.REGRESSION: "slower",
    ExitCode.NOT_EXERCISED: "not_exercised",
    ExitCode.INCONCLUSIVE: "inconclusive",
}
"""The verdict of a run document whose command ends with this code."""


class Certificate(StrEnum):
    """How much of a scenario was explored. Fails closed: anything opaque or unfinished is not EXHAUSTED."""

    EXHAUSTED = "EXHAUSTED"
    """Every schedule (within the stated preemption bound) was executed."""
    SAMPLED = "SAMPLED"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class Violation:
    """One property broken by one history. ``why`` is one sentence; ``guilty`` names the values that show it."""

    property: str
    why: str
    guilty: tuple[tuple[str, str], ...] = ()
