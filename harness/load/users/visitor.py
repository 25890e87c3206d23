"""A user who comes when the schedule says, asks until there is a clear answer, and leaves a sample of every request."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from time import monotonic
from typing import Any

import gevent
from locust import User
from locust.env import Environment

from harness.load.sample import Sample
from harness.load.users.process import this_process
from harness.load.users.told import Told
from harness.words.history import Status

PAUSE_S, PAUSE_S_MAX = 0.02, 1.0
"""Before the first retry, and before every later one at most; each is twice as long as the one before."""
ASK_S_MAX = 60.0
"""When there has been no clear answer for so long, its user gives up; a server that restarts is back by then."""


class Visitor(User):
    """The base of all users. Between two tasks it waits for its next arrival; in a closed model it comes at once."""

    abstract = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.process = this_process()
        self.stock = self.process.stock
        self.random = self.process.random
        self.number = next(self.process.users)
        """No other user of the run has it."""
        self._due: float | None = None

    def on_start(self) -> None:
        """The first arrival is an arrival, too."""
        self.wait()

    def wait_time(self) -> float:
        """Seconds until this user comes again."""
        self._due = self.process.next_arrival()
        return max(0.0, self._due - monotonic())

    def arrive(self) -> None:
        """Whatever it has waited for: the arrival is now."""
        self._due = None

    @abstractmethod
    def send(self, what: Any, name: str) -> Told:
        """One request, told to Locust under ``name``."""

    def ask(self, what: Any, operation: str, copy: int = 0, **about: Any) -> Told:
        """Send until there is a clear answer, the same each time; a sample of every attempt, with ``about`` in it.

        The first request of a task counts from the user's arrival, a later one from its own beginning. Requests of one
        user that overlap need a ``copy`` of it each: a client of a history does one thing at a time.
        """
        pause, began = PAUSE_S, monotonic()
        while not (told := self.ask_once(what, operation, copy, **about)).settled and monotonic() < began + ASK_S_MAX:
            gevent.sleep(pause * (0.5 + self.random.random()))
            pause = min(2 * pause, PAUSE_S_MAX)
        return told

    def ask_once(self, what: Any, operation: str, copy: int = 0, **about: Any) -> Told:
        """As ``ask``, without another attempt."""
        told = Told(Status.UNKNOWN, answered=False)
        invoked = monotonic()
        intended, self._due = invoked if self._due is None else self._due, None
        try:
            told = self.send(what, operation)
        finally:
            # Locust kills its users in the end, in the middle of whatever they do: that, too, was asked.
            returned = monotonic() if told.answered else None
            answer = told.answer or {}
            about = {"purchase": answer.get("purchase"), **about}
            self.process.write(
                Sample(
                    f"c{self.number}.{copy}" if copy else f"c{self.number}",
                    operation,
                    intended,
                    invoked,
                    returned,
                    told.status,
                    told.code,
                    told.http,
                    told.answer,
                    **about,
                )
            )
        return told

    def together(self, *work: Callable[[], object]) -> None:
        """Do all of it at the same time, and wait for the last; what one of them raises is raised."""
        greenlets = [gevent.spawn(each) for each in work]
        try:
            gevent.joinall(greenlets, raise_error=True)
        finally:
            gevent.killall(greenlets)
