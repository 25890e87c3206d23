"""Does one given order of commits explain a history? One scan, however long the history is.

A database that says in which order it committed leaves nothing to search: the operations that committed are taken in
that order, and every other one (a refusal, a read, a repeat) is put where the state explains it, somewhere within its
interval. Real time binds them all: what returned before another was invoked comes first. To put each at the first place
that explains it is best, for it then binds those after it least; so one scan decides, where an open order needs a
search (``linearizability``). The cost is that of replaying the commits, plus a logarithm for those that wait.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf
from typing import NamedTuple, Protocol


class Spans(NamedTuple):
    """Intervals of operations, by number: when each was invoked, and when it returned (infinite: it never did)."""

    invoked: Sequence[float]
    returned: Sequence[float]


class Replay(Protocol):
    """The state that the commits lead to, from one to the next. Commits and others are known by their numbers."""

    def commit(self, number: int) -> Iterable[Hashable]:
        """Carry out the next commit, and name what it changed."""

    def explains(self, other: int) -> bool:
        """Whether the state of now gives this operation its answer."""

    def concerns(self, other: int) -> Iterable[Hashable]:
        """What would have to change, one of it at least, for ``explains`` to say something else."""


@dataclass(frozen=True, slots=True)
class Inversion:
    """Commit ``number`` came after ``earlier``, though it had returned before that one was invoked."""

    number: int
    earlier: int


@dataclass(frozen=True, slots=True)
class Unexplained:
    """No state within its interval gives the operation its answer. It was given up before commit ``position``.

    ``behind`` is another that was given up before, and had held this one back: what this one shows is not its own.
    """

    other: int
    position: int
    behind: int | None = None


def scan(commits: Spans, others: Spans, replay: Replay) -> Iterator[Inversion | Unexplained]:
    """Replay the commits in their order, and put all others between them. Yields whatever does not fit."""
    placing = _Placing(commits, others, replay)
    latest, earlier = -inf, -1
    for number, (invoked, returned) in enumerate(zip(*commits, strict=True)):
        placing.admit(number)
        yield from placing.overdue(invoked, number)
        if returned < latest:
            yield Inversion(number, earlier)
        if invoked > latest:
            latest, earlier = invoked, number
        placing.look_again(replay.commit(number))
    placing.admit(len(commits.invoked))
    yield from placing.overdue(inf, len(commits.invoked))


class _Placing:
    """Those without a commit: who may be placed now, and who waits for what."""

    def __init__(self, commits: Spans, others: Spans, replay: Replay) -> None:
        self._others = others
        self._replay = replay
        # The first return among the commits from here on: whoever was invoked after it comes later.
        self._bound = array("d", [inf]) * (len(commits.returned) + 1)
        for number in range(len(commits.returned) - 1, -1, -1):
            self._bound[number] = min(self._bound[number + 1], commits.returned[number])
        self._queue = array("q", sorted(range(len(others.invoked)), key=others.invoked.__getitem__))
        self._next = 0
        self._unplaced: list[tuple[float, int]] = []
        """By their return. Those that have been placed since are dropped when they come up."""
        self._behind: list[tuple[float, int]] = []
        """By their invocation: those that somebody unplaced precedes."""
        self._settled = bytearray(len(others.invoked))
        self._watching: dict[Hashable, list[int]] = {}
        self._held_by: dict[int, int] = {}
        """Those that one that was given up had held back."""

    def admit(self, number: int) -> None:
        """All commits before ``number`` have been carried out: whoever may come now does, if the state explains it."""
        invoked, returned = self._others
        bound = self._bound[number]
        while self._next < len(self._queue) and invoked[other := self._queue[self._next]] <= bound:
            self._next += 1
            if self._first_return() >= invoked[other] and self._replay.explains(other):
                self._settled[other] = 1
                continue
            heappush(self._unplaced, (returned[other], other))
            heappush(self._behind, (invoked[other], other))
        self._let_through()

    def look_again(self, changed: Iterable[Hashable]) -> None:
        """After a commit: those that waited for what it changed."""
        if not self._watching:
            return
        placed = False
        for name in changed:
            waiting = self._watching.pop(name, None)
            if waiting is None:
                continue
            left = []
            for other in waiting:
                if self._settled[other]:
                    continue
                if self._replay.explains(other):
                    self._settled[other] = placed = True
                else:
                    left.append(other)
            if left:
                self._watching[name] = left
        if placed:
            self._let_through()

    def overdue(self, invoked: float, number: int) -> Iterator[Unexplained]:
        """Those that returned before the next commit, ``number``, was invoked: they had their time."""
        while self._first_return() < invoked:
            _, other = heappop(self._unplaced)
            self._settled[other] = 1
            behind = self._held_by.pop(other, None)
            yield Unexplained(other, number, behind)
            for _, waiting in self._behind:
                self._held_by.setdefault(waiting, other if behind is None else behind)
            self._let_through()

    def _first_return(self) -> float:
        while self._unplaced and self._settled[self._unplaced[0][1]]:
            heappop(self._unplaced)
        return self._unplaced[0][0] if self._unplaced else inf

    def _let_through(self) -> None:
        """Try those whom nobody unplaced precedes any more; the ones that are not explained yet begin to watch."""
        while self._behind and self._behind[0][0] <= self._first_return():
            _, other = heappop(self._behind)
            if self._settled[other]:
                continue
            if self._replay.explains(other):
                self._settled[other] = 1
            else:
                for name in self._replay.concerns(other):
                    self._watching.setdefault(name, []).append(other)
