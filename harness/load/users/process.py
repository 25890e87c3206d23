"""What one process of Locust has for all its users: the stock, the file of samples, and in an open model the arrivals.

Importing this adds options to Locust's own, with which the files of locustfiles/ run by themselves, too.
"""

from __future__ import annotations

import os
import random
import signal
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import gevent
from gevent import get_hub
from locust import events
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from harness.load.arrivals import PATTERNS, arrivals
from harness.load.sample import Sample, SampleWriter
from harness.load.stock import Stock, read_stock, this_machine


class Process:
    """One run in one process. ``index`` of ``processes`` is this one; each has a share of the rate and of the leads."""

    def __init__(
        self, stock: Stock, samples: Path, *, rate: float, pattern: str, seed: int, index: int, processes: int
    ):
        self.stock = stock
        self.index = index
        self.processes = processes
        self.random = Random(f"{seed} {index}")
        self.users = count(index, processes)
        """Numbers for the users of this process that no other process has."""
        self._checkouts, self._top_ups = count(index, processes), count(index, processes)
        self._behind = stock.since_boot(*this_machine())
        samples.mkdir(parents=True, exist_ok=True)
        self._writer = SampleWriter(samples / f"{os.uname().nodename}-{os.getpid()}-{next(_RUNS)}.jsonl")
        self._arrivals: Iterator[float] | None = None
        if rate:
            self._arrivals = arrivals(PATTERNS[PATTERNS.index(pattern)], rate / processes, monotonic(), self.random)

    def next_checkout(self) -> int:
        """A Stripe purchase of the stock that this process has not paid for; when all are paid, the first again."""
        return next(self._checkouts) % max(1, self.stock.checkouts)

    def next_top_up(self) -> int:
        """Likewise, a top-up."""
        return next(self._top_ups) % max(1, self.stock.top_ups)

    def next_arrival(self) -> float:
        """When the next client of this process comes: at once, unless the model is open."""
        return monotonic() if self._arrivals is None else next(self._arrivals)

    def write(self, sample: Sample) -> None:
        """Save it, in the time of the machine that the stock comes from."""
        if behind := self._behind:
            returned = None if sample.returned is None else sample.returned + behind
            sample = sample._replace(
                intended=sample.intended + behind, invoked=sample.invoked + behind, returned=returned
            )
        self._writer.write(sample)

    def close(self) -> None:
        """No more samples."""
        self._writer.close()


OWNER_EVERY_S = 1.0
_RUNS = count(1)
_running: list[Process] = []


def this_process() -> Process:
    """The run that is going on. To be asked for by users only, when it has begun."""
    return _running[-1]


@events.init_command_line_parser.add_listener
def _add_options(parser: ArgumentParser, **_: Any) -> None:
    own = parser.add_argument_group("Harness", "What the users are given, and where their samples go")
    own.add_argument("--stock", metavar="FILE", env_var="LOAD_STOCK", help="written by harness load --prepare")
    own.add_argument(
        "--samples", metavar="DIR", env_var="LOAD_SAMPLES", default="samples", help="a file per process goes there"
    )
    own.add_argument(
        "--rate", type=float, env_var="LOAD_RATE", default=0.0, help="open model: arrivals a second, of all processes"
    )
    own.add_argument("--arrivals", choices=PATTERNS, env_var="LOAD_ARRIVALS", default=PATTERNS[0], help="open model")
    own.add_argument(
        "--step-time", type=float, env_var="LOAD_STEP_TIME", default=5.0, help="step load: seconds of each step"
    )
    own.add_argument("--seed", type=int, env_var="LOAD_SEED", default=0, help="of what the users choose")


@events.init.add_listener
def _wake(environment: Environment, **_: Any) -> None:
    # The hub's idea of now is as old as the process: without this, importing counts as running time.
    get_hub().loop.update_now()
    if owner := os.environ.get("LOAD_OWNER"):
        gevent.spawn(_outlive, int(owner), environment)


def _outlive(owner: int, environment: Environment) -> None:
    """End the run when the process that ordered it is gone."""
    while True:
        gevent.sleep(OWNER_EVERY_S)
        try:
            os.kill(owner, 0)
        except ProcessLookupError:
            assert environment.runner is not None
            environment.runner.quit()
            return


@events.test_start.add_listener
def _begin(environment: Environment, **_: Any) -> None:
    assert environment.runner is not None
    # Python would raise KeyboardInterrupt wherever it is, in the middle of writing a sample for example.
    gevent.signal_handler(signal.SIGINT, environment.runner.quit)
    if isinstance(environment.runner, MasterRunner):
        return
    options = environment.parsed_options
    assert options is not None
    worker = environment.runner if isinstance(environment.runner, WorkerRunner) else None
    index = worker.worker_index if worker else 0
    # Locust draws the tasks from the generator that all share.
    random.seed(f"{options.seed} {index} tasks")
    _running[:] = [
        Process(
            read_stock(Path(options.stock or "stock.json")),
            Path(options.samples),
            rate=options.rate,
            pattern=options.arrivals,
            seed=options.seed,
            index=index,
            processes=options.expect_workers if worker else 1,
        )
    ]


@events.test_stop.add_listener
@events.quit.add_listener
def _end(**_: Any) -> None:
    # Not when Locust is quitting: after a signal it says so while its users are still at work.
    for process in _running:
        process.close()
