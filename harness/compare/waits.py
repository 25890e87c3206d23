"""How long a call waits for locks when it is not alone: the sessions of a side all make the same call at one moment.

One client never waits, so this is measured apart from the rounds, in bursts: what happens when a button is pressed as
often as there are sessions. Meanwhile the server is asked again and again who waits for a lock, and the time from one
look to the next counts as waiting for those who do. That is a sample, on a machine with few processors a coarse one,
and the order in which the sessions get their turn is chance: so it is told, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from random import Random
from statistics import fmean
from time import monotonic, perf_counter_ns
from typing import Any

import psycopg

from harness.compare.calls import CallFailed
from harness.compare.plan import BURSTS
from harness.compare.side import SESSIONS, Side

_WAITING = """
SELECT count(*) FROM unnest(%s::integer[]) AS own (pid), pg_stat_get_activity(own.pid) AS seen
 WHERE seen.wait_event_type = 'Lock'
"""


def lock_waits(
    sides: Sequence[Side], operations: Sequence[str], dsn: str, seed: int, until: float, bursts: int = BURSTS
) -> Mapping[str, Mapping[str, float]]:
    """Operation and side to the microseconds that a call waits for locks, in the mean, measured while there is time.

    The looks are taken over a connection of their own to ``dsn``. Time ends when ``monotonic`` says ``until``; what no
    time is left for is not there.
    """
    random = Random(f"{seed} waits")
    waited: dict[str, dict[str, list[float]]] = {}
    with psycopg.connect(dsn, autocommit=True) as looking, ThreadPoolExecutor(SESSIONS) as pool:
        _waiting(looking, [])
        for _ in range(bursts):
            for operation in random.sample(operations, len(operations)):
                if monotonic() >= until:
                    break
                for side in random.sample(sides, len(sides)):
                    calls = side.at_once(operation, pool)
                    time_ns = _waited_ns(looking, side.pids, calls)
                    waited.setdefault(operation, {}).setdefault(side.name, []).append(time_ns / len(calls) / 1000)
    return {operation: {side: round(fmean(times), 1) for side, times in of.items()} for operation, of in waited.items()}


def _waited_ns(looking: psycopg.Connection[Any], pids: Sequence[int], calls: Sequence[Future[int]]) -> int:
    """How long the backends wait until all calls are done, all together."""
    total, before = 0, perf_counter_ns()
    while not all(each.done() for each in calls):
        waiting = _waiting(looking, pids)
        now = perf_counter_ns()
        total += waiting * (now - before)
        before = now
    for each in calls:
        # Only one can have what all of them ask for: the others are refused, or told that it is done.
        with suppress(CallFailed):
            each.result()
    return total


def _waiting(looking: psycopg.Connection[Any], pids: Sequence[int]) -> int:
    row = looking.execute(_WAITING, [list(pids)], prepare=True).fetchone()
    assert row is not None
    waiting: int = row[0]
    return waiting
