"""A run that is made again: what counts as the same, and how often a campaign makes sure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from harness.engine.campaign import Campaign, fingerprint
from harness.engine.execution import Chooser, Hang, Run
from harness.explore.random_walk import RandomWalk
from harness.explore.strategy import Diverged
from harness.verify.repeat import Repeating, run_again
from harness.words.history import Call, Event, EventKind, History, Result, Status
from harness.words.schedule import Decision


class Coin:
    """A trial of two steps, session 0 and then whom the chooser likes; ``answer`` gives what is told each time."""

    def __init__(
        self, answer: Callable[[int], str] = lambda _: "yes", length: Callable[[int], int] = lambda _: 2
    ) -> None:
        self.answer = answer
        self.length = length
        self.runs = 0
        self.events: Sequence[Event] = ()

    def run(self, chooser: Chooser) -> tuple[Run, History]:
        self.runs += 1
        run = Run()
        for position in range(self.length(self.runs)):
            enabled = (0, 1) if position else (0,)
            current = run.decisions[-1].chosen if run.decisions else None
            run.decisions.append(Decision(enabled, current, chooser.choose(position, enabled, current)))
        run.points = [-1] * len(run.decisions)
        run.events = list(self.events)
        call = Call(0, "toss", 0, 0, Result(Status.OK, self.answer(self.runs)))
        return run, History((call,), None, None)


DECISIONS = (Decision((0,), None, 0), Decision((0, 1), 0, 1))
SAME = fingerprint(History((Call(0, "toss", 0, 0, Result(Status.OK, "yes")),), None, None))


def test_the_same_again() -> None:
    again = run_again(Coin(), DECISIONS, (), SAME)
    assert again.difference == ""
    assert again.made is not None
    assert again.made[0].decisions == list(DECISIONS)


def test_another_answer() -> None:
    again = run_again(Coin(answer=lambda _: "no"), DECISIONS, (), SAME)
    assert again.difference == "the answers or the final state were others"
    assert again.made is not None


def test_other_events() -> None:
    again = run_again(Coin(), DECISIONS, (Event(0, 0, EventKind.WAIT, "", (1,)),), SAME)
    assert again.difference == "the waits, wake-ups or errors were others"


def test_too_short_too_long_and_from_another_set() -> None:
    short = run_again(Coin(length=lambda _: 1), DECISIONS, (), SAME)
    assert "at step 1 the run was over" in short.difference
    assert short.made is not None
    long = run_again(Coin(length=lambda _: 3), DECISIONS, (), SAME)
    assert "at step 2 the enabled sessions were 0, 1; expected the run to be over" in long.difference
    assert long.made is None
    other = run_again(Coin(), (DECISIONS[0], Decision((1,), 0, 1)), (), SAME)
    assert "session 1 to run with 1 enabled" in other.difference


def test_a_hang_is_a_difference() -> None:
    class Stuck(Coin):
        def run(self, chooser: Chooser) -> tuple[Run, History]:
            del chooser
            raise Hang("session 0 has not come to its next scheduling point", "picture", Run())

    assert run_again(Stuck(), DECISIONS, (), SAME).difference.startswith("session 0 has not come")


def test_whoever_watches_sees_every_choice() -> None:
    seen: list[int] = []

    class Watching:
        def __init__(self, chooser: Chooser) -> None:
            self.stretch = chooser.stretch
            self._choose = chooser.choose

        def choose(self, position: int, enabled: tuple[int, ...], current: int | None) -> int:
            seen.append(position)
            return self._choose(position, enabled, current)

    assert run_again(Coin(), DECISIONS, (), SAME, Watching).difference == ""
    assert seen == [0, 1]


def test_the_first_run_several_times_and_then_each_power_of_two() -> None:
    coin = Coin()
    repeating = Repeating(coin, first=4)
    made = []
    for number in range(1, 17):
        before = coin.runs
        strategy = RandomWalk(number)
        strategy.begin()
        repeating.run(strategy)
        made.append(coin.runs - before)
    assert made == [5, 2, 1, 2, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 2]


@pytest.mark.parametrize("changes_at", [2, 5, 7])
def test_a_campaign_ends_where_a_run_was_not_the_same_again(changes_at: int) -> None:
    """With 4 repeats of the first run, runs 2 to 5 and 7 are repeats."""
    coin = Coin(answer=lambda run: "no" if run == changes_at else "yes")
    campaign = Campaign(Repeating(coin, first=4), RandomWalk(0), lambda _: (), lambda _: {})
    assert [campaign.advance() for _ in range(4)] == [changes_at == 7, False, False, False]
    assert isinstance(campaign.tally.diverged, Diverged)
    assert "the same schedule gave another run: the answers" in str(campaign.tally.diverged)
    assert campaign.finished


def test_what_the_campaign_sees_is_the_run_made_first() -> None:
    coin = Coin()
    plain = Campaign(Coin(), RandomWalk(3), lambda _: (), lambda _: {})
    careful = Campaign(Repeating(coin, first=4), RandomWalk(3), lambda _: (), lambda _: {})
    for campaign in (plain, careful):
        for _ in range(20):
            assert campaign.advance()
    assert plain.digest == careful.digest
    assert careful.tally.schedules == 20
    assert coin.runs == 20 + 4 + 4
