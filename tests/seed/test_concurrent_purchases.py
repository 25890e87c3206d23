"""Concurrent purchases (7): a buyer each on a connection of its own, all of them at the same moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from statistics import median

from harness.marketplace.operations import Buy
from harness.marketplace.start import LeadStart, LeadState, Start
from harness.words.history import Status
from tests.seed.conftest import Opened
from tests.seed.market import BALANCE, PRICE, Market, all_want, buyers

SLOWER_AT_MOST = 5
"""The slowest of those who are refused, by the slowest of as many who buy. Half of it is usual; a busy machine may
do something else meanwhile."""


def one_winner_of(count: int, market: Opened) -> Market:
    """Everybody wants one lead. One has it; the others were told why not, and have their money."""
    attempts = all_want(count)
    opened = market(buyers(count), *attempts)
    race = opened.race(attempts)
    (winner,) = race.winners
    losers = [call for call in race.calls if call is not winner]
    assert len(losers) == count - 1
    told = {(call.result.status, call.result.code) for call in losers}
    assert told <= {(Status.BUSY, "55P03"), (Status.REFUSED, "lead_unavailable")}
    state = opened.state()
    assert state.leads == (("L0", LeadState("sold", 1)),)
    assert state.purchases == ((winner.operation.purchase, "completed"),)
    assert state.charges == ((winner.operation.purchase, winner.operation.workspace, PRICE),)
    spent = {winner.operation.workspace: PRICE}
    balances = {name: value for name, value in state.balances if name != "seller"}
    assert balances == {f"W{number}": BALANCE - spent.get(f"W{number}", 0) for number in range(count)}
    opened.must_be_safe()
    return opened


def test_one_winner_of_10(market: Opened) -> None:
    one_winner_of(10, market)


def test_one_winner_of_50(market: Opened) -> None:
    one_winner_of(50, market)


def test_one_winner_of_100(market: Opened) -> None:
    one_winner_of(100, market)


def test_one_winner_of_200(market: Opened) -> None:
    one_winner_of(200, market)


def test_database_consistent_after_the_race(market: Opened) -> None:
    # A hundred buyers, two of ten leads each: every lead is wanted by twenty, every two of them in both orders.
    attempts = [
        Buy(f"W{number}", (f"L{number % 10}", f"L{(number + 1 + number // 10 % 9) % 10}"), f"p{number}")
        for number in range(100)
    ]
    opened = market(buyers(100, leads=10), *attempts)
    race = opened.race(attempts)
    state = opened.state()
    assert state.ledger is not None
    assert state.charges is not None
    bought = {call.operation.purchase: call.operation for call in race.winners}
    assert 1 <= len(bought) <= 5
    assert dict(state.purchases) == dict.fromkeys(bought, "completed")
    assert dict(state.items) == {name: tuple(sorted(each.leads)) for name, each in bought.items()}
    sold = [lead for each in bought.values() for lead in each.leads]
    assert dict(state.leads) == {
        f"L{number}": LeadState("sold", 1) if f"L{number}" in sold else LeadState("available", 0)
        for number in range(10)
    }
    assert len(sold) == len(set(sold))
    assert sorted(state.charges) == sorted((name, each.workspace, 2 * PRICE) for name, each in bought.items())
    assert dict(state.balances) == dict(state.ledger)
    assert sum(dict(state.balances).values()) == 100 * BALANCE - 2 * PRICE * len(bought)
    assert state.reservations == ()
    opened.must_be_safe()


def test_one_workspace_buying_50_times_at_once(market: Opened) -> None:
    # 33 of them can be paid for: not one more, and not one less.
    start = Start({"A": BALANCE}, {f"L{number}": LeadStart(Decimal(3)) for number in range(50)})
    attempts = [Buy("A", (f"L{number}",), f"p{number}") for number in range(50)]
    opened = market(start, *attempts)
    race = opened.race(attempts)
    told = Counter((result.status, result.code) for result in race.results)
    assert told == {(Status.OK, ""): 33, (Status.REFUSED, "insufficient_credits"): 17}
    # Each saw the balance that it had made, as if they had come one after the other.
    assert sorted(call.result["balance"] for call in race.winners) == [1 + 3 * number for number in range(33)]
    assert opened.balance("A") == 1
    opened.must_be_safe()


def test_losers_answered_fast(market: Opened, record_property: Callable[[str, object], None]) -> None:
    """The winner has the lead and cannot go on; nobody waits for it, or for anything else."""
    attempts = all_want(50)
    # As many who want a lead each that nobody holds, twice: the first time every connection plans its statements.
    others = [Buy(f"W{number % 50}", (f"L{number}",), f"q{number}") for number in range(100) if number % 50]
    opened = market(buyers(50, leads=100), *attempts, *others)
    opened.gather(50)
    with opened.held("W0"):
        ahead = opened.begin(attempts[0])
        opened.go_on_until(opened.first_client_waits)
        _, free = opened.race(others[:49], first=1), opened.race(others[49:], first=1)
        assert {result.status for result in free.results} == {Status.OK}
        losers = opened.race(attempts[1:], first=1)
        assert {(result.status, result.code) for result in losers.results} == {(Status.BUSY, "55P03")}
    winner = opened.end(ahead)
    assert winner.status is Status.OK
    # After that they only meet one another: still nobody waits, and who looks is told that it is sold.
    late = opened.race(attempts[1:], first=1)
    told = Counter((result.status, result.code) for result in late.results)
    assert told.keys() <= {(Status.REFUSED, "lead_unavailable"), (Status.BUSY, "55P03")}
    assert told[Status.REFUSED, "lead_unavailable"] >= 1
    opened.must_be_safe()
    for name, race in (("of free leads", free), ("while it is held", losers), ("after it is sold", late)):
        least, most = min(race.latencies), max(race.latencies)
        record_property(name, f"{median(race.latencies) * 1000:.1f} ms ({least * 1000:.1f} to {most * 1000:.1f})")
        assert most <= SLOWER_AT_MOST * max(free.latencies), name
