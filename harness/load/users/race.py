"""Everybody at once: the users of a process wait for one another, and set out together."""

from __future__ import annotations

from gevent.event import Event
from locust.exception import StopUser
from locust.runners import STATE_RUNNING, STATE_SPAWNING, Runner

_LOOK_EVERY_S = 0.2


class Meeting:
    """A place where all users of ``runner`` in this process meet, again and again."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._round = 0
        self._waiting = 0
        self._start = Event()

    def meet(self) -> int:
        """Wait until all are there; the number of the round. Raises ``StopUser`` when the run ends before."""
        number, start = self._round, self._start
        self._waiting += 1
        while not start.is_set():
            if self._runner.state == STATE_RUNNING and self._waiting >= self._runner.user_count:
                self._round += 1
                self._waiting = 0
                self._start = Event()
                start.set()
            elif self._runner.state not in (STATE_RUNNING, STATE_SPAWNING):
                raise StopUser
            else:
                start.wait(_LOOK_EVERY_S)
        return number
