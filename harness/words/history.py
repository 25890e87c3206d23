"""Histories: what the clients asked, what they were told, and what was there in the end.

The words are Jepsen's and TigerBeetle's: an operation ends ok, refused, busy, failed or *unknown*; a history orders
the invocations and the returns; whoever makes the load never judges it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How an operation ended, as its client saw it."""

    OK = "ok"
    REFUSED = "refused"
    """A clear no with a reason; nothing was changed."""
    BUSY = "busy"
    """Try again (55P03 lock_not_available, 40001 serialization_failure, 40P01 deadlock_detected); nothing changed."""
    FAILED = "failed"
    """An error (cancelled, constraint, crash of the statement); the server said that nothing was changed."""
    UNKNOWN = "unknown"
    """The client does not know: the connection went away between the request and the answer."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the client was told.

    ``code`` is the refusal's word (``lead_unavailable``) or the SQLSTATE, ``value`` the answer.
    """

    status: Status
    code: str = ""
    value: tuple[tuple[str, Any], ...] = ()

    def __getitem__(self, key: str) -> Any:
        return dict(self.value)[key]

    def get(self, key: str, default: Any = None) -> Any:
        return dict(self.value).get(key, default)


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of a history, with its place in the event order.

    ``invoked`` and ``returned`` are step numbers: an operation that returned before another was invoked precedes it
    in real time. ``returned`` is None when the client never got an answer. One of which the client does not know how it
    ended precedes nothing: the server may still be at it.
    """

    session: int
    operation: Any
    invoked: int
    returned: int | None
    result: Result

    def precedes(self, other: Call) -> bool:
        if self.returned is None or self.result.status is Status.UNKNOWN:
            return False
        return self.returned < other.invoked

    def overlaps(self, other: Call) -> bool:
        return not self.precedes(other) and not other.precedes(self)


class EventKind(StrEnum):
    """What a lane of a report can show."""

    POINT = "point"
    """The session reached a scheduling point (inside a function, or on the client before a round trip)."""
    WAIT = "wait"
    """The server confirmed that the session waits for a lock of another session."""
    WAKE = "wake"
    DEADLOCK = "deadlock"
    INVOKE = "invoke"
    RETURN = "return"
    ERROR = "error"
    """A statement of the session ended in an error; ``detail`` has the SQLSTATE and the message."""
    FAULT = "fault"
    """A nemesis struck the session in ``peers``; ``detail`` says how."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: at step ``step``, to ``session``.

    ``detail`` is text for people (a function and line, an SQLSTATE); ``peers`` the sessions that block this one.
    """

    step: int
    session: int
    kind: EventKind
    detail: str = ""
    peers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """A run as the checkers see it: the calls, the events, the state before and after."""

    calls: tuple[Call, ...]
    start: Any
    final: Any
    events: tuple[Event, ...] = ()
    leaks: tuple[str, ...] = ()
    """What the run left behind on the server, where somebody looked."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """How often each interesting thing happened: wait, wake, deadlock, conflict, rollback, replay, fault."""
