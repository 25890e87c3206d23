"""To be refined."""

from __future__ import annotations
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TextIO


class Progress:
    """What a verification is doing."""

    def __init__(
        self, stream: TextIO, scenario_names: Sequence[str], seconds: float | None, schedules: int | None
    ) -> None:
        self._stream = stream
        self._seen: dict[str, tuple[int, int]] = {}
        self._last = self._began = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def update(self, scenario: str, schedules: int, broken: int) -> None:
        self._seen[scenario] = (schedules, broken)
        now = time.monotonic()
        if now - self._last > 5:
            self._last = now
            total = sum(each for each, _ in self._seen.values())
            self._stream.write(f"{now - self._began:.0f} s: {total} schedules\n")
            self._stream.flush()

    def interrupted(self) -> None:
        self._stream.write("interrupted: judging what was run\n")
