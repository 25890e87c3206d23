"""Processes on one core: the engine runs one session at a time, and waking another core costs more than the step."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable


def choose_core(index: int) -> int:
    """The core for worker number ``index``: those that this process may use are dealt out in turn.

    Below a worker of pytest-xdist they begin with its own number, so that two workers do not share a core.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    if worker.isdecimal():
        index += int(worker)
    if sys.platform == "linux":
        cores = sorted(os.sched_getaffinity(0))
        return cores[index % len(cores)]
    return index % (os.cpu_count() or 1)


def pin(pids: Iterable[int], core: int) -> bool:
    """Let these processes (0: this thread) run on ``core`` alone; True when all of them do.

    False when one is gone, is not ours to pin, or the platform cannot (sched_setaffinity(2) is Linux's): pinning
    makes runs faster and changes nothing else.
    """
    if sys.platform != "linux":
        return False
    try:
        for pid in pids:
            os.sched_setaffinity(pid, {core})
    except OSError:
        return False
    return True
