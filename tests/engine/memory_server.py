"""A server in memory: backends on a clock of their own, with row locks like PostgreSQL's.

A statement is a list of actions, done one after the other: ``"7"`` is scheduling point 7, ``"+x"`` takes row x until
the statement is over (and waits for it), ``"?x"`` takes it or fails with 55P03, ``"-x"`` gives it back, ``"!22012"``
fails, ``"~"`` never ends, ``"^"`` waits for a stranger's lock. A function of the data may change them, and returns
the actions to do next.

As on a heap, a row has two locks: the first who waits holds the right to be next while waiting for the owner's
transaction, the others wait for that right. So a waiter can be woken only to wait again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness.words.stage import FOREIGN

Data = dict[str, int]
Action = str | Callable[[Data], "Statement | None"]
Statement = Sequence[Action]
Latency = Callable[[], float]
"""How long the next thing takes, seconds."""

CHECK_S = 0.00005
"""How long a backend is in its deadlock check, with all locks of the server locked."""


@dataclass(frozen=True)
class Message:
    """To a client: the point that its session passes, or where it stops (``gate``), or the answer with its SQLSTATE."""

    kind: str
    point: int = 0
    sqlstate: str = ""
    cycle: tuple[int, ...] = ()


@dataclass(eq=False)
class Row:
    """Its owner, who is next, and who waits to be next."""

    owner: Backend | None = None
    first: Backend | None = None
    queue: list[Backend] = field(default_factory=list)


@dataclass(eq=False)
class Backend:
    """One session's process. ``due`` is when it does its next action, ``checks`` when it looks for a deadlock."""

    number: int
    todo: list[Action] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    due: float = math.inf
    checks: float = math.inf
    checked: float = -math.inf
    frozen: bool = False
    stuck: bool = False
    """Frozen inside its deadlock check, which locks the whole server out."""
    turn: int = 0
    stop: int = 1
    wanted: str = ""
    """The row it wants."""
    waits: bool = False
    """For the row it wants; False as soon as it is woken."""
    by_stranger: bool = False
    messages: list[Message] = field(default_factory=list)


class Server:
    """Whoever may run does so in the order of time; ``latency`` is drawn for every action.

    With ``one_at_a_time`` it fails when two sessions are under way at once, none of them frozen.
    """

    def __init__(self, sessions: int, latency: Latency, deadlock_timeout_s: float, *, one_at_a_time: bool) -> None:
        self.now = 0.0
        self.data: Data = {}
        self.backends = [Backend(number) for number in range(sessions)]
        self._latency = latency
        self._one_at_a_time = one_at_a_time
        self._deadlock_timeout_s = deadlock_timeout_s
        self._rows: dict[str, Row] = {}

    def elapse(self, seconds: float, *, listen: bool = False) -> None:
        """Let time pass; when listening only until somebody says something."""
        end = self.now + seconds
        while not (listen and any(backend.messages for backend in self.backends)):
            awake = [backend for backend in self.backends if not backend.frozen]
            soonest = min(awake, key=lambda backend: min(backend.due, backend.checks), default=None)
            if soonest is None or min(soonest.due, soonest.checks) > end:
                self.now = end
                return
            self.now = max(self.now, min(soonest.due, soonest.checks))
            self._go_on(soonest)

    def send(self, backend: Backend, statement: Statement) -> None:
        backend.todo = list(statement)
        self.wake(backend)

    def wake(self, backend: Backend) -> None:
        backend.due = self.now + self._latency()

    def blockers(self, backend: Backend) -> tuple[int, ...]:
        """The numbers of those for whom it waits."""
        assert not any(other.stuck for other in self.backends), "a backend is frozen inside its deadlock check"
        if backend.by_stranger:
            return (FOREIGN,)
        if not backend.waits:
            return ()
        row = self._rows[backend.wanted]
        if row.first is backend:
            assert row.owner is not None
            return (row.owner.number,)
        assert row.first is not None
        ahead = row.queue[: row.queue.index(backend)]
        return tuple(sorted(other.number for other in (row.first, *ahead)))

    def freeze(self, backend: Backend) -> None:
        assert self.blockers(backend), "frozen while it runs"
        backend.frozen = True
        backend.stuck = backend.checked + CHECK_S > self.now

    def thaw(self, backend: Backend) -> None:
        backend.frozen = backend.stuck = False

    def end(self, backend: Backend, sqlstate: str = "", cycle: tuple[int, ...] = ()) -> None:
        """The end of its statement, and of all that it had locked."""
        if backend.wanted:
            row = self._rows[backend.wanted]
            if row.first is backend:
                self._pass_on(row)
            elif backend in row.queue:
                row.queue.remove(backend)
        backend.wanted, backend.waits, backend.by_stranger, backend.checks = "", False, False, math.inf
        backend.todo = []
        backend.due = math.inf
        while backend.rows:
            self._release(backend, backend.rows[-1])
        backend.messages.append(Message("answer", sqlstate=sqlstate, cycle=cycle))

    # -- what backends do -------------------------------------------------------------------------------------

    def _go_on(self, backend: Backend) -> None:
        if backend.checks <= backend.due:
            backend.checks, backend.checked = math.inf, self.now
            if cycle := self._cycle_through(backend):
                self.end(backend, "40P01", cycle)
            return
        others = [other.number for other in self.backends if other is not backend and not other.frozen]
        if self._one_at_a_time:
            assert all(self.backends[number].due == math.inf for number in others), "two sessions act at once"
        backend.due = math.inf
        if backend.wanted:
            self._take(backend, backend.wanted)
            return
        if not backend.todo:
            self.end(backend)
            return
        self._do(backend, backend.todo.pop(0))

    def _do(self, backend: Backend, action: Action) -> None:
        if not isinstance(action, str):
            backend.todo[:0] = action(self.data) or ()
        elif action.isdigit():
            backend.turn += 1
            backend.messages.append(Message("gate" if backend.turn == backend.stop else "point", int(action)))
            if backend.turn == backend.stop:
                return
        elif action[0] == "+":
            self._take(backend, action[1:])
            return
        elif action[0] == "?":
            row = self._rows.setdefault(action[1:], Row())
            if row.owner not in (None, backend):
                self.end(backend, "55P03")
                return
            self._take(backend, action[1:])
            return
        elif action[0] == "-":
            self._release(backend, action[1:])
        elif action[0] == "!":
            self.end(backend, action[1:])
            return
        else:
            backend.by_stranger = action == "^"
            return
        self.wake(backend)

    def _take(self, backend: Backend, name: str) -> None:
        row = self._rows.setdefault(name, Row())
        if row.owner in (None, backend):
            backend.wanted = ""
            if row.owner is None:
                row.owner = backend
                backend.rows.append(name)
            if row.first is backend:
                self._pass_on(row)
            self.wake(backend)
            return
        backend.wanted, backend.waits = name, True
        backend.checks = self.now + self._deadlock_timeout_s
        if row.first is None:
            row.first = backend
        elif row.first is not backend:
            row.queue.append(backend)

    def _pass_on(self, row: Row) -> None:
        """Give the right to be next to the one who has waited longest for it."""
        row.first = row.queue.pop(0) if row.queue else None
        if row.first is not None:
            self._grant(row.first)

    def _release(self, backend: Backend, name: str) -> None:
        row = self._rows[name]
        row.owner = None
        backend.rows.remove(name)
        if row.first is not None and row.first.waits:
            self._grant(row.first)

    def _grant(self, backend: Backend) -> None:
        backend.waits = False
        self.wake(backend)

    def _cycle_through(self, backend: Backend) -> tuple[int, ...]:
        """Who waits for whom in a circle, this backend first; empty when there is none."""
        path: list[int] = []

        def search(number: int) -> bool:
            path.append(number)
            for other in self.blockers(self.backends[number]):
                if other == backend.number or (other not in (*path, FOREIGN) and search(other)):
                    return True
            path.pop()
            return False

        return tuple(path) if search(backend.number) else ()
