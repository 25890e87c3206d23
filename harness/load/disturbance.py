"""What the harness itself does to a service under load, and whether that explains every error that clients saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.load.figures import Span

TRY_AGAIN = 503
"""The one 5xx by which the API says that it could not reach its database."""

GRACE_S = 2.0
"""After a disturbance is over, errors may still come of it for so long: pools notice, requests in flight end."""


class Disturbance(NamedTuple):
    """From ``begin`` to ``end``, in seconds of CLOCK_MONOTONIC, something was taken away from the service."""

    kind: str
    """``kill`` (a backend was terminated) or ``crash`` (the server went down, and was up again at ``end``)."""
    begin: float
    end: float
    recovery_seconds: float | None = None
    """Of a crash: from the order to start again to the first answer."""


def unexplained(errors: Iterable[Span], disturbances: Sequence[Disturbance]) -> list[Span]:
    """The errors that fall in no disturbance, and those that none explains: other answers than 503."""
    return [
        error
        for error in errors
        if error.http not in (None, TRY_AGAIN)
        or not any(each.begin <= error.end and error.begin <= each.end + GRACE_S for each in disturbances)
    ]


def covered(disturbances: Iterable[Disturbance], begin: float, end: float) -> float:
    """The share of the time from ``begin`` to ``end`` in which an error would be explained."""
    seconds, upto = 0.0, begin
    for each in sorted(disturbances, key=lambda each: each.begin):
        until = min(end, each.end + GRACE_S)
        seconds += max(0.0, until - max(upto, each.begin))
        upto = max(upto, until)
    return seconds / (end - begin) if end > begin else 0.0
