"""The parts of a gate, and what came of each: it ran, it could not, or there was nothing for it to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from harness.words.errors import ExitCode

TESTS, VERIFY, FAULTS, LOAD, COMPARE = NAMES = ("tests", "verify", "faults", "load", "compare")
"""In the order in which they run: what tells most about a mistake comes first."""

WHOLE = (TESTS, LOAD, COMPARE)
"""Parts that are not sharded: the first shard does them."""

GRAVEST_FIRST = (
    ExitCode.VIOLATED,
    ExitCode.COULD_NOT_RUN,
    ExitCode.REGRESSION,
    ExitCode.NOT_EXERCISED,
    ExitCode.INCONCLUSIVE,
    ExitCode.HOLDS,
)


class Status(StrEnum):
    """Whether a part ran."""

    RAN = "ran"
    NOT_RUN = "not_run"
    """It was to run and could not: that is no pass."""
    LEFT_OUT = "left_out"
    """There was nothing for it to do, or it was not wanted; ``why`` says which."""


@dataclass(frozen=True, slots=True)
class Part:
    """What came of one part. ``document`` is its run document, for the tests that of ``project_tests``.

    ``budget_s`` is what it was given, ``seconds`` what it took.
    """

    name: str
    status: Status
    why: str = ""
    budget_s: float | None = None
    seconds: float = 0.0
    document: Mapping[str, Any] | None = None

    @property
    def exit_code(self) -> ExitCode | None:
        """What it says of the whole; None: nothing."""
        if self.status is Status.LEFT_OUT:
            return None
        return ExitCode.COULD_NOT_RUN if self.document is None else ExitCode(self.document["exit_code"])

    @property
    def entry(self) -> dict[str, Any]:
        """The part as a run document has it."""
        code = self.exit_code
        return {
            "part": self.name,
            "status": self.status.value,
            "verdict": None if self.document is None else self.document["verdict"],
            "exit_code": None if code is None else int(code),
            "why": self.why,
            "budget_seconds": None if self.budget_s is None else round(self.budget_s, 3),
            "seconds": round(self.seconds, 3),
            "document": None if self.document is None else dict(self.document),
        }


def gravest(codes: list[ExitCode]) -> ExitCode:
    """The code of the whole: what is broken goes before what could not run, and that before what is slower."""
    return next(code for code in GRAVEST_FIRST if code in codes)
