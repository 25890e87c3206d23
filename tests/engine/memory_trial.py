"""Scenarios in memory: a stage, an execution and a recorder, put up anew for every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from unittest.mock import patch

from harness.engine import execution
from harness.engine.execution import Chooser, Execution, Run
from harness.engine.recorder import Recorder
from harness.explore.strategy import Strategy
from harness.words.history import Event, EventKind, History

from .memory_server import Data, Latency, Statement
from .memory_stage import MemoryStage, at_once, perform

Operation = Sequence[Statement]
Sessions = Sequence[Sequence[Operation] | int]
"""The operations of each session; an int is a canceller of that session."""


def calls(*statements: str) -> list[Operation]:
    """A session that makes one call after the other, each of one statement: ``calls("1 +a 2", "3")``."""
    return [[statement.split()] for statement in statements]


class MemoryTrial:
    """See ``harness.engine.campaign.Trial``; ``latency`` is asked by each run in turn."""

    def __init__(
        self, sessions: Sessions, start: Mapping[str, int] | None = None, *, latency: Latency = at_once, **stage: Any
    ) -> None:
        self.sessions = sessions
        self.latency = latency
        self.hang_after_s = 10.0
        self.max_steps = 100_000
        self._start: Data = dict(start or {})
        self._stage = stage

    def run(self, chooser: Chooser) -> tuple[Run, History]:
        recorder = Recorder()
        cast = [
            program if isinstance(program, int) else recorder.program(number, program, perform)
            for number, program in enumerate(self.sessions)
        ]
        self.stage = stage = MemoryStage(cast, latency=self.latency, **self._stage)
        stage.server.data.update(self._start)
        with patch.object(execution, "time", stage):
            run = Execution(stage, hang_after_s=self.hang_after_s, max_steps=self.max_steps).run(chooser, recorder)
        final = tuple(sorted(stage.server.data.items()))
        return run, History(recorder.calls(), None, final, tuple(run.events))


def play(trial: MemoryTrial, strategy: Strategy) -> tuple[Run, History]:
    """The next run of a strategy."""
    assert strategy.begin()
    run, history = trial.run(strategy)
    strategy.end(run.decisions)
    return run, history


def told(run: Run, *kinds: EventKind) -> list[tuple[Any, ...]]:
    """The events of a run, of these kinds or all, as (step, session, word, SQLSTATE and peers)."""
    return [tell(event) for event in run.events if not kinds or event.kind in kinds]


def tell(event: Event) -> tuple[Any, ...]:
    return (event.step, event.session, event.kind.value, *([event.detail] if event.detail else []), *event.peers)


def trace(run: Run) -> list[int]:
    return [decision.chosen for decision in run.decisions]
