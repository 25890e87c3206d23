"""Paired rounds in random order: every function on every side, again and again, until each is decided or time is up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, log1p
from random import Random
from time import monotonic
from typing import Protocol

from harness.compare.calls import CallFailed
from harness.compare.figure import FIGURES, Figure
from harness.compare.measure import Counted, Counters
from harness.compare.verdict import FunctionVerdict, Measures, Round, Word, judge, shared

SHORT, SHORT_CALLS = 16, 2
"""The first rounds are so many, and so short: pages and bytes hardly vary, and are decided by the number of rounds."""
LOOK_EVERY = 3
"""Rounds from look to look. More looks would cost nothing but the time to compute them."""
SUSPECTS_SHARE = 0.5
"""Of the time, for the one operation that looks slower and is nearest to being known to be. Who gets it follows from
what was measured before, and limits that hold at every look allow that."""

USED_UP = "the stock is used up"
NO_TIME = "no time was left for a round"
ENOUGH = "another is slower, and that was enough"

Tick = Callable[[str, int, int], None]
"""Hears of an operation, its rounds so far, and whether it is slower (0 or 1)."""


class Caller(Protocol):
    """One of base, candidate and control, as far as rounds know it."""

    @property
    def name(self) -> str:
        """Which of them."""

    @property
    def sessions(self) -> int:
        """How many there are to choose from for a call."""

    def warm(self, operation: str) -> None:
        """What is done only once is done now. Raises ``CallFailed``."""

    def call(self, operation: str, session: int) -> Measures:
        """The next call of an operation. Raises ``CallFailed``."""


class Agenda(Protocol):
    """What is to be called."""

    @property
    def operations(self) -> Sequence[str]:
        """In the order of the report."""

    @property
    def seed(self) -> int:
        """Of the order of the rounds."""

    def calls(self, operation: str) -> int:
        """How many a round has of each side."""

    def batches(self, operation: str) -> int:
        """How many rounds there can be."""


@dataclass(slots=True)
class Course:
    """What was measured of one operation in so many ``rounds``. ``reason`` says why it was not, or not to the end."""

    operation: str
    rounds: int = 0
    measured: list[Round] = field(default_factory=list)
    """For every call of a round its latency and processor time, and for every round its pages and bytes."""
    latencies_ns: dict[str, list[int]] = field(default_factory=dict)
    verdict: FunctionVerdict | None = None
    reason: str = ""
    latest: float = 0.0
    """How long its last round took, seconds: none is begun that the time is not enough for."""

    @property
    def slower(self) -> bool:
        return self.verdict is not None and self.verdict.word is Word.SLOWER

    @property
    def doubt(self) -> float | None:
        """How far it is from being known to be slower, for one that looks so and may not be; else None.

        The uncertainty downwards over the distance to the limit: at 1 it is known.
        """
        doubts = [
            (each.increase.middle - each.increase.lower) / (each.increase.middle - log1p(each.figure.limit))
            for each in (self.verdict.figures if self.verdict is not None else ())
            if each.word is Word.CANNOT_TELL
            and not each.off
            and each.increase is not None
            and isfinite(each.increase.lower)
            and each.increase.middle > log1p(each.figure.limit)
        ]
        return min(doubts, default=None)

    @property
    def decided(self) -> bool:
        return self.verdict is not None and self.verdict.word in (Word.SLOWER, Word.NO_SLOWDOWN)


def run_rounds(
    sides: Sequence[Caller],
    plan: Agenda,
    counters: Counters | None,
    databases: Mapping[str, str],
    until: float,
    tick: Tick,
    figures: Sequence[Figure] = FIGURES,
    *,
    fail_fast: bool = False,
    now: Callable[[], float] = monotonic,
) -> tuple[list[Course], bool]:
    """Measure until everything is decided, the stock is used up or ``now`` says ``until``.

    With ``fail_fast`` also when the first is slower. ``databases`` is side to database. Returns the courses in the
    plan's order, and whether Ctrl-C ended it early.
    """
    courses = [Course(operation) for operation in plan.operations]
    random, interrupted = Random(plan.seed), False

    def enough() -> bool:
        return fail_fast and any(course.slower for course in courses)

    def over() -> bool:
        return now() >= until or enough()

    try:
        for course in courses:
            _warm(course, sides)
        live = [course for course in courses if not course.reason]
        alphas = shared(len(courses), figures)
        going = list(live)
        while going and not over():
            turns = _turns(going)
            random.shuffle(turns)
            for course in turns:
                if over():
                    break
                began = now()
                if not _goes_on(course, plan) or began + course.latest >= until:
                    continue
                _one_round(course, sides, plan, counters, databases, random)
                if course.rounds % LOOK_EVERY == 0 or course.reason:
                    course.verdict = judge(course.measured, alphas, figures) if course.measured else None
                course.latest = now() - began
                tick(course.operation, course.rounds, int(course.slower))
            going = [each for each in going if _goes_on(each, plan) and now() + each.latest < until]
    except KeyboardInterrupt:
        interrupted = True
    for course in courses:
        if not course.decided and not course.reason:
            course.reason = ENOUGH if enough() else "" if course.rounds or interrupted else NO_TIME
        if course.measured and not course.decided:
            course.verdict = judge(course.measured, shared(len(courses), figures), figures)
    return courses, interrupted


def _turns(going: Sequence[Course]) -> list[Course]:
    """One round of each, and more of the suspect, so that it has its share of the time."""
    measured = [(number, course) for number, course in enumerate(going) if course.latest]
    doubts = [(doubt, number) for number, course in measured if (doubt := course.doubt) is not None]
    if not doubts:
        return list(going)
    suspect = going[min(doubts)[1]]
    others = sum(course.latest for course in going if course is not suspect)
    more = round(others / suspect.latest * SUSPECTS_SHARE / (1 - SUSPECTS_SHARE)) - 1
    return [*going, *[suspect] * more]


def _warm(course: Course, sides: Sequence[Caller]) -> None:
    for side in sides:
        try:
            side.warm(course.operation)
        except CallFailed as failure:
            course.reason = f"{side.name} refuses: {failure}"
            return


def _goes_on(course: Course, plan: Agenda) -> bool:
    if course.reason or course.decided:
        return False
    if course.rounds >= plan.batches(course.operation):
        course.reason = USED_UP
    return not course.reason


def _one_round(
    course: Course,
    sides: Sequence[Caller],
    plan: Agenda,
    counters: Counters | None,
    databases: Mapping[str, str],
    random: Random,
) -> None:
    before = counters.read() if counters else {}
    calls: list[Round] = []
    count = plan.calls(course.operation)
    for _ in range(count if course.rounds >= SHORT else min(count, SHORT_CALLS)):
        call: dict[str, Measures] = {}
        # One by one, in an order that nobody can foresee: whatever the machine does meanwhile, it does to all. Each has
        # as many calls as the others: who is called less often finds less in the processor's caches.
        for side in random.sample(sides, len(sides)):
            try:
                measured = side.call(course.operation, random.randrange(side.sessions))
            except CallFailed as failure:
                course.reason = f"{side.name} refuses: {failure}"
                return
            call[side.name] = measured
            course.latencies_ns.setdefault(side.name, []).append(round(measured["p50"] or 0))
        calls.append(call)
    after = counters.read() if counters else {}
    course.measured += calls
    course.measured.append(
        {
            side.name: _counted(before.get(databases[side.name]), after.get(databases[side.name]), len(calls))
            for side in sides
        }
    )
    course.rounds += 1


def _counted(before: Counted | None, after: Counted | None, calls: int) -> dict[str, float | None]:
    """Pages and bytes of WAL per call. A batch with images of full pages in its WAL says nothing of the function's."""
    if before is None or after is None:
        return {"buffers": None, "wal": None}
    images = after.page_images - before.page_images
    buffers, wal = after.buffers - before.buffers, after.wal_bytes - before.wal_bytes
    if buffers < 0 or wal < 0:
        # The server has forgotten a statement, for it has to keep count of too many.
        return {"buffers": None, "wal": None}
    return {"buffers": buffers / calls, "wal": None if images else wal / calls}
