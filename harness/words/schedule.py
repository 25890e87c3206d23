"""Schedules and traces: who takes the next step.

A *session* is one client program, numbered from 0 in the order in which its scenario lists it. A *step* is what a
session does between two scheduling points. A *schedule* is what a strategy asks for; a *trace* is what was run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Switch(NamedTuple):
    """At step ``position`` (from 0) run ``session`` instead of the default.

    The default is to go on with the session that ran last, and when that one is blocked or done, with the enabled
    session of the lowest number.
    """

    position: int
    session: int


Schedule = tuple[Switch, ...]
"""A sparse list of switches in ascending position. A switch to a session that is not enabled is skipped, so that every
list is a valid schedule (and shrinking can drop any part of it)."""


class Decision(NamedTuple):
    """One choice of a run: who was enabled, who had run last (None at first), who was chosen."""

    enabled: tuple[int, ...]
    current: int | None
    chosen: int


def default_choice(enabled: Sequence[int], current: int | None) -> int:
    """The session that runs when nobody asks for another: the current one, else the lowest enabled."""
    return current if current is not None and current in enabled else enabled[0]


def is_preemption(decision: Decision) -> bool:
    """True when the session that ran last could have gone on and another was chosen (CHESS, PLDI 2007)."""
    return decision.current is not None and decision.chosen != decision.current and decision.current in decision.enabled


def count_preemptions(decisions: Iterable[Decision]) -> int:
    """How often a session that could have gone on was left."""
    return sum(map(is_preemption, decisions))


def switches_of(decisions: Sequence[Decision]) -> Schedule:
    """The sparse schedule that makes exactly these decisions again."""
    return tuple(
        Switch(position, decision.chosen)
        for position, decision in enumerate(decisions)
        if decision.chosen != default_choice(decision.enabled, decision.current)
    )
