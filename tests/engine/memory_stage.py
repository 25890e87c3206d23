"""The stage in memory: the actors of ``memory_server``, and a clock that stands in for the engine's."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from random import Random
from typing import Any

from harness.words.history import Result, Status
from harness.words.stage import CLIENT_POINT, FAULT_POINT, SessionState, Struck

from .memory_server import Backend, Latency, Server, Statement

READY, RUNNING, BLOCKED, DONE = SessionState


class Trip:
    """One round trip; awaiting it gives the SQLSTATE that ended the statement, empty for none."""

    def __init__(self, statement: Statement) -> None:
        self.statement = statement

    def __await__(self) -> Generator[Trip, str, str]:
        return (yield self)


Program = Callable[[Any], Coroutine[Trip, str, None]]


async def perform(_connection: object, statements: Sequence[Statement]) -> Result:
    """An operation is a list of statements; the first that fails is its last."""
    for statement in statements:
        if sqlstate := await Trip(statement):
            return Result(Status.FAILED, sqlstate)
    return Result(Status.OK)


def at_once() -> float:
    """A machine that has nothing else to do."""
    return 0.00002


class Loaded:
    """A machine on which everybody is put off now and then, by up to ``stall_s``."""

    def __init__(self, seed: int, stall_s: float) -> None:
        self._random = Random(seed)
        self._stall_s = stall_s

    def __call__(self) -> float:
        wait = self._random.uniform(0.00001, 0.0001)
        return wait + self._random.uniform(0.0, self._stall_s) if self._random.random() < 0.1 else wait


class MemoryActor:
    """One session of a run; a canceller has a backend too, which does nothing."""

    def __init__(self, stage: MemoryStage, backend: Backend, program: Program | int) -> None:
        self.backend = backend
        self.state = READY
        self.point = CLIENT_POINT
        self.error = ""
        self.cycle: tuple[int, ...] = ()
        self.passed: list[int] = []
        self.sent = ""
        self.entered = 0
        self.struck: Struck | None = None
        self.at_gate = False
        self._stage = stage
        self._target = program if isinstance(program, int) else None
        self._statement: Statement = ()
        if isinstance(program, int):
            self.point = FAULT_POINT
        else:
            self._coroutine = program(self)
            self._resume(None)

    def advance(self, steps: int) -> None:
        self.state = RUNNING
        self.passed.clear()
        server = self._stage.server
        self.backend.stop = self.backend.turn + steps
        if self._target is not None:
            self.state = DONE
            stood = self._stage.actors[self._target]
            struck = Struck(self._target, "cancel", stood.point, "", stood.state is BLOCKED)
            self.struck = struck if self._stage.cancel(self._target) else None
        elif self.at_gate:
            self.at_gate = False
            server.wake(self.backend)
        else:
            self.sent = " ".join(action for action in self._statement if isinstance(action, str)) or "calculate"
            server.send(self.backend, self._statement)

    def hear(self) -> bool:
        """Take what the server has said; True when it has come somewhere."""
        heard, self.backend.messages = self.backend.messages, []
        for message in heard:
            if message.kind == "answer":
                self.error, self.cycle = message.sqlstate, message.cycle
                self._resume(message.sqlstate)
            else:
                self.point = message.point
                self.passed.append(message.point)
                if message.kind == "gate":
                    self.at_gate = True
                    self.state = READY
        return self.state in (READY, DONE) and bool(heard)

    def _resume(self, answer: Any) -> None:
        try:
            self._statement = self._coroutine.send(answer).statement
        except StopIteration:
            self.state = DONE
        else:
            self.point = CLIENT_POINT
            self.state = READY


class MemoryStage:
    """See ``harness.words.stage.Stage``. Also a clock: put it in the place of the engine's ``time``."""

    def __init__(
        self,
        cast: Sequence[Program | int],
        *,
        latency: Latency = at_once,
        can_freeze: bool = True,
        deadlock_timeout_s: float = 0.01,
        breaks_deadlocks: bool = True,
        late_s: float = 0.0,
    ) -> None:
        self.can_freeze = can_freeze
        self.deadlock_timeout_s = deadlock_timeout_s
        timeout_s = deadlock_timeout_s if breaks_deadlocks else math.inf
        self.server = Server(len(cast), latency, timeout_s, one_at_a_time=can_freeze)
        self._latency = latency
        self._late_s = late_s
        self.actors = [MemoryActor(self, self.server.backends[i], program) for i, program in enumerate(cast)]

    def pump(self, timeout_s: float) -> bool:
        self.server.elapse(timeout_s, listen=True)
        self.server.elapse(self._latency())
        settled = [actor.hear() for actor in self.actors]
        return any(settled)

    def blockers(self, sessions: Sequence[int]) -> Mapping[int, tuple[int, ...]]:
        self.server.elapse(self._latency())
        return {session: self.server.blockers(self.server.backends[session]) for session in sessions}

    def hold(self, session: int) -> None:
        backend = self.server.backends[session]
        backend.stop = backend.turn + 1

    def freeze(self, session: int) -> None:
        self.server.elapse(self._latency() + self._late_s)
        self.server.freeze(self.server.backends[session])

    def thaw(self, session: int) -> None:
        self.server.thaw(self.server.backends[session])

    def cancel(self, target: int) -> bool:
        actor = self.actors[target]
        if not actor.at_gate and actor.state is not BLOCKED:
            return False
        actor.passed.clear()
        actor.at_gate = False
        actor.state = RUNNING
        self.thaw(target)
        self.server.end(actor.backend, "57014")
        actor.hear()
        return True

    def picture(self) -> str:
        return "\n".join(f"session {backend.number} wants {backend.wanted or '-'}" for backend in self.server.backends)

    def monotonic(self) -> float:
        return self.server.now

    def sleep(self, seconds: float) -> None:
        self.server.elapse(seconds)
