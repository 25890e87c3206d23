"""Until SIGTERM or Ctrl-C: what runs for as long as somebody likes ends in good order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOOK_EVERY_S = 0.2
"""How often whoever waits should look whether it is set."""


@contextmanager
def ending() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, in a job of the background as well, for which a shell ignores SIGINT.

    To be entered in the main thread; what was there before comes back afterwards.
    """
    ended = threading.Event()
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
