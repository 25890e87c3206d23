"""A campaign: one scenario under one strategy, run after run, judged and counted."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from harness.engine.execution import Chooser, Hang, Run
from harness.explore.strategy import Diverged, Strategy
from harness.words.history import History
from harness.words.schedule import count_preemptions
from harness.words.verdict import Violation


class Trial(Protocol):
    """A scenario on a subject, ready to be run as often as one likes."""

    def run(self, chooser: Chooser) -> tuple[Run, History]:
        """Restore the start, run under ``chooser``, read the end. Raises ``Hang`` and whatever the chooser raises."""


Judge = Callable[[History], Iterable[Violation]]
Labels = Callable[[History], Mapping[str, int]]
Note = Callable[[Run, History, Collection[str]], None]
"""Told of every run that counts, with the properties that it broke."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A run that broke a property. ``schedule_number`` counts the runs of its campaign from 1."""

    violation: Violation
    run: Run
    history: History
    preemptions: int
    schedule_number: int

    @property
    def size(self) -> tuple[int, int]:
        """What shrinking makes small: preemptions first, then steps."""
        return self.preemptions, self.run.steps


@dataclass(slots=True)
class Tally:
    """What a campaign has seen so far."""

    schedules: int = 0
    distinct: set[int] = field(default_factory=set)
    """Hashes of the distinct traces (64 bits: a collision among a million is a chance of one in 36 million)."""
    steps: Counter[int] = field(default_factory=Counter)
    """Runs by their number of steps."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Runs by what the clients were told and what was there in the end."""
    labels: Counter[str] = field(default_factory=Counter)
    """In how many runs each label was seen."""
    violating: Counter[str] = field(default_factory=Counter)
    """In how many runs each property was broken."""
    findings: dict[str, Finding] = field(default_factory=dict)
    """The smallest run that broke each property."""
    drawn: Counter[str] = field(default_factory=Counter)
    """Runs by the strategy that proposed them."""
    hang: Hang | None = None
    """The run that did not come to its end, if there was one; the campaign ended there."""
    diverged: Diverged | None = None
    """The run that was not the same again, if there was one; the campaign ended there."""

    @property
    def total_steps(self) -> int:
        return sum(steps * runs for steps, runs in self.steps.items())


@lru_cache(maxsize=100_000)
def _name(key: object) -> str:
    return hashlib.sha256(repr(key).encode()).hexdigest()[:12]


def fingerprint(history: History) -> str:
    """A short name for what the clients were told and what was there in the end, whatever the schedule."""
    calls = sorted(history.calls, key=lambda call: (call.session, call.invoked))
    return _name((tuple([(call.session, call.result) for call in calls]), history.final))


class Campaign:
    """Runs a trial under a strategy. What it does depends on the seed and the program alone, never on time: whoever
    calls ``advance`` decides when to stop.

    ``digest`` is a fingerprint of all schedules and outcomes so far: two campaigns that agree on it did the same.
    """

    def __init__(
        self, trial: Trial, strategy: Strategy, judge: Judge, labels: Labels, note: Note | None = None
    ) -> None:
        self._trial = trial
        self.strategy = strategy
        self._judge = judge
        self._labels = labels
        self._note = note
        self.tally = Tally()
        self.finished = False
        self.last_history: History | None = None
        self._fingerprint = hashlib.sha256()

    @property
    def digest(self) -> str:
        return self._fingerprint.hexdigest()[:16]

    def advance(self) -> bool:
        """One more schedule. False when the strategy has none left, or a run did not come to its end."""
        if self.finished or not self.strategy.begin():
            self.finished = True
            return False
        try:
            run, history = self._trial.run(self.strategy)
            self.strategy.end(run.decisions)
        except Hang as hang:
            self.tally.hang = hang
            self.finished = True
            return False
        except Diverged as diverged:
            self.tally.diverged = diverged
            self.finished = True
            return False
        self._count(run, history)
        return True

    def _count(self, run: Run, history: History) -> None:
        tally = self.tally
        self.last_history = history
        tally.schedules += 1
        tally.steps[run.steps] += 1
        trace = bytes([decision.chosen for decision in run.decisions])
        self._fingerprint.update(trace)
        tally.distinct.add(int.from_bytes(hashlib.blake2b(trace, digest_size=8).digest(), "big"))
        tally.drawn[self.strategy.part] += 1
        outcome = fingerprint(history)
        tally.outcomes[outcome] += 1
        self._fingerprint.update(outcome.encode())
        tally.labels.update(self._labels(history).keys())
        preemptions = -1
        broken = set()
        for violation in self._judge(history):
            if preemptions < 0:
                preemptions = count_preemptions(run.decisions)
            broken.add(violation.property)
            finding = Finding(violation, run, history, preemptions, tally.schedules)
            best = tally.findings.get(violation.property)
            if best is None or finding.size < best.size:
                tally.findings[violation.property] = finding
        tally.violating.update(broken)
        if self._note is not None:
            self._note(run, history, broken)
