"""What the engine needs of a stage: the protocol between those who decide and those who speak to a server.

``harness.db.stage`` implements it on PostgreSQL; the engine's own tests implement it in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol


class SessionState(IntEnum):
    """Where a session is. A run is settled when no session is RUNNING."""

    READY = 0
    """At a scheduling point: inside a function, or on the client before a round trip."""
    RUNNING = 1
    BLOCKED = 2
    """The server confirmed that it waits for a lock of another session."""
    DONE = 3


FOREIGN = -1
"""A blocker that is no session of the run (an autovacuum worker, somebody else's transaction)."""


class Struck(NamedTuple):
    """What a nemesis has struck: the session, by which fault, and where it stood."""

    target: int
    fault: str
    point: int
    """The point inside a function that it had come to last, or ``CLIENT_POINT``."""
    statement: str
    """What its client had sent last, or was about to send."""
    waiting: bool
    """It waited for a lock."""


class Actor(Protocol):
    """One session of a run."""

    state: SessionState
    point: int
    """Where it is while READY: the id of the point inside a function, or ``CLIENT_POINT``, or ``FAULT_POINT``."""
    error: str
    """SQLSTATE of the statement that failed last, else empty. The engine clears it."""

    cycle: tuple[int, ...]
    """With ``error`` 40P01: the sessions that waited for one another, by the server's report, its victim first. The
    engine clears it."""

    passed: list[int]
    """The points that it announced since it last took a step: those that it passed, and the one where it stands now."""

    sent: str
    """What it has sent to the server since the engine cleared this."""
    entered: int
    """The first point of the function that it entered in the same step in which it called it, else 0."""
    struck: Struck | None
    """The session that its last step struck, for a nemesis that found something to strike. The engine clears it."""
    at_gate: bool
    """True while it stands at a point inside a function."""

    def advance(self, steps: int) -> None:
        """Let it take its next step and, while it arrives at points inside a function, up to ``steps`` in a row."""


CLIENT_POINT = -1
FAULT_POINT = -2

DEADLOCK_DETECTED = "40P01"


class Stage(Protocol):
    """Sessions on a server, and the evidence that the server gives about them."""

    @property
    def actors(self) -> Sequence[Actor]: ...

    @property
    def deadlock_timeout_s(self) -> float:
        """The server's setting, seconds."""

    def pump(self, timeout_s: float) -> bool:
        """Wait until something arrives from the server, at most so long, and let the sessions take it.

        True when a session left RUNNING or BLOCKED.
        """

    def blockers(self, sessions: Sequence[int]) -> Mapping[int, tuple[int, ...]]:
        """For each session: who blocks it now, by the server's word. Empty for one that waits for no lock."""

    def hold(self, session: int) -> None:
        """A blocked session must stop at its next point when it is woken, however many steps it had been given."""

    @property
    def can_freeze(self) -> bool:
        """Whether this stage can stop a backend where it is; else two waiters make a run nondeterministic."""

    def freeze(self, session: int) -> None:
        """Stop the backend of a blocked session where it is."""

    def thaw(self, session: int) -> None: ...

    def picture(self) -> str:
        """The locks and activities of all sessions as text: evidence for a hang."""
