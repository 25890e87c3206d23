"""What the whole is for: two autocommit calls of one function that checks and then acts.

Between the two there is nothing that a client could see or delay. Every defect is found within a handful of schedules,
and where the function locks what it reads, or the database takes care, all schedules are run and nothing is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

import pytest

from harness.db.any_server import AnyServer
from harness.db.entry import entries
from harness.db.instrument import install, plan
from harness.engine.campaign import Campaign
from harness.engine.shrink import Shrinker
from harness.explore.exhaustive import Exhaustive
from harness.explore.random_walk import RandomWalk
from harness.explore.replay import Exact
from harness.explore.strategy import Strategy
from harness.words.history import History
from harness.words.verdict import Violation

from .bank import Bank, BankTrial, codes

UNLOCKED, LOCKED = "SELECT shop.buy(1, 10)", "SELECT shop.buy_locked(1, 10)"

SHOP = """
CREATE SCHEMA shop;
CREATE FUNCTION shop.buy(p_account integer, p_price integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_balance integer;
BEGIN
  SELECT balance INTO v_balance FROM public.account WHERE id = p_account;
  IF v_balance < p_price THEN
    RETURN false;
  END IF;
  UPDATE public.account SET balance = balance - p_price WHERE id = p_account;
  RETURN true;
END $$;
CREATE FUNCTION shop.buy_locked(p_account integer, p_price integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_balance integer;
BEGIN
  SELECT balance INTO v_balance FROM public.account WHERE id = p_account FOR UPDATE;
  IF v_balance < p_price THEN
    RETURN false;
  END IF;
  UPDATE public.account SET balance = balance - p_price WHERE id = p_account;
  RETURN true;
END $$;
"""
ENTRIES = pytest.mark.parametrize("entered", [False, True], ids=["stopping at the call", "entering the function"])


class Shop:
    """The bank with the functions of the shop, instrumented."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        bank.define(SHOP)
        made = plan(bank.admin, ["shop"])
        install(bank.admin, made)
        self._entries = entries(made)

    def trial(self, statement: str, calls: int = 2, *, entered: bool = False, prepare: Sequence[str] = ()) -> BankTrial:
        """So many sessions that make this call; ``entered`` when the call and the first step inside are one step."""
        return self._bank.trial([[statement]] * calls, entries=self._entries if entered else {}, prepare=prepare)


@pytest.fixture(scope="module")
def shop(module_database: str, server: AnyServer) -> Iterator[Shop]:
    with Bank(module_database, local=server.local) as bank:
        yield Shop(bank)


def judge(history: History) -> list[Violation]:
    """15 are there, one thing costs 10."""
    sold = sum(call.result.get("answer") is True for call in history.calls)
    found = [] if sold < 2 else [Violation("sold-once", f"{sold} things were sold")]
    if history.final[0][1] < 0:
        found.append(Violation("no-overdraft", f"the balance is {history.final[0][1]}"))
    return found


def search(trial: BankTrial, strategy: Strategy, *, until_found: bool = False) -> Campaign:
    """Until nothing is left to run, or the first finding."""
    made = Campaign(trial, strategy, judge, lambda history: dict.fromkeys(codes(history), 1))
    while made.advance() and not (until_found and made.tally.findings):
        pass
    return made


def isolated(level: str) -> list[str]:
    return [f"SET default_transaction_isolation TO '{level}'"]


@ENTRIES
def test_exhaustive_search_finds_the_double_sale_and_the_overdraft_within_5_schedules(
    shop: Shop, entered: bool
) -> None:
    found = search(shop.trial(UNLOCKED, entered=entered), Exhaustive(), until_found=True).tally.findings
    assert set(found) == {"sold-once", "no-overdraft"}
    assert all(finding.schedule_number <= 5 for finding in found.values())


@ENTRIES
def test_a_random_walk_finds_them_in_a_median_of_at_most_5_schedules(shop: Shop, entered: bool) -> None:
    trial = shop.trial(UNLOCKED, entered=entered)
    needed = [search(trial, RandomWalk(seed), until_found=True).tally.schedules for seed in range(100)]
    assert median(needed) <= 5


@ENTRIES
def test_with_the_row_locked_every_schedule_is_run_and_nothing_is_found(shop: Shop, entered: bool) -> None:
    strategy = Exhaustive()
    tally = search(shop.trial(LOCKED, entered=entered), strategy).tally
    assert strategy.complete
    assert tally.schedules == len(tally.distinct) > 5
    assert (tally.findings, tally.hang, tally.diverged) == ({}, None, None)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_snapshot_ends_the_race_with_40001_and_never_with_a_double_sale(shop: Shop, level: str) -> None:
    strategy = Exhaustive()
    trial = shop.trial(UNLOCKED, prepare=[f"SET default_transaction_isolation TO '{level}'"])
    tally = search(trial, strategy).tally
    assert strategy.complete
    assert tally.findings == {}
    assert tally.labels["40001"] > 0


def test_in_the_race_itself_nobody_is_told_of_an_error(shop: Shop) -> None:
    strategy = Exhaustive()
    tally = search(shop.trial(UNLOCKED), strategy).tally
    assert strategy.complete
    assert set(tally.labels) == {""}


def test_the_finding_shrinks_to_one_preemption_which_is_proved_and_replays(shop: Shop) -> None:
    trial = shop.trial(UNLOCKED, 3)
    found = search(trial, RandomWalk(1), until_found=True).tally.findings["sold-once"]
    shrunk = Shrinker(trial, judge).shrink(found)
    assert (shrunk.finding.preemptions, shrunk.proved) == (1, True)
    for _ in range(10):
        again = Exact(shrunk.finding.run.decisions)
        assert again.begin()
        run, history = trial.run(again)
        again.end(run.decisions)
        assert (run, history) == (shrunk.finding.run, shrunk.finding.history)


@pytest.mark.parametrize("statement", [UNLOCKED, LOCKED], ids=["unlocked", "locked"])
def test_entering_the_function_with_its_call_loses_schedules_and_no_outcome(shop: Shop, statement: str) -> None:
    stopping, entering = (
        search(shop.trial(statement, entered=entered), Exhaustive()).tally for entered in (False, True)
    )
    assert entering.schedules < stopping.schedules
    assert set(entering.outcomes) == set(stopping.outcomes)
