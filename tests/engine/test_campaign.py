"""Campaigns: what they count, what they keep, and what ends them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import count

import pytest

from harness.engine.campaign import Campaign, fingerprint
from harness.explore.exhaustive import Exhaustive
from harness.explore.mixture import Mixture
from harness.explore.pct import PCT
from harness.explore.random_walk import RandomWalk
from harness.explore.strategy import Strategy
from harness.explore.urw import URW
from harness.words.history import Call, EventKind, History, Result, Status
from harness.words.schedule import count_preemptions
from harness.words.verdict import Violation

from .memory_server import Data, Statement
from .memory_trial import MemoryTrial, Sessions, calls
from .planted import double_sale, judge

CONTENDED: Sessions = [calls("1 +a 2 3"), calls("1 +a 2"), 0]


def labels(history: History) -> Mapping[str, int]:
    return {event.kind.value: 1 for event in history.events}


def campaign(trial: MemoryTrial, strategy: Strategy, schedules: int = 1000) -> Campaign:
    made = Campaign(trial, strategy, judge, labels)
    while made.tally.schedules < schedules and made.advance():
        pass
    return made


def test_an_enumeration_makes_no_schedule_twice_and_ends() -> None:
    made = campaign(MemoryTrial(CONTENDED), Exhaustive())
    assert made.finished
    assert len(made.tally.distinct) == made.tally.schedules


def test_a_sampler_repeats_itself_and_does_not_end() -> None:
    made = campaign(MemoryTrial(CONTENDED), RandomWalk(1))
    assert not made.finished
    assert len(made.tally.distinct) < made.tally.schedules == 1000


def test_steps_are_counted_by_run_and_in_all() -> None:
    tally = campaign(MemoryTrial([calls("1"), calls("2")]), Exhaustive()).tally
    assert (dict(tally.steps), tally.total_steps) == ({4: 6}, 24)


def test_a_label_counts_the_runs_in_which_it_was_seen() -> None:
    tally = campaign(MemoryTrial([calls("+a 1"), calls("+a 2")]), Exhaustive()).tally
    waits = tally.labels[EventKind.WAIT.value]
    assert 0 < waits < tally.schedules
    assert tally.labels[EventKind.WAKE.value] == waits


def test_outcomes_are_counted_by_what_was_told_and_what_is_left() -> None:
    tally = campaign(double_sale(), Exhaustive()).tally
    assert len(tally.outcomes) == 2, "sold once, sold twice"
    assert sum(tally.outcomes.values()) == tally.schedules


def test_the_strategy_that_drew_a_run_is_counted() -> None:
    tally = campaign(double_sale(), Mixture(1), 40).tally
    assert set(tally.drawn) == {"exhaustive", "urw", "pct", "random"}
    assert sum(tally.drawn.values()) == 40


def test_the_smallest_finding_is_kept() -> None:
    made = Campaign(double_sale(), RandomWalk(5), judge, labels)
    sizes = []
    while made.tally.schedules < 200:
        made.advance()
        history = made.last_history
        assert history is not None
        if found := made.tally.findings.get("sold-once"):
            sizes.append(found.size)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]


def test_a_finding_is_the_run_that_broke_the_property() -> None:
    found = campaign(double_sale(), Exhaustive()).tally.findings["sold-once"]
    assert judge(found.history) == [found.violation]
    assert found.preemptions == count_preemptions(found.run.decisions) == 1


def test_the_runs_that_broke_a_property_are_counted() -> None:
    tally = campaign(double_sale(), Exhaustive()).tally
    broken = 0
    trial, strategy = double_sale(), Exhaustive()
    while strategy.begin():
        run, history = trial.run(strategy)
        strategy.end(run.decisions)
        broken += bool(judge(history))
    assert tally.violating == {"sold-once": broken}


def test_a_property_broken_twice_in_a_run_counts_once() -> None:
    def twice(_: History) -> list[Violation]:
        return [Violation("p", "once"), Violation("p", "again")]

    made = Campaign(MemoryTrial([calls("1")]), Exhaustive(), twice, labels)
    assert made.advance()
    assert made.tally.violating == {"p": 1}


@pytest.mark.parametrize("strategy", [Exhaustive, *(partial(each, 3) for each in (RandomWalk, URW, PCT, Mixture))])
def test_the_same_campaign_has_the_same_digest(strategy: Callable[[], Strategy]) -> None:
    one, other = (campaign(MemoryTrial(CONTENDED), strategy(), 150) for _ in range(2))
    assert one.digest == other.digest


def test_another_seed_has_another_digest() -> None:
    one, other = (campaign(MemoryTrial(CONTENDED), RandomWalk(seed), 20) for seed in (1, 2))
    assert one.digest != other.digest


def test_a_checker_that_raises_is_not_green() -> None:
    def broken(_: History) -> list[Violation]:
        raise ZeroDivisionError

    made = Campaign(MemoryTrial([calls("1")]), Exhaustive(), broken, labels)
    with pytest.raises(ZeroDivisionError):
        made.advance()


def test_a_hang_ends_the_campaign_and_is_kept() -> None:
    made = campaign(MemoryTrial([calls("1 ~"), calls("2")]), Exhaustive())
    assert made.finished
    assert made.tally.hang is not None
    assert made.tally.hang.picture.startswith("session 0")
    assert not made.advance()


def test_a_program_that_is_not_the_same_again_ends_the_campaign() -> None:
    runs = count()

    def whim(_: Data) -> Statement:
        return ("7",) * (next(runs) % 2)

    made = campaign(MemoryTrial([[[("1", whim, "2")]], calls("3 4")]), Exhaustive())
    assert made.finished
    assert made.tally.diverged is not None
    strategy = made.strategy
    assert isinstance(strategy, Exhaustive)
    assert not strategy.complete


def test_a_fingerprint_does_not_depend_on_the_schedule() -> None:
    one, two = Call(0, "op", 0, 1, Result(Status.OK)), Call(1, "op", 2, 3, Result(Status.BUSY, "55P03"))
    later = Call(0, "op", 4, 9, Result(Status.OK))
    assert fingerprint(History((one, two), None, 1)) == fingerprint(History((two, later), None, 1))


@pytest.mark.parametrize(
    "other",
    [
        History((Call(0, "op", 0, 1, Result(Status.OK)),), None, ("a", 2)),
        History((Call(0, "op", 0, 1, Result(Status.BUSY)),), None, ("a", 1)),
        History((Call(0, "op", 0, 1, Result(Status.OK, value=(("b", 1),))),), None, ("a", 1)),
        History((Call(1, "op", 0, 1, Result(Status.OK)),), None, ("a", 1)),
        History((), None, ("a", 1)),
    ],
    ids=["end", "status", "value", "session", "calls"],
)
def test_a_fingerprint_tells_outcomes_apart(other: History) -> None:
    assert fingerprint(History((Call(0, "op", 0, 1, Result(Status.OK)),), None, ("a", 1))) != fingerprint(other)
