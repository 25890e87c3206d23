"""The same choices make the same run on a real server: by every strategy, on any core, on a busy machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from harness.db.any_server import AnyServer
from harness.engine.campaign import Campaign
from harness.engine.execution import Run
from harness.explore.exhaustive import Exhaustive
from harness.explore.mixture import Mixture
from harness.explore.pct import PCT
from harness.explore.random_walk import RandomWalk
from harness.explore.replay import Exact
from harness.explore.strategy import Diverged, Strategy
from harness.explore.urw import URW
from harness.verify.stages import STEADY_PLANS
from harness.words.history import History

from .bank import Bank, BankTrial, Sessions

TAKE, OTHER = "SELECT take(1, 10)", "SELECT take(2, 10)"

SCENARIOS: dict[str, Sessions] = {
    "one row, two sessions": [[TAKE, OTHER], [TAKE]],
    "one row, four sessions": [[TAKE]] * 4,
    "two rows, three sessions": [["SELECT move(1, 2)"], [TAKE], [OTHER]],
    "a deadlock of two": [["SELECT move(1, 2)"], ["SELECT move(2, 1)"]],
    "a deadlock of three": [["SELECT move(1, 2)"], ["SELECT move(2, 3)"], ["SELECT move(3, 1)"]],
    "cancels": [[TAKE], [TAKE, OTHER], 0, 1],
}
STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "exhaustive": Exhaustive,
    **{each.name: partial(each, 11) for each in (RandomWalk, URW, PCT, Mixture)},
}


@pytest.fixture(scope="module")
def bank(module_database: str, server: AnyServer) -> Iterator[Bank]:
    with Bank(module_database, local=server.local) as bank:
        bank.define("""
            CREATE FUNCTION by_chance() RETURNS void LANGUAGE plpgsql AS $$
            BEGIN
              IF harness.point(1) THEN END IF;
              IF random() < 0.5 THEN
                IF harness.point(2) THEN END IF;
              END IF;
            END $$;
            CREATE FUNCTION by_the_clock() RETURNS void LANGUAGE plpgsql AS $$
            BEGIN
              IF harness.point(1) THEN END IF;
              IF date_part('microseconds', clock_timestamp())::integer % 2 = 0 THEN
                IF harness.point(2) THEN END IF;
              END IF;
            END $$;
        """)
        yield bank


@pytest.fixture
def busy_machine(bank: Bank) -> Iterator[None]:
    """Two processes on each core that do nothing, and never stop doing it."""
    spin = "import os, sys\nos.sched_setaffinity(0, [int(sys.argv[1])])\nwhile True: pass"
    with ExitStack() as exits:
        for core in 2 * sorted(bank.cores):
            process = exits.enter_context(subprocess.Popen([sys.executable, "-c", spin, str(core)]))
            exits.callback(process.kill)
        yield


def campaign(trial: BankTrial, strategy: Strategy, schedules: int) -> Campaign:
    made = Campaign(trial, strategy, lambda _: (), lambda _: {})
    while made.tally.schedules < schedules and made.advance():
        pass
    return made


def comes_again(trial: BankTrial, made: tuple[Run, History]) -> bool:
    """Whether a replay has the same decisions, points, events, calls and end."""
    again = Exact(made[0].decisions)
    assert again.begin()
    try:
        replayed = trial.run(again)
        again.end(replayed[0].decisions)
    except Diverged:
        return False
    return replayed == made


def all_come_again(trial: BankTrial, strategy: Strategy, schedules: int) -> bool:
    for _ in range(schedules):
        if not strategy.begin():
            break
        made = trial.run(strategy)
        strategy.end(made[0].decisions)
        if not comes_again(trial, made):
            return False
    return True


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", ["one row, four sessions", "cancels"])
def test_the_same_campaign_has_the_same_digest(bank: Bank, name: str, strategy: str) -> None:
    one, other = (campaign(bank.trial(SCENARIOS[name]), STRATEGIES[strategy](), 30) for _ in range(2))
    assert one.tally.schedules == other.tally.schedules == 30
    assert one.digest == other.digest


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_where_backends_cannot_be_frozen_two_sessions_have_the_same_digest_too(bank: Bank, strategy: str) -> None:
    sessions = SCENARIOS["one row, two sessions"]
    one, other, frozen = (
        campaign(bank.trial(sessions, can_freeze=can_freeze), STRATEGIES[strategy](), 25)
        for can_freeze in (False, False, None)
    )
    assert one.digest == other.digest == frozen.digest


@pytest.mark.parametrize("steady", [True, False])
def test_how_rows_lie_in_their_table_makes_no_difference_to_steady_plans(bank: Bank, steady: bool) -> None:
    both = "UPDATE account SET balance = 0 WHERE id = ANY ('{1, 3}')"
    trial = bank.trial([["SELECT take(1, 1)"], ["SELECT take(3, 1)"], [both]], prepare=STEADY_PLANS if steady else ())
    made = []
    for trial.layout in ("ASC", "DESC"):
        made.append(trial.play((2, 1), (4, 2)))
    assert (made[0] == made[1]) is steady


def test_the_core_makes_no_difference(bank: Bank) -> None:
    sessions = SCENARIOS["one row, four sessions"]
    one, other = (campaign(bank.trial(sessions, pinned=pinned), Mixture(5), 30) for pinned in (True, False))
    assert one.digest == other.digest


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_run_can_be_replayed(bank: Bank, name: str) -> None:
    assert all_come_again(bank.trial(SCENARIOS[name]), Exhaustive(), 40)


def test_every_schedule_of_two_can_be_replayed(bank: Bank) -> None:
    strategy = Exhaustive()
    assert all_come_again(bank.trial([[TAKE], [TAKE]]), strategy, 1000)
    assert strategy.complete


@pytest.mark.parametrize("name", ["one row, four sessions", "a deadlock of two"])
@pytest.mark.parametrize("pinned", [True, False], ids=["one core", "any core"])
@pytest.mark.usefixtures("busy_machine")
def test_every_run_can_be_replayed_on_a_busy_machine(bank: Bank, name: str, pinned: bool) -> None:
    assert all_come_again(bank.trial(SCENARIOS[name], pinned=pinned), RandomWalk(2), 6)


@pytest.mark.parametrize("function", ["by_chance", "by_the_clock"])
def test_a_function_that_is_not_the_same_again_ends_a_campaign(bank: Bank, function: str) -> None:
    # Several calls: that all of them fall the same way in every run is not to be feared.
    made = campaign(bank.trial([[f"SELECT {function}()"] * 8, [TAKE]]), Exhaustive(), 1000)
    assert made.tally.diverged is not None
    assert "the run diverged" in str(made.tally.diverged)


@pytest.mark.parametrize("function", ["by_chance", "by_the_clock"])
def test_a_function_that_is_not_the_same_again_fails_a_replay(bank: Bank, function: str) -> None:
    assert not all_come_again(bank.trial([[f"SELECT {function}()"] * 8, [TAKE]]), RandomWalk(1), 50)


def test_after_a_run_that_diverged_the_next_one_is_whole(bank: Bank) -> None:
    trial = bank.trial([[TAKE], [TAKE]])
    first = trial.play((2, 1))
    wrong = Exact(first[0].decisions[:-2])
    assert wrong.begin()
    with pytest.raises(Diverged):
        trial.run(wrong)
    assert trial.play((2, 1)) == first
