"""Disturbs a service under load: terminates backends of its database, crashes its server and starts it again."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from time import monotonic, perf_counter
from types import TracebackType

import psycopg
from psycopg.conninfo import make_conninfo

from harness.db.any_server import AnyServer, Crash
from harness.load.beside import Beside
from harness.load.disturbance import Disturbance

OURS = "harness load"
"""The application_name of our sessions on the database. None that begins with ``harness`` is struck, or counted."""

_VICTIM = """
SELECT pid, pg_terminate_backend(pid) FROM (
  SELECT pid FROM pg_stat_activity
  WHERE datname = current_database() AND backend_type = 'client backend' AND application_name NOT LIKE 'harness %'
  ORDER BY state = 'active' DESC NULLS LAST, random() LIMIT 1
) AS victim
"""


def ours(dsn: str) -> str:
    """The DSN for a session of the harness's own."""
    return make_conninfo(dsn, application_name=OURS)


@dataclass(frozen=True, slots=True)
class Strikes:
    """What is to be done in ``seconds``: ``kills_per_second`` at random moments, ``crashes`` evenly spread."""

    kills_per_second: float = 0.0
    crashes: int = 0

    def __bool__(self) -> bool:
        return bool(self.kills_per_second or self.crashes)

    def moments(self, seconds: float, random: Random) -> list[tuple[float, str]]:
        """(seconds from the beginning, ``kill`` or ``crash``), in order; no kill in the first and last second."""
        crashes = [(seconds * number / (self.crashes + 1), "crash") for number in range(1, self.crashes + 1)]
        kills: list[tuple[float, str]] = []
        at = 1.0
        while self.kills_per_second and (at := at + random.expovariate(self.kills_per_second)) < seconds - 1:
            kills.append((at, "kill"))
        return sorted(crashes + kills)


@dataclass
class Nemesis(Beside):
    """Carries the strikes out while the block runs; its failure is raised when the block has ended without one.

    The server is up when the block has ended.
    """

    server: AnyServer
    dsn: str
    strikes: Strikes
    seconds: float
    random: Random
    done: list[Disturbance] = field(default_factory=list)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        if self.failure is not None and error is None:
            raise self.failure

    def work(self) -> None:
        """Each strike at its moment."""
        began = monotonic()
        for moment, kind in self.strikes.moments(self.seconds, self.random):
            if self.over.wait(max(0.0, began + moment - monotonic())):
                return
            struck = self._crash() if kind == "crash" else self._kill()
            if struck is not None:
                self.done.append(struck)

    def _kill(self) -> Disturbance | None:
        """None where nobody was terminated: there was none, or it had just ended by itself."""
        begin, victim = monotonic(), None
        # In the middle of a restart there is nobody to terminate.
        with suppress(psycopg.OperationalError), psycopg.connect(ours(self.dsn), autocommit=True) as connection:
            victim = connection.execute(_VICTIM).fetchone()
        return Disturbance("kill", begin, monotonic()) if victim is not None and victim[1] else None

    def _crash(self) -> Disturbance:
        begin = monotonic()
        self.server.crash(self.random.choice(tuple(Crash)))
        ordered = perf_counter()
        self.server.restart()
        recovery = perf_counter() - ordered + first_answer(self.dsn)
        return Disturbance("crash", begin, monotonic(), recovery)


def first_answer(dsn: str) -> float:
    """Seconds until the server answers a query."""
    began = perf_counter()
    with psycopg.connect(ours(dsn), autocommit=True) as connection:
        connection.execute("SELECT")
    return perf_counter() - began
