"""Faults: what can go wrong at a step, and how it is named in scenarios, files and reports."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """The ways in which a nemesis strikes."""

    CANCEL = "cancel"
    """The statement is cancelled, at a point inside a function or in a lock wait."""
    TERMINATE = "terminate"
    """The backend is terminated, wherever it is: at a point, in a lock wait, idle."""
    CUT_BEFORE_SEND = "cut-before-send"
    """The client's connection is lost just before it sends its next statement."""
    CUT_AFTER_SEND = "cut-after-send"
    """The client's connection is lost after it has sent, before the answer: the server goes on, a ghost."""
    ERROR = "error"
    """A point inside a function raises an error, which the function can catch."""
    LOCK_TIMEOUT = "lock-timeout"
    """From a point inside a function to the next one, whatever has to wait for a lock fails with 55P03."""


_SQLSTATE = re.compile(r"(?!00)[0-9A-Z]{5}")


@dataclass(frozen=True, slots=True)
class Fault:
    """``sqlstate`` belongs to an ``ERROR`` alone. Raises ``ValueError`` where it is missing, or is none."""

    kind: FaultKind
    sqlstate: str = ""

    def __post_init__(self) -> None:
        if (self.kind is FaultKind.ERROR) != bool(self.sqlstate):
            raise ValueError("an error has a SQLSTATE, and no other fault has")
        if self.sqlstate and not _SQLSTATE.fullmatch(self.sqlstate):
            raise ValueError(
                f"{self.sqlstate!r} is no SQLSTATE of an error: five digits and capital letters, not 00..."
            )

    def __str__(self) -> str:
        return f"{self.kind} {self.sqlstate}".strip()

    @property
    def breaks_connection(self) -> bool:
        """Whether the client goes on, if it does, on another connection."""
        return self.kind in (FaultKind.TERMINATE, FaultKind.CUT_BEFORE_SEND, FaultKind.CUT_AFTER_SEND)


CANCEL = Fault(FaultKind.CANCEL)
TERMINATE = Fault(FaultKind.TERMINATE)
CUT_BEFORE_SEND = Fault(FaultKind.CUT_BEFORE_SEND)
CUT_AFTER_SEND = Fault(FaultKind.CUT_AFTER_SEND)
LOCK_TIMEOUT = Fault(FaultKind.LOCK_TIMEOUT)


def error(sqlstate: str) -> Fault:
    """The fault that raises an error with this SQLSTATE."""
    return Fault(FaultKind.ERROR, sqlstate)


@dataclass(frozen=True, slots=True)
class Strike:
    """In the cast of a run: who strikes session number ``target``, and how."""

    target: int
    fault: Fault = CANCEL
