"""What may come of some programs: the outcomes of their serial orders, obtained by running them, and the judge.

The programs are their own sequential model. An outcome is right when it is that of some serial order of the programs
that had an effect, in which whoever returned before another was invoked also comes before it. Who was told to try again
had none, and needs a reason: a program that overlaps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations
from typing import NamedTuple

from harness.check.linearizability import overlapped
from harness.explore.sparse import Sparse
from harness.interleave.ground import Trial
from harness.interleave.programs import Task
from harness.interleave.rules import End, Rules
from harness.verify.story import tell_result
from harness.words.errors import UsageError
from harness.words.history import Call, EventKind, History, Result, Status
from harness.words.stage import DEADLOCK_DETECTED
from harness.words.verdict import Violation

PROGRAMS_MAX = 6
"""Six have 720 serial orders."""

INVARIANT, SERIALIZABLE, ASSERTION, ERRORS = "invariant", "serializable", "assertion", "errors"
NO_DEADLOCK = "no-deadlock"
"""The ids of what can be violated."""

_SHOWN_MAX = 4
_ALLOWED = "if the application tries again, say deadlocks=True"


class Outcome(NamedTuple):
    """``results`` in the order of the members."""

    results: tuple[Result, ...]
    end: End


class SerialOrders:
    """Runs the serial orders of any of the tasks, each once. ``stage`` makes a trial of some tasks."""

    def __init__(self, tasks: Sequence[Task], stage: Callable[[Sequence[Task]], Trial]) -> None:
        if not 1 <= len(tasks) <= PROGRAMS_MAX:
            raise UsageError(
                "programs",
                f"{len(tasks)} programs were to be interleaved",
                expected=f"1 to {PROGRAMS_MAX}: all their serial orders are run",
                remedy="let one program do the work of several, or race fewer of them",
            )
        self._tasks = tasks
        self._stage = stage
        self._known: dict[tuple[int, ...], Outcome] = {}

    def outcomes(self, members: Sequence[int]) -> dict[tuple[int, ...], Outcome]:
        """Order to outcome, for the tasks with these numbers."""
        return {order: self._outcome(order, members) for order in permutations(members)}

    def _outcome(self, order: tuple[int, ...], members: Sequence[int]) -> Outcome:
        programs = tuple(id(self._tasks[number].program) for number in order)
        if programs not in self._known:
            self._known[programs] = self._run(order)
        results, end = self._known[programs]
        return Outcome(tuple(results[order.index(member)] for member in members), end)

    def _run(self, order: tuple[int, ...]) -> Outcome:
        """One after the other: nobody is preempted, and who comes first has the lowest number."""
        trial = self._stage([self._tasks[number] for number in order])
        _, history = trial.run(Sparse(()))
        assert isinstance(history.final, End)
        return Outcome(tuple(call.result for call in _by_session(history)), history.final)

    def failing(self) -> list[tuple[Task, Result]]:
        """The tasks that succeed in no serial order of all, with what they end in."""
        outcomes = self.outcomes(range(len(self._tasks)))
        return [
            (task, next(iter(outcomes.values())).results[number])
            for number, task in enumerate(self._tasks)
            if all(outcome.results[number].status is not Status.OK for outcome in outcomes.values())
        ]


class Judge:
    """Says in which ways a history is wrong (``engine.campaign.Judge``)."""

    def __init__(self, tasks: Sequence[Task], serial: SerialOrders, rules: Rules) -> None:
        self._tasks = tasks
        self._serial = serial
        self._rules = rules

    def __call__(self, history: History) -> Iterator[Violation]:
        end = history.final
        assert isinstance(end, End)
        calls = _by_session(history)
        if end.broken:
            yield Violation(INVARIANT, end.broken)
        for task, call in zip(self._tasks, calls, strict=True):
            if call.result.code == "AssertionError":
                said = str(call.result.get("message")).strip().partition("\n")[0]
                yield Violation(ASSERTION, f"{task} failed an assertion of its own{said and f': {said}'}")
        yield from self._busy_alone(calls)
        if not self._rules.deadlocks:
            yield from self._deadlocked(history, calls)
        if self._rules.state is not None:
            yield from self._unserializable(calls, end)
        else:
            yield from self._unknown_errors(calls)

    def _busy_alone(self, calls: Sequence[Call]) -> Iterator[Violation]:
        for task, call in zip(self._tasks, calls, strict=True):
            if call.result.status is Status.BUSY and not overlapped(call, calls):
                yield Violation(
                    SERIALIZABLE, f"{task} was told to try again ({call.result.code}), but none overlaps it"
                )

    def _deadlocked(self, history: History, calls: Sequence[Call]) -> Iterator[Violation]:
        """Also where the victim catches the error: the event tells. Without an event, somebody's answer does."""
        for event in history.events:
            if event.kind is EventKind.DEADLOCK:
                circle = sorted({event.session, *event.peers})
                names = " and ".join(str(self._tasks[session]) for session in circle)
                yield Violation(NO_DEADLOCK, f"{names} waited for each other; {_ALLOWED}")
                return
        for task, call in zip(self._tasks, calls, strict=True):
            if call.result.code == DEADLOCK_DETECTED:
                yield Violation(NO_DEADLOCK, f"{task} ended in {DEADLOCK_DETECTED}; {_ALLOWED}")
                return

    def _unserializable(self, calls: Sequence[Call], end: End) -> Iterator[Violation]:
        members = [number for number, call in enumerate(calls) if call.result.status is not Status.BUSY]
        results = tuple(calls[number].result for number in members)
        possible = [
            outcome
            for order, outcome in self._serial.outcomes(members).items()
            if not any(calls[late].precedes(calls[early]) for at, late in enumerate(order) for early in order[:at])
        ]
        if any(outcome.results == results and outcome.end.rows == end.rows for outcome in possible):
            return
        valid = [str(outcome.end) for outcome in possible]
        if all(outcome.end.rows != end.rows for outcome in possible):
            yield Violation(SERIALIZABLE, f"state {end} matches no serial order; valid: {_some(valid)}")
            return
        seen = self._told(members, results, end)
        valid = [self._told(members, *outcome) for outcome in possible]
        yield Violation(SERIALIZABLE, f"{seen} matches no serial order; valid: {_some(valid)}")

    def _unknown_errors(self, calls: Sequence[Call]) -> Iterator[Violation]:
        """Without a state to compare, an error must at least be one that some serial order gives as well."""
        for number, (task, call) in enumerate(zip(self._tasks, calls, strict=True)):
            result = call.result
            if result.status is Status.FAILED and result.code != "AssertionError":
                outcomes = self._serial.outcomes(range(len(self._tasks))).values()
                if all(outcome.results[number].code != result.code for outcome in outcomes):
                    yield Violation(
                        ERRORS, f"{task} ended in {result.code}, as in no serial order: {task.said[result.code]}"
                    )

    def _told(self, members: Sequence[int], results: Sequence[Result], end: End) -> str:
        told = [f"{self._tasks[member]} → {tell_result(each)}" for member, each in zip(members, results, strict=True)]
        return f"{', '.join(told)}, state {end}"


def _by_session(history: History) -> list[Call]:
    return sorted(history.calls, key=lambda call: call.session)


def _some(texts: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(texts))
    more = f" and {len(distinct) - _SHOWN_MAX} more" if len(distinct) > _SHOWN_MAX else ""
    return " or ".join(distinct[:_SHOWN_MAX]) + more
