"""Lock waits without a server: what is counted while calls wait."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from harness.compare.calls import CallFailed
from harness.compare.waits import _waited_ns


class Looking:
    """Says of each look how many wait; after the last one all calls are done."""

    def __init__(self, seen: list[int], calls: list[Future[int]], end: list[int | Exception]) -> None:
        self._seen, self._calls, self._end = seen, calls, end

    def execute(self, *_: Any, **__: Any) -> Looking:
        return self

    def fetchone(self) -> tuple[int]:
        if len(self._seen) == 1:
            for call, end in zip(self._calls, self._end, strict=True):
                if isinstance(end, Exception):
                    call.set_exception(end)
                else:
                    call.set_result(end)
        return (self._seen.pop(0),)


def waited(seen: list[int], *end: int | Exception, monkeypatch: pytest.MonkeyPatch) -> int:
    clock = iter(range(0, 1_000_000, 1000))
    monkeypatch.setattr("harness.compare.waits.perf_counter_ns", lambda: next(clock))
    calls: list[Future[int]] = [Future() for _ in end]
    looking: Any = Looking(seen, calls, list(end))
    return _waited_ns(looking, [1, 2], calls)


def test_every_look_counts_those_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waited([0, 3, 2, 0], 5, 5, 5, 5, monkeypatch=monkeypatch) == 5000


def test_who_is_refused_has_waited_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waited([1], 5, CallFailed("lead_unavailable"), monkeypatch=monkeypatch) == 1000


def test_what_is_no_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        waited([1], 5, ZeroDivisionError(), monkeypatch=monkeypatch)
