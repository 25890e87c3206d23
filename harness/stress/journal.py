"""What clients of one event loop asked and were told, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from time import perf_counter
from typing import Any

from harness.engine.recorder import Perform
from harness.words.history import Call, Result, Status


class Journal:
    """Calls whose order is that of their invocations and answers as the event loop saw them.

    An answer may have been on its way for a while when it is seen: intervals are never too short, so that whatever is
    said to have happened before something else did.
    """

    def __init__(self) -> None:
        self._order = count(1)
        self._calls: list[Call] = []
        self._seconds: list[float] = []

    async def ask(self, perform: Perform, connection: Any, session: int, operation: Any) -> Result:
        """Carry an operation out and write it down. Without an answer, or with one that is none, it is unknown."""
        place = len(self._calls)
        self._calls.append(Call(session, operation, next(self._order), None, Result(Status.UNKNOWN)))
        self._seconds.append(0.0)
        began = perf_counter()
        result = await perform(connection, operation)
        self._seconds[place] = perf_counter() - began
        returned = None if result.status is Status.UNKNOWN else next(self._order)
        self._calls[place] = replace(self._calls[place], result=result, returned=returned)
        return result

    @property
    def calls(self) -> tuple[Call, ...]:
        """In the order of their invocation."""
        return tuple(self._calls)

    @property
    def seconds(self) -> Sequence[float]:
        """How long each call took from its first statement to its answer; 0 for one without an answer."""
        return tuple(self._seconds)
