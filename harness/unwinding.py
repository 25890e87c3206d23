"""Signals that end a process by unwinding it, so that what it made elsewhere is taken back."""

from __future__ import annotations

import signal
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
