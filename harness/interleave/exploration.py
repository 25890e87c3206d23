"""Programs under many schedules: what was found, how small it is, whether it comes again, and how much was explored.

The result is plain data, like the run document of a verification; ``harness.report.interleaving`` renders it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from harness.engine.campaign import Campaign, Finding, Tally, fingerprint
from harness.engine.execution import Hang, Run
from harness.engine.shrink import Shrinker
from harness.explore.exhaustive import Exhaustive
from harness.explore.mixture import Mixture
from harness.explore.sparse import Sparse
from harness.explore.strategies import STRATEGIES
from harness.explore.strategy import Diverged
from harness.interleave.ground import Ground, Trial
from harness.interleave.programs import Task
from harness.interleave.rules import End, Rules
from harness.interleave.serial import Judge, SerialOrders
from harness.stats.miss_bound import miss_bound
from harness.unwinding import noting_interrupt
from harness.verify.certificate import ENOUGH_PREEMPTIONS, certify, opaque_places
from harness.verify.repeat import Repeating, reproduced, run_again
from harness.verify.story import tell_result, tell_run
from harness.words.errors import UsageError
from harness.words.history import EventKind, History, Result, Status
from harness.words.recording import Recording
from harness.words.schedule import Schedule
from harness.words.verdict import Certificate, Verdict, Violation

SUBJECT = "the functions of the test's database"
"""What a schedule file of a test calls its subject."""


_MISTAKE_CLASS = "42"
"""SQLSTATEs of syntax errors, unknown names and missing privileges."""
_MISTAKES = {"AttributeError", "ImportError", "ModuleNotFoundError", "NameError", "SyntaxError", "TypeError"}


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. ``test`` names the test and the call in it; ``preemptions`` bounds an exhaustive search."""

    test: str
    schedules: int
    strategy: str
    preemptions: int | None
    isolation: str
    role: str
    seed: int
    replays: int = 10


class Exploration:
    """Tasks on prepared ground under the rules, by one order.

    ``document`` is made by ``explore`` or ``replay``; ``recording`` is set when something was found.
    """

    def __init__(self, ground: Ground, tasks: Sequence[Task], rules: Rules, order: Order) -> None:
        self._ground = ground
        self._tasks = tuple(tasks)
        self._rules = rules
        self._order = order
        self._trial = self._stage(tasks)
        self._serial = SerialOrders(self._tasks, self._stage)
        self._judge = Judge(self._tasks, self._serial, rules)
        self._found_after_s = 0.0
        self.recording: Recording | None = None

    def _stage(self, tasks: Sequence[Task]) -> Trial:
        return Trial(self._ground, tasks, self._rules, self._order.isolation, self._order.role)

    def explore(self) -> dict[str, Any]:
        """Run schedules until something is found, the number is reached, or none is left; then make it small."""
        order = self._order
        if failing := self._serial.failing():
            return self._document(Verdict.NOT_EXERCISED, _says_who_fails(failing))
        strategy = STRATEGIES[order.strategy](order.seed, order.preemptions)
        campaign = Campaign(Repeating(self._trial, order.replays), strategy, self._judge, self._labels)
        tally = campaign.tally
        began = time.monotonic()
        with noting_interrupt() as interrupted:
            while tally.schedules < order.schedules and not tally.findings and campaign.advance():
                if interrupted.is_set():
                    raise KeyboardInterrupt
        self._found_after_s = time.monotonic() - began
        enumerates = strategy if isinstance(strategy, Exhaustive | Mixture) else None
        bound = enumerates.completed_bound if enumerates else None
        opaque = opaque_places(self._ground.plan, order.isolation)
        explored = certify(
            complete=enumerates is not None and enumerates.complete,
            completed_bound=bound,
            sampled=bool(sum(tally.drawn.values()) - tally.drawn["exhaustive"]),
            miss=miss_bound(tally.drawn["urw"]) if tally.drawn["urw"] and not tally.findings else None,
            opaque=bool(opaque),
            broken_off=bool(tally.hang or tally.diverged),
            wanted=ENOUGH_PREEMPTIONS if order.preemptions is None else order.preemptions,
        )
        figures = {
            "certificate": explored.certificate.value,
            "explored": str(explored),
            "schedules": tally.schedules,
            "distinct_schedules": len(tally.distinct),
            "distinct_outcomes": len(tally.outcomes),
            "steps_median": median(tally.steps.elements()) if tally.steps else 0,
            "labels": dict(sorted(tally.labels.items())),
            "opaque": list(opaque),
        }
        if tally.findings:
            found = min(tally.findings.values(), key=lambda finding: finding.size)
            return self._explain(found, bound) | figures
        if tally.hang is not None:
            return self._document(Verdict.HANG, f"{tally.hang.why}\n{tally.hang.picture}") | figures
        if tally.diverged is not None:
            return self._document(Verdict.NONDETERMINISTIC, str(tally.diverged)) | figures
        if why := self._not_exercised(tally):
            return self._document(Verdict.NOT_EXERCISED, why) | figures
        return self._document(Verdict.HOLDS) | figures

    def replay(self, recording: Recording) -> dict[str, Any]:
        """Run the schedule of a recording once. Raises ``UsageError`` when it was made of other functions or rules."""
        for what, recorded, present in (
            ("the functions in the database", recording.subject_digest, self._ground.digest),
            ("the programs, or the rules of interleave,", recording.scenario_digest, self._digest),
        ):
            if recorded != present:
                raise UsageError(
                    "other-version",
                    f"{what} are others than those that the schedule was recorded on ({recorded}, not {present})",
                    expected="the same: a schedule says nothing about another version",
                    remedy="take that version, or run the test without --harness-replay",
                )
        again = run_again(self._trial, recording.decisions, recording.events, recording.outcome)
        if again.made is None or again.difference:
            return self._document(Verdict.NONDETERMINISTIC, f"the run was not the recorded one: {again.difference}")
        run, history = again.made
        violation = next((each for each in self._judge(history) if each.property == recording.property), None)
        if violation is None:
            return self._document(Verdict.HOLDS)
        finding = Finding(violation, run, history, recording.preemptions, 0)
        return self._counterexample(finding, recording.proved_minimum, replays=1, reproduced=1)

    def once(self, schedule: Schedule) -> tuple[dict[str, Any], Run, History]:
        """One schedule, judged."""
        # Of what is drawn, some may be refused whatever the order; but not for a mistake of the program's own.
        if mistaken := [each for each in self._serial.failing() if _is_mistake(each[1].code)]:
            raise UsageError("vacuous", _says_who_fails(mistaken), remedy="mend the program")
        run, history = self._trial.run(Sparse(schedule))
        violation = next(iter(self._judge(history)), None)
        if violation is None:
            return self._document(Verdict.HOLDS), run, history
        finding = Finding(violation, run, history, 0, 1)
        return self._counterexample(finding, False, replays=0, reproduced=0), run, history

    def results(self, history: History) -> list[str]:
        """What came of each program, as a report has it."""
        return [tell_result(call.result) for call in sorted(history.calls, key=lambda call: call.session)]

    # -- what was found ---------------------------------------------------------------------------------------

    def _explain(self, finding: Finding, completed: int | None) -> dict[str, Any]:
        clean_up_to = None if completed is None else min(completed, finding.preemptions - 1)
        number = finding.schedule_number
        try:
            shrunk = Shrinker(self._trial, self._judge).shrink(finding, clean_up_to=clean_up_to)
            finding, proved = shrunk.finding, shrunk.proved
        except (Hang, Diverged):
            proved = False  # the replays say how faithful the run is
        self.recording = recording = self._record(finding, proved)
        again = reproduced(self._trial, recording, self._order.replays)
        finding = replace(finding, schedule_number=number)
        return self._counterexample(finding, proved, replays=self._order.replays, reproduced=again)

    def _record(self, finding: Finding, proved: bool) -> Recording:
        return Recording(
            subject=SUBJECT,
            subject_digest=self._ground.digest,
            scenario=self._order.test,
            scenario_digest=self._digest,
            isolation=self._order.isolation,
            property=finding.violation.property,
            why=finding.violation.why,
            preemptions=finding.preemptions,
            proved_minimum=proved,
            decisions=tuple(finding.run.decisions),
            events=tuple(finding.run.events),
            outcome=fingerprint(finding.history),
        )

    @property
    def _digest(self) -> str:
        rules = (self._rules.reset, self._rules.invariant, self._rules.state, self._order.isolation, self._order.role)
        parts = [part if isinstance(part, str) else getattr(part, "__qualname__", "") for part in rules]
        parts.append(f"deadlocks={self._rules.deadlocks}")
        return hashlib.sha256(repr([[task.name for task in self._tasks], parts]).encode()).hexdigest()[:16]

    def _counterexample(self, finding: Finding, proved: bool, *, replays: int, reproduced: int) -> dict[str, Any]:
        start, final = finding.history.start, finding.history.final
        assert isinstance(start, End)
        assert isinstance(final, End)
        names = [task.name for task in self._tasks]
        story = tell_run(names, self._ground.plan, finding.run, replace(finding.history, start=None, final=None))
        story |= {"start": {"rows": start.items()}, "final": {"rows": final.items()}}
        if self._rules.state is None:
            del story["start"], story["final"]
        violated = replays == reproduced
        return self._document(Verdict.VIOLATED if violated else Verdict.NONDETERMINISTIC, finding.violation.why) | {
            "counterexample": {
                "property": finding.violation.property,
                "broken": _by_property(self._judge(finding.history)),
                "scenario": " and ".join(names),
                "isolation": self._order.isolation,
                "preemptions": finding.preemptions,
                "proved_minimum": proved,
                "steps": finding.run.steps,
                "found_after_schedules": finding.schedule_number,
                "found_after_seconds": round(self._found_after_s, 3),
                "replays": replays,
                "reproduced": reproduced,
                "story": story,
            }
        }

    # -- how much was explored --------------------------------------------------------------------------------

    def _labels(self, history: History) -> Mapping[str, int]:
        calls = history.calls
        found = {event.kind.value for event in history.events if event.kind in (EventKind.WAIT, EventKind.DEADLOCK)}
        found |= {call.result.status.value for call in calls if call.result.status in (Status.BUSY, Status.FAILED)}
        if any(one.overlaps(other) for one in calls for other in calls if one.session < other.session):
            found.add("overlap")
        return dict.fromkeys(found, 1)

    def _not_exercised(self, tally: Tally) -> str:
        """Why a pass would prove nothing; empty when it does."""
        if len(self._tasks) == 1 or tally.labels["overlap"]:
            return ""
        if max(tally.steps) > len(self._tasks):
            return f"the programs overlapped in none of {tally.schedules} schedules"
        points = "" if self._ground.plan.points else ", and no function in the database has a scheduling point"
        return f"the programs cannot overlap: each is one step{points}"

    def _document(self, verdict: Verdict, why: str = "") -> dict[str, Any]:
        return {
            "test": self._order.test,
            "programs": [task.name for task in self._tasks],
            "isolation": self._order.isolation,
            "seed": self._order.seed,
            "points": len(self._ground.plan.points),
            "verdict": verdict.value,
            "why": why,
            "certificate": Certificate.INCONCLUSIVE.value,
            "explored": "",
            "schedules": 0,
            "distinct_schedules": 0,
            "distinct_outcomes": 0,
            "labels": {},
            "opaque": [],
            "counterexample": None,
        }


def _by_property(violations: Iterable[Violation]) -> dict[str, str]:
    whys: dict[str, list[str]] = {}
    for each in violations:
        whys.setdefault(each.property, []).append(each.why)
    return {name: "; ".join(told) for name, told in whys.items()}


def _is_mistake(code: str) -> bool:
    return code.startswith(_MISTAKE_CLASS) or code in _MISTAKES


def _says_who_fails(failing: Sequence[tuple[Task, Result]]) -> str:
    parts = [
        f"{task} ends in {result.code} in every serial order ({task.said[result.code]})" for task, result in failing
    ]
    return f"{'; '.join(parts)}: what it tests is never reached"
