"""Looks at a service under load once a second: its sessions, what they wait for, its locks, its memory.

Only at the sessions of its database, and none of the harness's own. A look is one statement, on a connection that is
made for it, so that it sees a server that was started again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

import psycopg

from harness.load.beside import Beside
from harness.load.growth import gap
from harness.load.look import EVERY_S, Look
from harness.load.nemesis import ours

CONNECT_S_MAX = 5
"""A server that does not let us in for so long is not looked at."""

_LOOK = """
WITH session AS MATERIALIZED (
  SELECT pid, state, wait_event_type, wait_event FROM pg_stat_activity
  WHERE datname = current_database() AND backend_type = 'client backend' AND application_name NOT LIKE 'harness %'
), held AS MATERIALIZED (
  SELECT lock.granted, concat_ws(' ', lock.locktype, lock.mode, 'on ' || lock.relation::regclass) AS what
  FROM pg_locks AS lock JOIN session USING (pid) WHERE lock.locktype <> 'virtualxid'
)
SELECT
  (SELECT count(*) FROM session),
  (SELECT count(*) FROM held),
  (SELECT coalesce(json_object_agg(at, number), '{}') FROM (
    SELECT CASE WHEN state LIKE 'idle in transaction%' THEN 'idle in transaction'
      WHEN wait_event IS NULL THEN 'running' ELSE wait_event_type || ': ' || wait_event END AS at, count(*) AS number
    FROM session WHERE state <> 'idle' GROUP BY 1) AS busy),
  (SELECT coalesce(json_object_agg(what, number), '{}') FROM (
    SELECT what, count(*) AS number FROM held WHERE NOT granted GROUP BY 1) AS waiting)
"""


@dataclass
class Watch(Beside):
    """Looks while the block runs; ``gap`` tells of a failure. ``server_pid`` asks for that of the postmaster."""

    dsn: str
    server_pid: Callable[[], int | None]
    api_pids: Sequence[int]
    looks: list[Look] = field(default_factory=list)
    begun: bool = False

    def __enter__(self) -> Self:
        self.begun = True
        self._began = self._ended = monotonic()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended = monotonic()
        super().__exit__(kind, error, traceback)

    def gap(self) -> str:
        """Why the looks do not tell how the block ended, though it was long enough; empty where they do."""
        if not self.begun:
            return ""
        return gap(self.looks, self._began, self._ended, self.failure)

    def look(self) -> Look:
        """Now."""
        connections = locks = busy = ungranted = None
        # While the server is down there is nothing to count.
        with (
            suppress(psycopg.OperationalError),
            psycopg.connect(ours(self.dsn), autocommit=True, connect_timeout=CONNECT_S_MAX) as connection,
        ):
            row = connection.execute(_LOOK).fetchone()
            assert row is not None
            connections, locks, busy, ungranted = row
        pid = self.server_pid()
        return Look(
            monotonic(),
            connections,
            locks,
            None if pid is None or connections is None else own_bytes(family(pid)),
            own_bytes(family(*self.api_pids)) if self.api_pids else None,
            busy,
            ungranted,
        )

    def work(self) -> None:
        """A look now and then."""
        while not self.over.wait(EVERY_S):
            self.looks.append(self.look())


def own_bytes(pids: Iterable[int]) -> int | None:
    """The anonymous memory of these processes together; None where nothing tells. One that has ended counts nothing."""
    found = [_own_bytes(pid) for pid in pids]
    known = [each for each in found if each is not None]
    return sum(known) if known else None


def _own_bytes(pid: int) -> int | None:
    with suppress(OSError):
        told = re.search(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        return int(told[1]) * 1024 if told else None
    return None


def family(*pids: int) -> list[int]:
    """These processes and all that descend from them. Any of them may end at any moment."""
    found = list(pids)
    for pid in found:
        # The list grows while it is walked: children of children come later.
        with suppress(OSError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                with suppress(OSError):
                    found += [int(child) for child in (thread / "children").read_text().split()]
    return found
