"""Signals that end a process by unwinding it, so that what it made elsewhere is taken back; and Ctrl-C put off."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def unwinding(*signals: signal.Signals) -> Iterator[None]:
    """Within it these raise ``SystemExit`` with a shell's exit code (128 and the number); ignored ones stay ignored."""
    before = {number: signal.getsignal(number) for number in signals}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


@contextmanager
def noting_interrupt() -> Iterator[threading.Event]:
    """The first Ctrl-C is noted, for it could strike in a callback of libpq, which nothing is raised out of.

    Outside of the main thread, where no signal arrives, it does nothing.
    """
    noted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        noted.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
