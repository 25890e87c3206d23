"""The order of a verification: bounds 0 and 1 completely, then the enumeration and the samplers in turn."""

from __future__ import annotations

from collections import Counter

from harness.explore.exhaustive import Exhaustive
from harness.explore.mixture import PAUSE_MAX, Mixture
from harness.words.schedule import Decision, count_preemptions

from .simulator import Program, every_run, run, trace

PROGRAM: Program = (("a", "+x", "b", "-x"), ("+x", "c", "-x", "d"), ("e", "f"))


def parts(strategy: Mixture, limit: int = 1_000_000) -> list[tuple[str, list[Decision]]]:
    runs = []
    for _ in range(limit):
        if not strategy.begin():
            break
        decisions, _log = run(PROGRAM, strategy.choose)
        strategy.end(decisions)
        runs.append((strategy.part, decisions))
    return runs


def test_bounds_0_and_1_come_first_then_the_samplers_alternate_with_the_enumeration() -> None:
    few = [decisions for decisions in every_run(PROGRAM) if count_preemptions(decisions) <= 1]
    runs = parts(Mixture(1), len(few) + 12)
    head, tail = runs[: len(few)], runs[len(few) :]
    assert {part for part, _ in head} == {"exhaustive"}
    assert sorted(trace(decisions) for _, decisions in head) == sorted(map(trace, few))
    assert [part for part, _ in tail if part != "exhaustive"][:4] == ["urw", "pct", "random", "urw"]
    assert all(count_preemptions(decisions) == 2 for part, decisions in tail if part == "exhaustive")


def test_it_ends_when_every_schedule_was_run() -> None:
    strategy = Mixture(1)
    runs = parts(strategy)
    enumerated = Counter(trace(decisions) for part, decisions in runs if part == "exhaustive")
    assert enumerated == Counter(map(trace, every_run(PROGRAM)))
    assert strategy.complete
    assert strategy.remaining == 0
    assert runs[-1][0] == "exhaustive"
    assert not strategy.begin()


def test_the_completed_bound_is_that_of_the_enumeration() -> None:
    strategy, alone = Mixture(1), Exhaustive()
    assert strategy.completed_bound is None
    for part, decisions in parts(strategy, 400):
        if part == "exhaustive":
            assert alone.begin()
            assert run(PROGRAM, alone.choose)[0] == decisions
            alone.end(decisions)
    assert strategy.completed_bound == alone.completed_bound
    assert not strategy.complete


def test_a_smaller_budget_makes_a_prefix_of_the_runs_of_a_greater_one() -> None:
    assert parts(Mixture(5), 150) == parts(Mixture(5), 300)[:150]


def test_the_seed_decides_the_sampled_part_only() -> None:
    one, other = parts(Mixture(5), 300), parts(Mixture(6), 300)
    assert one != other
    enumerated = [[decisions for part, decisions in runs if part == "exhaustive"] for runs in (one, other)]
    assert all(mine == yours for mine, yours in zip(*enumerated, strict=False))


def test_a_sampler_that_repeats_a_trace_waits_twice_as_long() -> None:
    known: set[tuple[int, ...]] = set()
    pause, since, repeats = 1, 0, 0
    sampling = False
    for part, decisions in parts(Mixture(1), 400):
        if part == "exhaustive":
            since += 1
        else:
            assert since == pause or not sampling
            sampling = True
            repeated = trace(decisions) in known
            repeats += repeated
            pause, since = (min(pause * 2, PAUSE_MAX) if repeated else 1), 0
        known.add(trace(decisions))
    assert repeats > 5
