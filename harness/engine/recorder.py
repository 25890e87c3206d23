"""Turns what the clients do into calls: who asked for what, when, and what they were told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from harness.words.history import Call, Result

Perform = Callable[[Any, Any], Awaitable[Result]]
"""``perform(connection, operation)``: carries an operation out as client code."""


class _OpenCall:
    __slots__ = ("invoked", "operation", "result", "returned", "session")

    def __init__(self, session: int, operation: Any) -> None:
        self.session = session
        self.operation = operation
        self.invoked = -1
        self.returned = -1
        self.result: Result | None = None


class Recorder:
    """The calls of one run, in step numbers of its execution (which it serves as its ``Clock``).

    An operation is invoked in the step that starts its first round trip, not when its client gets there: between the
    two other sessions may run. It has returned in the last step that was taken when its client was told the result.
    """

    def __init__(self) -> None:
        self._calls: list[_OpenCall] = []
        self._next: dict[int, _OpenCall] = {}
        self._answered: list[_OpenCall] = []

    def clear(self) -> None:
        """Forget the run."""
        self._calls.clear()
        self._next.clear()
        self._answered.clear()

    def program(
        self, session: int, operations: Sequence[Any], perform: Perform
    ) -> Callable[[Any], Coroutine[Any, Any, None]]:
        """The client program that carries out ``operations`` one after the other on session number ``session``."""

        async def client(connection: Any) -> None:
            for operation in operations:
                call = _OpenCall(session, operation)
                self._next[session] = call
                call.result = await perform(connection, operation)
                self._answered.append(call)

        return client

    def begins(self, step: int, session: int) -> None:
        if self._answered:  # before the first step
            self.settled(step)
        call = self._next.pop(session, None)
        if call is not None:
            call.invoked = step
            self._calls.append(call)

    def waits(self, step: int, session: int) -> None:
        """Nothing that a client is told."""

    def settled(self, step: int) -> None:
        if self._answered:
            for call in self._answered:
                if call.invoked < 0:  # answered without a round trip
                    call.invoked = step
                    self._calls.append(call)
                call.returned = step
            self._answered.clear()

    def calls(self) -> tuple[Call, ...]:
        """The calls so far in the order of their invocation; those without an answer are left out of a finished run."""
        return tuple(
            Call(call.session, call.operation, call.invoked, call.returned, call.result)
            for call in self._calls
            if call.result is not None
        )
