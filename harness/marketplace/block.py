"""Blocks: what runs at once in a longer history, and under which schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.marketplace.operations import Operation
from harness.words.fault import Fault
from harness.words.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Nemesis:
    """A session with one step: it strikes the named session, wherever that is at that moment.

    Explored over all schedules, it strikes at every step in turn.
    """

    session: str
    fault: Fault


Sessions = Mapping[str, Sequence[Operation] | Nemesis]
"""The name of each session to its program; sessions are numbered in this order."""


@dataclass(frozen=True, slots=True)
class Block:
    """Sessions that run together until all are done; the next block starts when this one has ended."""

    sessions: Sessions
    schedule: Schedule = ()

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Every operation, session by session."""
        return operations_of(self.sessions)

    @property
    def outline(self) -> tuple[object, ...]:
        """What decides how it runs, in values with a stable ``repr``."""
        return outline(self.sessions), tuple(map(tuple, self.schedule))


def alone(operation: Operation, session: str = "client") -> Block:
    """One operation with nobody beside it."""
    return Block({session: (operation,)})


def operations_of(sessions: Sessions) -> tuple[Operation, ...]:
    """Every operation of these sessions, session by session."""
    return tuple(
        operation for program in sessions.values() if not isinstance(program, Nemesis) for operation in program
    )


def outline(sessions: Sessions) -> list[tuple[str, object]]:
    """Sessions as values with a stable ``repr``."""
    return [(name, program if isinstance(program, Nemesis) else tuple(program)) for name, program in sessions.items()]
