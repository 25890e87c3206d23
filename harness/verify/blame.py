"""Answers that a fault brought about: to try again, or a refusal in no words of the contract, has a cause then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.words.fault import FaultKind
from harness.words.history import Call, Event, EventKind, Status

_ERRORS = (FaultKind.ERROR, FaultKind.LOCK_TIMEOUT)


def blame_faults(calls: Sequence[Call], events: Sequence[Event]) -> tuple[Call, ...]:
    """The same calls; one that a fault failed, and that says so by *busy* or *raised*, counts as failed.

    It must have had no effect, like any that failed, and nobody needs to have been in its way.
    """
    struck = [
        (event.peers[0], event.step)
        for event in events
        if event.kind is EventKind.FAULT and event.detail.partition(" ")[0] in _ERRORS
    ]
    if not struck:
        return tuple(calls)
    return tuple(_blamed(call) if any(_is_in(call, *place) for place in struck) else call for call in calls)


def _is_in(call: Call, session: int, step: int) -> bool:
    return call.session == session and call.invoked <= step and (call.returned is None or step <= call.returned)


def _blamed(call: Call) -> Call:
    result = call.result
    if result.status is Status.BUSY or (result.status is Status.REFUSED and result.code == "raised"):
        return replace(call, result=replace(result, status=Status.FAILED))
    return call
