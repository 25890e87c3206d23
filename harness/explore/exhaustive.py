"""Every schedule once, those with the fewest preemptions first.

Stateless search by iterative context bounding: M. Musuvathi and S. Qadeer, "Iterative Context Bounding for Systematic
Testing of Multithreaded Programs", PLDI 2007. All schedules without a preemption are run, then all with one, then two;
leaving a session that is blocked or done costs nothing, so even bound 0 holds every serial order.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from harness.explore.strategy import FOREVER, Diverged
from harness.words.schedule import Decision


class _Branches(NamedTuple):
    """What is left to try along one run that was made.

    One record per run, not one per alternative, and no Python object per step: some 350 bytes for twenty steps.
    """

    trace: bytes
    """The session of each step."""
    enabled: str
    """The number of the enabled set of each step, as a character: one byte each while there are at most 256 sets."""
    todo: array[int]
    """Position * 256 + session, ascending."""


class Exhaustive:
    """Depth-first enumeration of all distinct traces of a deterministic program, by preemption bound.

    A run replays a prefix and then goes on by default; each step after the prefix where another session could have
    run yields a new prefix, so that every trace is made exactly once. The order is a function of the program alone.
    ``bound`` is the greatest number of preemptions to try (None: no limit). At most 256 sessions.

    Memory grows with the runs made (the alternatives of the next bound), by one ``_Branches`` each.
    """

    name = "exhaustive"
    part = "exhaustive"

    def __init__(self, bound: int | None = None) -> None:
        self.bound = bound
        self.completed_bound: int | None = None
        """The greatest c such that every schedule with at most c preemptions was run; None before bound 0 is."""
        self.remaining = 1
        """Schedules that are known and were not run, those beyond ``bound`` and abandoned ones included."""
        self._level = 0
        self._root_is_open = True
        self._open: list[_Branches] = []
        self._deferred: list[_Branches] = []
        self._running = False
        self._abandoned = False
        self._numbers: dict[tuple[int, ...], int] = {}
        self._prefix = b""
        self._recorded = ""
        self._length = 0

    @property
    def complete(self) -> bool:
        """Every schedule was run, whatever its preemptions."""
        return self.remaining == 0

    def begin(self) -> bool:
        """Take the next prefix. A run that was begun and never ended stays in ``remaining``: nothing completes."""
        if self._running:
            self._abandoned = True
            self._next_level_if_done()
        if self._root_is_open:
            self._root_is_open = False
        elif self._open:
            trace, recorded, todo = self._open[-1]
            position, session = divmod(todo.pop(), 256)
            if not todo:
                self._open.pop()
            self._prefix = trace[:position] + bytes((session,))
            self._recorded = recorded[: position + 1]
        else:
            self._running = False
            return False
        self._running = True
        self._length = len(self._prefix)
        return True

    def choose(self, position: int, enabled: tuple[int, ...], current: int | None) -> int:
        """The prefix, then the default. Raises ``Diverged`` when a session of the prefix is not enabled."""
        if position < self._length:
            wanted = self._prefix[position]
            if wanted in enabled:
                return wanted
            raise Diverged(position, wanted, enabled, self._recorded_at(position))
        # words.schedule.default_choice written out: a call would double the cost of a step.
        return current if current is not None and current in enabled else enabled[0]

    def stretch(self, position: int, _enabled: tuple[int, ...], chosen: int) -> int:
        prefix = self._prefix
        for further in range(position, self._length):
            if prefix[further] != chosen:
                return further - position
        return FOREVER

    def end(self, decisions: Sequence[Decision]) -> None:
        """Note the alternatives of the run. Raises ``Diverged`` when it was not the run that the prefix had shown."""
        numbers = self._numbers
        seen = "".join([chr(numbers.setdefault(decision.enabled, len(numbers))) for decision in decisions])
        if not seen.startswith(self._recorded):
            self._raise_first_difference(seen, decisions)
        trace = bytes([decision.chosen for decision in decisions])
        same_level, next_level = array("I"), array("I")
        for position in range(self._length, len(decisions)):
            enabled, current, chosen = decisions[position]
            if len(enabled) > 1:
                todo = next_level if current in enabled else same_level
                todo.extend([position << 8 | session for session in enabled if session != chosen])
        self.remaining += len(same_level) + len(next_level) - 1
        if same_level:
            self._open.append(_Branches(trace, seen, same_level))
        if next_level and self._level != self.bound:
            self._deferred.append(_Branches(trace, seen, next_level))
        self._running = False
        self._next_level_if_done()

    def _next_level_if_done(self) -> None:
        if self._open:
            return
        if not self._abandoned:
            self.completed_bound = self._level
        if self._deferred:
            self._level += 1
            self._open, self._deferred = self._deferred[::-1], []

    def _recorded_at(self, position: int) -> tuple[int, ...]:
        return list(self._numbers)[ord(self._recorded[position])]

    def _raise_first_difference(self, seen: str, decisions: Sequence[Decision]) -> None:
        position = next(
            (i for i, (was, now) in enumerate(zip(self._recorded, seen, strict=False)) if was != now), len(seen)
        )
        enabled = decisions[position].enabled if position < len(decisions) else ()
        raise Diverged(position, self._prefix[position], enabled, self._recorded_at(position))
