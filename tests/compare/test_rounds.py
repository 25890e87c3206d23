"""Rounds without a server: who is called when, when it ends, and what is left after Ctrl-C."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from time import monotonic

import pytest

from harness.compare.calls import CallFailed
from harness.compare.measure import Counted
from harness.compare.plan import ROUNDS_MAX, Plan, plan_for
from harness.compare.rounds import ENOUGH, Course, _counted, _turns, run_rounds
from harness.compare.side import Side
from harness.compare.verdict import Measures, Word, judge, shared
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from tests.compare.rounds import rounds

REFERENCE = load_subject("reference", bundled("sql"))
NAMES = ("base", "candidate", "control")


class Made(Side):
    """A side whose calls take a made-up time, and whose ``trouble`` hears of each of them."""

    def __init__(self, name: str, plan: Plan, factor: float, trouble: Callable[[str], None], log: list[str]) -> None:
        super().__init__(name, REFERENCE, "", plan, local=False)
        self._random, self._factor, self._trouble, self._log = Random(name), factor, trouble, log

    def warm(self, operation: str) -> None:
        self._trouble(operation)

    def call(self, operation: str, session: int) -> Measures:
        self._trouble(operation)
        self._log.append(f"{self.name} {operation} {session}")
        time = 100_000 * self._factor * self._random.uniform(1, 1.05)
        return {"p50": 2 * time, "cpu": time}


def ran(
    factor: float = 1.0,
    trouble: Callable[[str], None] = lambda _: None,
    *,
    seed: int = 0,
    seconds: float = 60,
    only: tuple[str, ...] = ("read", "top_up"),
    fail_fast: bool = False,
) -> tuple[dict[str, Course], bool, list[str]]:
    plan, log = plan_for([REFERENCE], seed, only=only), list[str]()
    sides = [Made(name, plan, factor if name == "candidate" else 1.0, trouble, log) for name in NAMES]
    databases = {name: name for name in NAMES}
    courses, interrupted = run_rounds(
        sides, plan, None, databases, monotonic() + seconds, lambda *_: None, fail_fast=fail_fast
    )
    return {course.operation: course for course in courses}, interrupted, log


@pytest.mark.parametrize(("factor", "word"), [(1.0, Word.NO_SLOWDOWN), (1.2, Word.SLOWER)])
def test_it_ends_as_soon_as_it_is_decided_either_way(factor: float, word: Word) -> None:
    courses, interrupted, _ = ran(factor)
    assert not interrupted
    for course in courses.values():
        assert course.verdict is not None
        assert course.verdict.word is word
        assert course.rounds <= 24


def test_the_seed_decides_who_is_called_when() -> None:
    (_, _, one), (_, _, same), (_, _, other) = ran(seed=1), ran(seed=1), ran(seed=2)
    assert one == same != other
    firsts = {one[place].split()[0] for place in range(0, len(one) - 3)}
    assert firsts == set(NAMES)


def test_each_side_has_as_many_calls_as_the_others() -> None:
    """Of a side that is called less often every call would find less in the processor's caches, and be slower."""
    _, _, log = ran(only=("top_up",))
    calls = Counter(each.split()[0] for each in log)
    assert len(calls) == 3
    assert len(set(calls.values())) == 1


def test_it_can_end_with_the_first_that_is_slower() -> None:
    found, _, _ = ran(1.2, only=("mark_sold", "top_up"), fail_fast=True)
    courses = list(found.values())
    (slower,) = [each for each in courses if each.slower]
    (other,) = [each for each in courses if not each.slower]
    assert (slower.reason, other.reason) == ("", ENOUGH)
    assert other.verdict is not None
    assert other.verdict.word is Word.CANNOT_TELL


def test_what_looks_slower_gets_more_rounds() -> None:
    """All are too near to their limit to be decided, but only one is above it."""
    log: list[str] = []

    class Timed(Made):
        def call(self, operation: str, session: int) -> Measures:
            self._log.append(f"{operation} {session}")
            time = 100_000 * self._random.uniform(1, 1.5)
            if self.name == "candidate":
                time *= 1.07 if operation == "top_up" else 1.03
            return {"p50": time, "cpu": time}

    plan = plan_for([REFERENCE], 0, only=("mark_sold", "refund", "read", "top_up"), rounds=400)
    sides: list[Side] = [Timed(name, plan, 1.0, lambda _: None, log) for name in NAMES]
    clock = iter(range(10_000))
    databases = {name: name for name in NAMES}
    courses, _ = run_rounds(sides, plan, None, databases, 1000, lambda *_: None, now=clock.__next__)
    asked = Counter(each.split()[0] for each in log)
    assert asked["top_up"] > 2 * asked["mark_sold"] > 0
    doubts = {each.operation: each.doubt for each in courses}
    assert doubts["mark_sold"] is doubts["refund"] is doubts["read"] is None
    assert doubts["top_up"] is not None
    assert doubts["top_up"] > 1


def test_the_suspect_has_half_of_the_time_and_is_the_one_nearest_to_a_verdict() -> None:
    def course(operation: str, latest: float, factor: float, noise: float = 0.0) -> Course:
        measured = rounds(20, cpu=factor, noise=noise)
        verdict = judge(measured, shared(13))
        return Course(operation, rounds=20, measured=measured, verdict=verdict, latest=latest)

    fine = [course("read", 1.0, 1.0), course("sweep", 5.0, 1.0)]
    near, far = course("buy", 0.5, 1.12, 0.15), course("request", 0.5, 1.08, 0.15)
    assert near.doubt is not None
    assert far.doubt is not None
    assert near.doubt < far.doubt
    assert Counter(each.operation for each in _turns(fine)) == {"read": 1, "sweep": 1}
    # 13 rounds of half a second are as long as 1 + 5 + 0.5 seconds.
    turns = Counter(each.operation for each in _turns([far, *fine, near]))
    assert turns == {"read": 1, "sweep": 1, "request": 1, "buy": 13}
    assert Counter(each.operation for each in _turns([near])) == {"buy": 1}


def test_what_cannot_be_decided_ends_with_the_stock() -> None:
    courses, _, log = ran(1.05, only=("complete_credit",))
    course = courses["complete_credit"]
    assert course.verdict is not None
    assert course.verdict.word is Word.CANNOT_TELL
    assert (course.rounds, course.reason) == (ROUNDS_MAX, "the stock is used up")
    assert sum(each.startswith("base ") for each in log) == 16 * 2 + (course.rounds - 16) * 6


def test_no_time_is_no_verdict() -> None:
    courses, interrupted, log = ran(seconds=0)
    assert (interrupted, log) == (False, [])
    assert [course.verdict for course in courses.values()] == [None, None]


def test_what_is_refused_stops_and_the_others_go_on() -> None:
    def refuse(operation: str) -> None:
        if operation == "read":
            raise CallFailed("closed")

    courses, _, _ = ran(trouble=refuse)
    assert (courses["read"].reason, courses["read"].verdict) == ("base refuses: closed", None)
    assert courses["top_up"].decided


def test_after_ctrl_c_what_was_measured_is_judged() -> None:
    left = [200]

    def press(_: str) -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    courses, interrupted, _ = ran(1.05, press)
    assert interrupted
    assert all(course.verdict is not None for course in courses.values() if course.measured)
    assert any(course.measured for course in courses.values())


def test_counters_that_go_backwards_tell_nothing() -> None:
    before, after = Counted(100, 5000, 0), Counted(90, 5600, 0)
    assert _counted(before, after, 2) == {"buffers": None, "wal": None}
    assert _counted(after, Counted(110, 6000, 0), 2) == {"buffers": 10, "wal": 200}
