"""What the harness says when it cannot go on.

Every error that a user can meet holds what was seen, what was expected and what to do next, a stable slug that
the docs explain, and the exit code of the process. ``str(error)`` is the one line that the command prints.
"""

from __future__ import annotations

from enum import IntEnum
from functools import partial
from typing import Any


class ExitCode(IntEnum):
    """How every command of the harness ends (README, "Exit codes")."""

    HOLDS = 0
    VIOLATED = 1
    USAGE = 2
    COULD_NOT_RUN = 3
    REGRESSION = 4
    NOT_EXERCISED = 5
    INCONCLUSIVE = 6


class HarnessError(Exception):
    """Base of the errors that are for users: printed as one line, never as a traceback.

    ``slug`` names the kind of error in the docs; ``remedy`` says what to do next.
    """

    exit_code = ExitCode.COULD_NOT_RUN

    def __init__(self, slug: str, seen: str, *, expected: str = "", remedy: str = "") -> None:
        self.slug = slug
        self.seen = seen
        self.expected = expected
        self.remedy = remedy
        super().__init__(slug, seen, expected, remedy)

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments need help to cross from a worker process.
        return partial(type(self), expected=self.expected, remedy=self.remedy), (self.slug, self.seen)

    def __str__(self) -> str:
        parts = [self.seen]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.remedy:
            parts.append(self.remedy)
        return "; ".join(part.rstrip(".;") for part in parts) + f" [{self.slug}]"


class UsageError(HarnessError):
    """A wrong option, file, DSN, subject or SQL: exit 2."""

    exit_code = ExitCode.USAGE


class CouldNotRun(HarnessError):
    """The machine or the server did not let us run: exit 3."""

    exit_code = ExitCode.COULD_NOT_RUN
