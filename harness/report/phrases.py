"""How single things are said in every view: an operation, a SQLSTATE, a number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SQLSTATES = {
    "08006": "connection lost",
    "22003": "number out of range",
    "22P02": "malformed value",
    "23502": "not-null violation",
    "23503": "foreign key violation",
    "23505": "unique violation",
    "23514": "check violation",
    "25P02": "transaction is aborted",
    "40001": "serialization failure",
    "40P01": "deadlock detected",
    "42501": "permission denied",
    "42P01": "no such table",
    "55P03": "lock not available",
    "57014": "statement cancelled",
    "57P01": "session terminated",
    "P0001": "exception raised",
    "P0002": "no such row",
    "P0004": "assertion failed",
}
"""PostgreSQL's error codes (manual, appendix A) in the words of its messages."""

_VALUE = re.compile(r"(\w+)=(\((?:[^()']|'[^']*')*\)|Decimal\('[^']*'\)|'[^']*'|[^,()]+)")


def operation(text: str) -> str:
    """``Buy(workspace='A', leads=('L1', 'L2'), purchase='p')`` as the sentences have it: ``Buy A L1+L2 p``."""
    name, paren, rest = text.partition("(")
    values = [_value(value) for _, value in _VALUE.findall(rest)]
    return " ".join([name, *values]) if paren else text


def _value(text: str) -> str:
    if text.startswith("("):
        return "+".join(re.findall(r"'([^']*)'", text)) or "nothing"
    text = re.sub(r"^Decimal\((.*)\)$", r"\1", text).strip("'")
    return "NULL" if text == "None" else text


def sqlstate(detail: str) -> str:
    """``40P01 deadlock detected`` from ``40P01``, or from a detail that has a message of its own."""
    code, _, message = detail.partition(" ")
    return f"{code} {message or SQLSTATES.get(code, 'error')}".strip()


_STRIKES = {
    "cancel": "cancels {}",
    "terminate": "terminates {}",
    "cut-before-send": "cuts {} off, unsent",
    "cut-after-send": "cuts {} off, sent",
    "error": "raises {} in {}",
    "lock-timeout": "lets {} wait for no lock",
}


def strike(fault: str, session: str) -> str:
    """``raises 40001 in alice`` from ``error 40001``; a fault of another kind is told as it is."""
    kind, _, sqlstate = fault.partition(" ")
    return _STRIKES.get(kind, f"{kind} {{}}").format(*([sqlstate] if sqlstate else []), session)


def label(text: str) -> str:
    """``refused:lead_reserved|busy`` as ``refused:lead_reserved or busy``."""
    return text.replace("|", " or ")


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 schedule``, ``4,334 schedules``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """Two digits that say something: ``22 %``, ``0.31 %``. The space does not break."""
    return f"{share * 100:.2g}\xa0%" if share < 0.995 else "100\xa0%"


def seconds(number: float) -> str:
    """``0.04 s``, ``42 s``, ``12 min``; never less than ``0.01 s``. The space does not break."""
    if number >= 600:
        return f"{number / 60:.0f}\xa0min"
    number = max(number, 0.01)
    return f"{number:.{0 if number >= 10 else 1 if number >= 1 else 2}f}\xa0s"


def bound(scenario: Mapping[str, Any]) -> str:
    """How far a scenario (an entry of the run document's ``scenarios``) was explored, in one word.

    ``all`` schedules, those of up to so many preemptions, or the share that sampling may miss; ``-`` for unknown.
    """
    match scenario["certificate"]:
        case "EXHAUSTED":
            return "all" if scenario["preemption_bound"] is None else f"{scenario['preemption_bound']}"
        case "SAMPLED" if scenario["miss_bound"] is not None:
            return percent(scenario["miss_bound"])
    return "-"
