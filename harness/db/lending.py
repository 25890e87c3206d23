"""One server for several processes of a test run, started when the first of them asks for it."""

from __future__ import annotations

import secrets
from contextlib import ExitStack, suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from threading import Thread
from types import TracebackType
from typing import Self

from harness.db.provision import provision
from harness.words.errors import CouldNotRun, HarnessError

_WAITING_MAX = 256
"""Processes that may ask at once."""


class Lender:
    """Waits, in a thread, for processes that ask for a server; a context manager, at whose end the server ends.

    ``choice`` is as for ``provision``. Who knows ``ticket`` may ask (``borrow``).
    """

    def __init__(self, choice: str) -> None:
        self._choice = choice
        self._answer: str | HarnessError | None = None
        self._exits = ExitStack()
        self._ending = False

    def __enter__(self) -> Self:
        key = secrets.token_hex(16)
        self._listener = Listener(backlog=_WAITING_MAX, authkey=key.encode())
        self.ticket = (str(self._listener.address), key)
        self._thread = Thread(target=self._serve, name="harness-lender", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ending = True
        address, key = self.ticket
        Client(address, authkey=key.encode()).close()  # wakes the thread
        self._thread.join()
        self._listener.close()
        self._exits.close()

    def _serve(self) -> None:
        while True:
            with suppress(OSError, EOFError, AuthenticationError), self._listener.accept() as connection:
                if self._ending:
                    return
                if self._answer is None:
                    self._answer = self._start()
                connection.send(self._answer)

    def _start(self) -> str | HarnessError:
        try:
            return self._exits.enter_context(provision(self._choice)).dsn()
        except HarnessError as error:
            return error


def borrow(ticket: tuple[str, str]) -> str:
    """The DSN of the server that a ``Lender`` lends. Raises the error that kept it from starting one."""
    address, key = ticket
    try:
        with Client(address, authkey=key.encode()) as connection:
            answer = connection.recv()
    except (OSError, EOFError) as error:
        raise CouldNotRun(
            "no-lender", f"the process that has the server is gone: {error}", remedy="run the tests again"
        ) from error
    if isinstance(answer, HarnessError):
        raise answer
    return str(answer)
