"""What must not grow while a service is under load: connections, locks, the memory of the server and of the API.

Looked at once a second, and judged after a warm-up by the median slope (Theil and Sen): a few outliers, such as the
moment of a crash, do not count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic
from types import TracebackType
from typing import NamedTuple, Self

import psycopg

from harness.load.beside import Beside
from harness.load.nemesis import ours

EVERY_S = 1.0
WARM_UP = 0.2
"""The share of the run that is not judged."""
JUDGED_S_MIN = 60.0
"""What is left must be so long: a slope over a few seconds says nothing."""
GAP_S_MAX = 10.0
"""The last look may be so long before the end: a server that is being started again takes that long."""
POINTS_MAX = 400
"""More are thinned out: the slope looks at all pairs."""

MEMORY_PER_MINUTE_MAX = 0.01

_LOOK = """
SELECT count(DISTINCT session.pid), count(held.pid)
FROM pg_stat_activity AS session
LEFT JOIN pg_locks AS held ON held.pid = session.pid AND held.locktype <> 'virtualxid'
WHERE session.datname = current_database() AND session.backend_type = 'client backend'
  AND session.application_name NOT LIKE 'harness %'
"""


class Look(NamedTuple):
    """One look at the service. Memory in bytes, that of processes alone, without what they share; None where unseen."""

    at: float
    connections: int | None
    locks: int | None
    server_bytes: int | None
    api_bytes: int | None


class Growth(NamedTuple):
    """How a quantity has changed after the warm-up. ``grows`` is None when the run was too short to say."""

    name: str
    first: float
    """The median of the first quarter after the warm-up."""
    last: float
    """Of the last quarter."""
    per_minute: float
    """The slope, as a share of ``first``."""
    grows: bool | None


def growths(looks: Sequence[Look]) -> list[Growth]:
    """What became of each quantity that was seen."""
    if not looks:
        return []
    begin, end = looks[0].at, looks[-1].at
    warm = [look for look in looks if look.at >= begin + (end - begin) * WARM_UP]
    found = []
    for name, few, share in (
        ("connections", 1.0, 0.05),
        ("locks", 20.0, 0.5),
        ("server_bytes", 0.0, 0.0),
        ("api_bytes", 0.0, 0.0),
    ):
        points = [(look.at, float(value)) for look in warm if (value := getattr(look, name)) is not None]
        if len(points) < 4:
            continue
        quarter = len(points) // 4
        first, last = (median(value for _, value in part) for part in (points[:quarter], points[-quarter:]))
        per_minute = slope(points) * 60 / first if first else 0.0
        long_enough = points[-1][0] - points[0][0] >= JUDGED_S_MIN
        if name.endswith("bytes"):
            grown = per_minute >= MEMORY_PER_MINUTE_MAX
        else:
            # Both follow the load: a few more or less are none that were forgotten.
            grown = per_minute > 0 and last > first + max(few, first * share)
        found.append(Growth(name, first, last, per_minute, grown if long_enough else None))
    return found


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes between all pairs, per second."""
    points = points[:: -(-len(points) // POINTS_MAX)]
    slopes = [
        (other - value) / (later - at)
        for place, (at, value) in enumerate(points)
        for later, other in points[place + 1 :]
        if later > at
    ]
    return median(slopes) if slopes else 0.0


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
        connections = locks = None
        # While the server is down there is nothing to count.
        with suppress(psycopg.OperationalError), psycopg.connect(ours(self.dsn), autocommit=True) as connection:
            row = connection.execute(_LOOK).fetchone()
            assert row is not None
            connections, locks = row
        pid = self.server_pid()
        return Look(
            monotonic(),
            connections,
            locks,
            None if pid is None or connections is None else own_bytes(family(pid)),
            own_bytes(family(*self.api_pids)) if self.api_pids else None,
        )

    def work(self) -> None:
        """A look now and then."""
        while not self.over.wait(EVERY_S):
            self.looks.append(self.look())


def gap(looks: Sequence[Look], began: float, ended: float, failure: BaseException | None = None) -> str:
    """Why these looks do not tell how a run from ``began`` to ``ended`` ended; empty where they do, or it was short."""
    last = looks[-1].at if looks else began
    if (ended - began) * (1 - WARM_UP) < JUDGED_S_MIN or ended - last <= GAP_S_MAX:
        return ""
    why = f" ({type(failure).__name__}: {failure})" if failure is not None else ""
    return f"nothing was looked at in the last {ended - last:.0f} s of {ended - began:.0f} s{why}"


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
