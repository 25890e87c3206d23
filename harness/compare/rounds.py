"""Paired rounds in random order: every function on every side, again and again, until each is decided or time is up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import median
from time import monotonic

from harness.compare.calls import CallFailed
from harness.compare.measure import Counted, Counters
from harness.compare.plan import Plan
from harness.compare.side import SESSIONS, Batch, Side
from harness.compare.verdict import FunctionVerdict, Round, Word, judge, shared

Tick = Callable[[str, int, int], None]
"""Hears of an operation, its rounds so far, and whether it is slower (0 or 1)."""


@dataclass(slots=True)
class Course:
    """What was measured of one operation. ``reason`` says why it was not, or not to the end."""

    operation: str
    rounds: list[Round] = field(default_factory=list)
    latencies_ns: dict[str, list[int]] = field(default_factory=dict)
    verdict: FunctionVerdict | None = None
    reason: str = ""

    @property
    def decided(self) -> bool:
        return self.verdict is not None and self.verdict.word in (Word.SLOWER, Word.NO_SLOWDOWN)


def run_rounds(
    sides: Sequence[Side], plan: Plan, counters: Counters | None, databases: Mapping[str, str], until: float, tick: Tick
) -> tuple[list[Course], bool]:
    """Measure until everything is decided, the stock is used up or the clock says ``until`` (of ``monotonic``).

    ``databases`` is side to database. Returns the courses in the plan's order, and whether Ctrl-C ended it early.
    """
    courses = [Course(operation) for operation in plan.operations]
    random = Random(plan.stock.seed)
    try:
        for course in courses:
            _warm(course, sides)
        live = [course for course in courses if not course.reason]
        alphas = shared(len(live))
        going = list(live)
        while going and monotonic() < until:
            random.shuffle(going)
            for course in going:
                if monotonic() >= until:
                    break
                _one_round(course, sides, plan, counters, databases, random)
                course.verdict = judge(course.rounds, alphas)
                slower = course.verdict.word is Word.SLOWER
                tick(course.operation, len(course.rounds), int(slower))
            going = [each for each in going if _goes_on(each, plan)]
    except KeyboardInterrupt:
        return courses, True
    return courses, False


def _warm(course: Course, sides: Sequence[Side]) -> None:
    for side in sides:
        try:
            side.warm(course.operation)
        except CallFailed as failure:
            course.reason = f"{side.name} refuses: {failure}"
            return


def _goes_on(course: Course, plan: Plan) -> bool:
    if course.reason or course.decided:
        return False
    if len(course.rounds) >= plan.batches(course.operation):
        course.reason = "the stock is used up"
    return not course.reason


def _one_round(
    course: Course,
    sides: Sequence[Side],
    plan: Plan,
    counters: Counters | None,
    databases: Mapping[str, str],
    random: Random,
) -> None:
    order = random.sample(list(sides), len(sides))
    sessions = {side.name: random.randrange(SESSIONS) for side in sides}
    before = counters.read() if counters else {}
    batches: dict[str, Batch] = {}
    for side in order:
        try:
            batches[side.name] = side.batch(course.operation, sessions[side.name])
        except CallFailed as failure:
            course.reason = f"{side.name} refuses: {failure}"
            return
    after = counters.read() if counters else {}
    measured: dict[str, dict[str, float | None]] = {}
    for name, batch in batches.items():
        database = databases[name]
        measured[name] = {
            # Of the calls the one in the middle: in some of them somebody else has emptied the caches.
            "cpu": median(batch.cpu_ns) if batch.cpu_ns else None,
            "p50": median(batch.latencies_ns),
            **_counted(before.get(database), after.get(database), plan.calls(course.operation)),
        }
        course.latencies_ns.setdefault(name, []).extend(batch.latencies_ns)
    course.rounds.append(measured)


def _counted(before: Counted | None, after: Counted | None, calls: int) -> dict[str, float | None]:
    """Pages and bytes of WAL per call. A batch with images of full pages in its WAL says nothing of the function's."""
    if before is None or after is None:
        return {"buffers": None, "wal": None}
    images = after.page_images - before.page_images
    return {
        "buffers": (after.buffers - before.buffers) / calls,
        "wal": None if images else (after.wal_bytes - before.wal_bytes) / calls,
    }
