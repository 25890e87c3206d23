"""Unknown outcomes are resolved by what the others were told and what is there in the end."""

from __future__ import annotations

from decimal import Decimal

from harness.marketplace.model import apply, initial, state_of
from harness.marketplace.operations import Buy, TopUp, Validate
from harness.marketplace.resolution import Resolution, resolve
from harness.marketplace.start import LeadStart, Start, TopUpStart
from harness.words.history import Call, History, Result, Status

START = Start({"A": Decimal(50)}, {"L1": LeadStart(Decimal(10))}, top_ups={"t": TopUpStart("A", Decimal(5))})
LOST = Result(Status.UNKNOWN, "08006")


def history(*calls: tuple[object, Result | None, bool]) -> History:
    """Calls one after the other: operation, what the client was told (None: the truth), whether it had its effect."""
    market, told = initial(START), []
    for number, (operation, result, happened) in enumerate(calls):
        answer, after = apply(market, operation)  # type: ignore[arg-type]
        market = after if happened else market
        told.append(Call(0, operation, 2 * number, 2 * number + 1, result or answer))
    return History(tuple(told), START, state_of(market))


def test_what_is_there_was_committed() -> None:
    assert resolve(history((TopUp("t"), LOST, True))) == {Resolution.COMMITTED: 1}


def test_what_is_not_there_was_rolled_back() -> None:
    assert resolve(history((TopUp("t"), LOST, False))) == {Resolution.ROLLED_BACK: 1}


def test_the_answer_to_the_retry_tells_which_of_the_two_did_it() -> None:
    assert resolve(history((TopUp("t"), LOST, True), (TopUp("t"), None, True))) == {Resolution.COMMITTED: 1}
    assert resolve(history((TopUp("t"), LOST, False), (TopUp("t"), None, True))) == {Resolution.ROLLED_BACK: 1}
    first, second = Buy("A", ("L1",), "p"), Buy("A", ("L1",), "q")
    assert resolve(history((first, LOST, True), (second, None, True))) == {Resolution.COMMITTED: 1}


def test_what_changes_nothing_makes_no_difference() -> None:
    assert resolve(history((Validate("A", ("L1",)), LOST, True))) == {Resolution.AMBIGUOUS: 1}


def test_what_fits_neither_way_is_told() -> None:
    wrong = Call(0, TopUp("t"), 4, 5, Result(Status.OK, value=(("balance", Decimal(99)),)))
    true = history((TopUp("t"), LOST, True))
    assert resolve(History((*true.calls, wrong), START, true.final)) == {Resolution.UNEXPLAINED: 1}


def test_every_unknown_outcome_is_counted() -> None:
    twice = history((TopUp("t"), LOST, False), (Buy("A", ("L1",), "p"), LOST, True), (TopUp("t"), None, True))
    assert resolve(twice) == {Resolution.COMMITTED: 1, Resolution.ROLLED_BACK: 1}
    assert resolve(history((TopUp("t"), None, True))) == {}
