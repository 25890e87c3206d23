"""What a verification is doing, while it does it: a bar on a terminal, a line now and then in a log.

Everything is drawn from within ``update``: no thread is started, and none is left behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from harness.report.phrases import count
from harness.report.phrases import seconds as in_words

LINE_EVERY_S = 5.0
"""In a log, seconds from line to line."""

DRAW_EVERY_S = 0.1
"""On a terminal, seconds from picture to picture."""


class Progress:
    """A context manager that is told what was run, and tells ``stream``.

    ``seconds`` or ``schedules`` is the limit of the verification, the other is None; with neither, no end is known.
    ``words`` are those for one schedule and for several, where what is counted is something else and in no scenarios.
    """

    def __init__(
        self,
        stream: TextIO,
        scenario_names: Sequence[str],
        seconds: float | None,
        schedules: int | None,
        clock: Callable[[], float] = time.monotonic,
        words: tuple[str, str] | None = None,
    ) -> None:
        self._stream = stream
        self._scenarios = "" if words else count(len(scenario_names), "scenario")
        self._words = words or ("schedule", "schedules")
        self._seconds = seconds
        self._schedules = schedules
        self._clock = clock
        self._seen: dict[str, tuple[int, int]] = {}
        self._interrupted = False
        self._began = self._told = clock()
        self._exits = ExitStack()
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        self._began = self._told = self._clock()
        console = Console(file=self._stream)
        if console.is_terminal and not console.is_dumb_terminal:
            bar = Bar(
                BarColumn(bar_width=16),
                TextColumn("{task.description}", markup=False),
                console=console,
                auto_refresh=False,
                transient=True,
            )
            self._bar = self._exits.enter_context(bar)
            total = self._seconds or self._schedules
            bar.add_task(self._beginning(), total=total)
            bar.refresh()
        else:
            self._say(self._beginning())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()
        self._bar = None

    def update(self, scenario: str, schedules: int, broken: int) -> None:
        """``scenario`` has run so many schedules by now, and so many of its properties are broken."""
        self._seen[scenario] = (schedules, broken)
        self._tell(DRAW_EVERY_S if self._bar else LINE_EVERY_S)

    def interrupted(self) -> None:
        """Ctrl-C: no new schedules; what was found is being made small, and told."""
        self._interrupted = True
        if self._bar:
            self._tell(0)
        else:
            self._say(f"interrupted: no more {self._words[1]}, judging what was run (Ctrl-C again to give up)")

    def _tell(self, every_s: float) -> None:
        now = self._clock()
        if now - self._told < every_s:
            return
        self._told = now
        passed = now - self._began
        if self._bar:
            done = passed if self._seconds else sum(schedules for schedules, _ in self._seen.values())
            self._bar.update(self._bar.task_ids[0], completed=done, description=self._state())
            self._bar.refresh()
        else:
            self._say(f"{in_words(passed)}: {self._state()}")

    def _state(self) -> str:
        schedules = sum(each for each, _ in self._seen.values())
        broken = sum(bool(each) for _, each in self._seen.values())
        parts = [count(schedules, *self._words)]
        if self._scenarios:
            parts.append(f"{len(self._seen)} of {self._scenarios}")
        if broken:
            parts.append(f"{broken} broken")
        if self._interrupted:
            parts.append("interrupted, making the report")
        elif self._seconds and self._clock() - self._began > self._seconds:
            parts.append("making the report")
        return ", ".join(parts)

    def _beginning(self) -> str:
        return ", ".join(filter(None, (self._scenarios, self._limit())))

    def _limit(self) -> str:
        if self._seconds:
            return f"at most {in_words(self._seconds)}"
        return f"at most {count(self._schedules, *self._words)}" if self._schedules else "until all is explored"

    def _say(self, text: str) -> None:
        self._stream.write(text.replace("\xa0", " ") + "\n")
        self._stream.flush()
