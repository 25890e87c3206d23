"""Whole load runs compared: in every round each version has the same users for the same time, in random order.

A round is some half a minute of three runs, each on a market of its own, so that rounds are few. They are judged as
single calls are, and ten minutes are the least that says anything. A run that breaks a promise is no measure of speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from harness.compare.api import require_the_api
from harness.compare.calls import CallFailed
from harness.compare.document import compare_document
from harness.compare.figure import LOAD_FIGURES
from harness.compare.rounds import Tick, run_rounds
from harness.compare.run import Options, told
from harness.compare.verdict import Measures
from harness.db.any_server import AnyServer
from harness.load.plan import Plan, Scenario
from harness.marketplace.subject import Subject
from harness.words.errors import ExitCode

WINDOW_S = 5.0
"""How long the users are at work in one run, seconds."""
BUDGET_S = 600.0
"""Of a comparison of load runs, unless told."""
ROUNDS_SHARE = 0.95
"""Of the budget, for rounds: a round that has begun is not cut off."""


@dataclass(frozen=True, slots=True)
class LoadRounds:
    """One operation, the scenario; each of its rounds is one run of each version."""

    scenario: str
    seed: int

    @property
    def operations(self) -> Sequence[str]:
        """The scenario alone."""
        return (self.scenario,)

    def calls(self, operation: str) -> int:
        """One run of each version."""
        del operation
        return 1

    def batches(self, operation: str) -> int:
        """As many as there is time for: every run makes its own stock."""
        del operation
        return 1_000_000


@dataclass(slots=True)
class LoadSide:
    """A version whose calls are load runs."""

    name: str
    subject: Subject
    server: AnyServer
    scenario: Scenario
    seed: int
    sessions: int = 1
    _runs: int = field(default=0, init=False)

    def warm(self, operation: str) -> None:
        """Nothing: every run begins with a database, an API and users of its own."""

    def call(self, operation: str, session: int) -> Measures:
        """One run; latencies, and the time per request, in nanoseconds. Raises ``CallFailed``."""
        del operation, session
        # Here, for the command line must start without the packages that it needs.
        from harness.load.run import run_load

        # The same draws on every side in the same round, others in the next.
        plan = Plan(self.scenario, self.subject, self.scenario.users, WINDOW_S, seed=self.seed + self._runs)
        self._runs += 1
        said: list[str] = []
        with TemporaryDirectory(prefix="harness-load-") as folder:
            document = run_load(self.server, plan, Path(folder), lambda _: None, said.append)
        if document["interrupted"]:
            raise KeyboardInterrupt
        if document["exit_code"] not in (ExitCode.HOLDS, ExitCode.INCONCLUSIVE) or not document["requests"]:
            raise CallFailed(f"the load run ended with {document['verdict']} ({_broken(document) or 'no requests'})")
        latency = document["closed_ms"]
        return {
            "p50": latency["p50"] * 1e6,
            "p90": latency["p90"] * 1e6,
            "pace": 1e9 / document["per_second"],
        }


def _broken(document: dict[str, Any]) -> str:
    return ", ".join(each["id"] for each in document["properties"] if each["verdict"] == "violated")


def compare_load(server: AnyServer, options: Options, scenario: Scenario, tick: Tick) -> dict[str, Any]:
    """Compare by load runs on an open server; the run document. Raises ``UsageError`` and ``CouldNotRun``."""
    began = monotonic()
    for subject in (options.base.subject, options.candidate.subject):
        if not scenario.direct:
            require_the_api(subject)
    subjects = {"base": options.base.subject, "candidate": options.candidate.subject, "control": options.base.subject}
    sides = [LoadSide(name, subject, server, scenario, options.seed) for name, subject in subjects.items()]
    rounds = LoadRounds(scenario.name, options.seed)
    courses, interrupted = run_rounds(
        sides,
        rounds,
        None,
        {side.name: side.name for side in sides},
        began + options.budget_s * ROUNDS_SHARE,
        tick,
        LOAD_FIGURES,
        fail_fast=options.fail_fast,
    )
    return compare_document(
        options,
        courses,
        figures=LOAD_FIGURES,
        leads=Plan(scenario, options.base.subject, scenario.users, WINDOW_S).leads,
        server=told(server, counted=False),
        functions={scenario.name: []},
        causes={},
        waits={},
        no_waits="harness load tells them of a single run",
        seconds=monotonic() - began,
        interrupted=interrupted,
    )
