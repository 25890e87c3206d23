"""Something that goes on beside a block of code, in a thread of its own, and ends with it."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self


class Beside:
    """A context manager: a thread that does ``work`` while the block runs. ``over`` is set when it is to end.

    ``failure`` is what nobody foresaw and kept the thread from going on, for whoever waits for it.
    """

    over: threading.Event
    failure: BaseException | None = None

    def work(self) -> None:
        """In the thread, until ``over`` is set."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__.lower())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self.work()
        except BaseException as failure:
            self.failure = failure
