"""What the harness itself does to a service under load, and whether that explains every error that clients saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.load.figures import Span

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
    """The errors that fall in no disturbance."""
    return [
        error
        for error in errors
        if not any(each.begin <= error.end and error.begin <= each.end + GRACE_S for each in disturbances)
    ]
