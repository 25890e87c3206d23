"""The worker processes of a verification: one per core, each with a database of its own and a share of the scenarios.

A worker's campaigns depend on the seed alone, so how the scenarios are shared out changes no result.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from typing import Any

from harness.db.plan import Plan
from harness.unwinding import unwinding
from harness.verify.orders import Order, ShareReport
from harness.verify.prepared import telling_of_a_lost_server
from harness.verify.share import Progress, explore_share
from harness.words.errors import CouldNotRun, HarnessError

_SHUTDOWN_S = 60.0
"""How long workers may take for their reports (shrinking and replays) after they were told to stop, seconds."""
_UNWIND_S = 5.0
"""How long a worker that is ended may take to wake the backends that it has frozen, seconds."""


def run_workers(
    orders: Sequence[Order], plan: Plan, progress: Progress, on_interrupt: Callable[[], None]
) -> tuple[ShareReport, bool]:
    """All reports as one, and whether Ctrl-C cut the exploration short (``on_interrupt`` is called then, once).

    Raises the first ``HarnessError`` of a worker, and ``CouldNotRun`` for one that died; no worker outlives the call.
    """
    # A fork has at once what a new process takes most of a second to import. With threads beside this one it could
    # take a lock along that nobody lets go in there.
    alone = threading.active_count() == 1
    context = multiprocessing.get_context("fork") if alone else multiprocessing.get_context("spawn")
    stop = context.Event()
    pipes: dict[Connection, BaseProcess] = {}
    wanted: dict[Connection, Order] = {}
    shares: list[ShareReport] = []
    interrupted = False
    try:
        with _interrupts_held_back():
            for order in orders:
                ours, theirs = context.Pipe()
                # The order comes later: with a large argument start() waits until a new process has imported all.
                process: BaseProcess = context.Process(target=_work, args=(stop, theirs), daemon=True)
                process.start()
                theirs.close()
                pipes[ours], wanted[ours] = process, order
        while pipes:
            try:
                for ready in wait(list(pipes)):
                    assert isinstance(ready, Connection)
                    if ready in wanted:
                        with _interrupts_held_back():  # half an order would be waited for for ever
                            _tell(ready, pipes[ready], wanted.pop(ready), plan)
                    elif _receive(ready, pipes, shares, progress):
                        pipes.pop(ready).join()
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                stop.set()
                on_interrupt()
    finally:
        for process in pipes.values():
            process.terminate()
        for process in pipes.values():
            process.join(_UNWIND_S)
            process.kill()
            process.join()
    reports = [report for share in shares for report in share.scenarios]
    return ShareReport(reports, frozenset().union(*(share.reached for share in shares))), interrupted


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ours comes afterwards; processes that are started inside never see Ctrl-C: they inherit the mask."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _tell(pipe: Connection, process: BaseProcess, order: Order, plan: Plan) -> None:
    """Answer the first message of a worker: it is there, and reads what it shall do."""
    try:
        pipe.recv()
        pipe.send((order, plan))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise _died(process) from None


def _died(process: BaseProcess) -> CouldNotRun:
    process.join(_SHUTDOWN_S)
    return CouldNotRun(
        "worker-died", f"a worker process ended with status {process.exitcode}", remedy="see its message above"
    )


def _receive(
    pipe: Connection, pipes: dict[Connection, BaseProcess], shares: list[ShareReport], progress: Progress
) -> bool:
    """Take one message; True when it was the worker's last."""
    try:
        kind, content = pipe.recv()
    except (EOFError, ConnectionResetError):
        raise _died(pipes[pipe]) from None
    if kind == "progress":
        progress(*content)
        return False
    if kind == "error":
        raise content
    shares.append(content)
    return True


def _work(stop: Event, pipe: Connection) -> None:
    """The body of a worker process: Ctrl-C is the parent's affair, and a parent that is gone ends it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def progress(*content: Any) -> None:
        pipe.send(("progress", content))

    with unwinding(signal.SIGTERM), contextlib.suppress(BrokenPipeError):
        pipe.send(("ready", None))
        order, plan = pipe.recv()
        try:
            with telling_of_a_lost_server():
                share = explore_share(order, plan, progress, stop.is_set)
            pipe.send(("report", share))
        except HarnessError as error:
            pipe.send(("error", error))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_UNWIND_S)
    os.kill(os.getpid(), signal.SIGKILL)
