"""Signals that end a process by unwinding it, so that what it made elsewhere is taken back; and Ctrl-C put off."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

AGAIN_S = 0.01
"""After this time a signal that struck where nothing is raised out of comes again."""


class _Ended(SystemExit):
    """The end by a signal, of this ``number``."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


@contextmanager
def unwinding(*signals: signal.Signals) -> Iterator[None]:
    """Within it these raise ``SystemExit`` with a shell's exit code (128 and the number); ignored ones stay ignored.

    One that strikes in a destructor, or in a callback of C, would be printed there and lost: it comes again.
    """
    before = {number: signal.getsignal(number) for number in signals}
    unraisable = sys.unraisablehook

    def lost(what: UnraisableHookArgs) -> None:
        if not isinstance(what.exc_value, _Ended):
            unraisable(what)
            return
        # Raised in here it would be lost, too: another thread sends it, when this one has left the destructor.
        again = threading.Timer(AGAIN_S, os.kill, (os.getpid(), what.exc_value.number))
        again.daemon = True
        again.start()

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _end)
    sys.unraisablehook = lost
    try:
        yield
    finally:
        sys.unraisablehook = unraisable
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise _Ended(number)


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
