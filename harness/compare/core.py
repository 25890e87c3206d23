"""One core for all the backends of a comparison: two cores, each with its own neighbours, are two machines.

Measured on a shared machine, the ratio of two equal calls varies a third less when every call is on the same core,
which is worth twice as many calls. Who waits for whom is another matter: that is measured on all cores.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress


@contextmanager
def on_one_core(pids: Sequence[int]) -> Iterator[bool]:
    """Keep these processes on one of the cores that they may use, and let go of them afterwards.

    False where that cannot be: not on Linux, no right to, or not two cores to choose from.
    """
    before: dict[int, set[int]] = {}
    try:
        yield _keep(pids, before)
    finally:
        _let_go(before)


def _keep(pids: Sequence[int], before: dict[int, set[int]]) -> bool:
    if not pids or not hasattr(os, "sched_setaffinity"):
        return False
    try:
        allowed = {pid: os.sched_getaffinity(pid) for pid in pids}
        common = set.intersection(*allowed.values())
        if len(common) < 2:
            return False
        for pid in pids:
            os.sched_setaffinity(pid, {max(common)})
            before[pid] = allowed[pid]
    except OSError:
        # Some on one core and some not would be worse than none.
        _let_go(before)
        return False
    return True


def _let_go(before: dict[int, set[int]]) -> None:
    while before:
        pid, cores = before.popitem()
        # One that has ended needs nothing any more.
        with suppress(OSError):
            os.sched_setaffinity(pid, cores)
