"""Idempotency keys: what the model answers, and histories that keep key-once and that break it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from harness.marketplace.model import apply, initial, state_of
from harness.marketplace.notation import read_scenario, write_scenario
from harness.marketplace.operations import Buy, Request
from harness.marketplace.properties import check, not_applicable
from harness.marketplace.scenario import Scenario, ScenarioError
from harness.marketplace.smaller import smaller
from harness.marketplace.start import LeadStart, Start, State
from harness.words.history import Call, History, Result, Status

TEN = Decimal(10)
START = Start({"A": Decimal(50), "B": Decimal(50)}, {"L1": LeadStart(TEN), "L2": LeadStart(TEN)})
FIRST, AGAIN = Request("A", ("L1",), "p", "k"), Request("A", ("L1",), "q", "k")
OTHER, FOREIGN = Request("A", ("L2",), "q", "k"), Request("B", ("L2",), "q", "k")
IN_PROGRESS = Result(Status.BUSY, "key_in_progress")
REUSED = Result(Status.REFUSED, "key_reused")
SOLD = Result(Status.REFUSED, "lead_unavailable")
LOST = Result(Status.UNKNOWN, "08006")


def told(purchase: str, *, replayed: bool = False, **more: Any) -> Result:
    return Result(Status.OK, value=(("replayed", replayed), ("purchase", purchase), *more.items()))


def ended(*operations: Any, **changes: Any) -> State:
    market = initial(START)
    for operation in operations:
        _, market = apply(market, operation)
    return replace(state_of(market), **changes)


def history(*outcomes: tuple[Request, Result], final: State, overlapping: bool = False) -> History:
    calls = [
        Call(place, operation, 0 if overlapping else 2 * place, 9 if overlapping else 2 * place + 1, result)
        for place, (operation, result) in enumerate(outcomes)
    ]
    return History(tuple(calls), START, final)


def whys(judged: History) -> list[str]:
    return [violation.why for violation in check(judged, ("key-once",))]


def test_the_model_answers_a_repetition_as_it_answered_the_first() -> None:
    first, market = apply(initial(START), FIRST)
    assert (first.get("replayed"), first["purchase"], first["balance"]) == (False, "p", Decimal(40))
    _, market = apply(market, Buy("A", ("L2",), "r"))
    again, after = apply(market, AGAIN)
    assert (again.get("replayed"), again["purchase"], again["balance"]) == (True, "p", Decimal(40))
    assert after == market


def test_the_model_keeps_keys_apart_by_workspace_and_refuses_another_body() -> None:
    _, market = apply(initial(START), FIRST)
    assert apply(market, OTHER) == (REUSED, market)
    assert apply(market, replace(AGAIN, method="stripe")) == (REUSED, market)
    assert apply(market, FOREIGN)[0]["purchase"] == "q"


def test_a_refused_request_leaves_no_key() -> None:
    _, market = apply(initial(START), Buy("B", ("L1",), "r"))
    refused, after = apply(market, FIRST)
    assert (refused.status, after) == (Status.REFUSED, market)
    assert apply(market, OTHER)[0].status is Status.OK


def test_stripe_takes_no_payment_that_is_too_small() -> None:
    cheap = replace(START, leads={"L1": LeadStart(Decimal("0.49"))})
    assert apply(initial(cheap), replace(FIRST, method="stripe"))[0].code == "amount_not_payable"
    assert apply(initial(cheap), FIRST)[0].status is Status.OK


KEPT = {
    "one works, the other is told the same": history(
        (FIRST, told("p")), (AGAIN, told("p", replayed=True)), final=ended(FIRST)
    ),
    "one works, the other waits its turn": history(
        (FIRST, told("p")), (AGAIN, IN_PROGRESS), final=ended(FIRST), overlapping=True
    ),
    "another body is refused": history((FIRST, told("p")), (OTHER, REUSED), final=ended(FIRST)),
    "another body is refused by what may have been done": history((FIRST, LOST), (OTHER, REUSED), final=ended(FIRST)),
    "two workspaces": history((FIRST, told("p")), (FOREIGN, told("q")), final=ended(FIRST, FOREIGN)),
    "refused, then served": history((FIRST, SOLD), (OTHER, told("q")), final=ended(OTHER)),
    "lost, then told": history((FIRST, LOST), (AGAIN, told("p", replayed=True)), final=ended(FIRST)),
    "lost, then done": history((FIRST, LOST), (AGAIN, told("q")), final=ended(AGAIN)),
    "the server is still at it": history((FIRST, LOST), (AGAIN, IN_PROGRESS), final=ended(FIRST)),
}


@pytest.mark.parametrize("name", KEPT)
def test_it_is_kept(name: str) -> None:
    assert whys(KEPT[name]) == []


STRIPE = replace(FIRST, method="stripe"), replace(OTHER, method="stripe")
BROKEN = {
    "key k of A had 2 effects: p and q": history(
        (FIRST, told("p")), (OTHER, SOLD), final=ended(FIRST, replace(OTHER, key="other"))
    ),
    "key k of A had 2 effects: p and q, which are open": history(
        (STRIPE[0], LOST), (STRIPE[1], LOST), final=ended(STRIPE[0], replace(STRIPE[1], key="other"))
    ),
    "key k of A was answered for different requests: Request A L1 p k credits and Request A L2 q k credits": history(
        (FIRST, told("p")), (OTHER, told("p", replayed=True)), final=ended(FIRST)
    ),
    "key k of A was answered in 2 ways: balance 40, purchase p and balance 30, purchase p": history(
        (FIRST, told("p", balance=40)), (AGAIN, told("p", replayed=True, balance=30)), final=ended(FIRST)
    ),
    "key k of B was answered with the purchase p of A": history(
        (FIRST, told("p")), (FOREIGN, told("p", replayed=True)), final=ended(FIRST)
    ),
    "key k of A was answered as if it had come before, and it had not: Request A L1 p k credits": history(
        (FIRST, told("p", replayed=True)), final=ended(FIRST)
    ),
    "key k of A is stuck: Request A L1 q k credits was told to wait for it, and nobody else is at it": history(
        (FIRST, SOLD), (AGAIN, IN_PROGRESS), final=ended()
    ),
    "key k of A was refused to Request A L2 q k credits, and no other request has it": history(
        (FIRST, SOLD), (OTHER, REUSED), final=ended()
    ),
    "key k of A is stuck: it is still in progress, and all requests are over": history(
        (FIRST, LOST), final=ended(keys=(("A", "k", "processing"),))
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_it_is_broken(name: str) -> None:
    assert whys(BROKEN[name])[:1] == [name.removesuffix(", which are open")]


def test_two_that_wait_are_no_excuse_for_one_another() -> None:
    waiting = history((FIRST, IN_PROGRESS), (AGAIN, IN_PROGRESS), final=ended(), overlapping=True)
    assert len(whys(waiting)) == 2


def test_without_requests_it_is_not_applicable() -> None:
    assert not_applicable("key-once", History((), START, ended())) is not None


@pytest.mark.parametrize(
    ("answer", "broken"), [(told("p", replayed=True), []), (told("q"), ["serializable"]), (SOLD, ["serializable"])]
)
def test_a_repetition_is_judged_by_the_model_too(answer: Result, broken: list[str]) -> None:
    judged = history((FIRST, told("p")), (AGAIN, answer), final=ended(FIRST))
    assert [violation.property for violation in check(judged, ("serializable",))] == broken


def scenario(*operations: Request) -> Scenario:
    return Scenario("s", "A theory.", START, {"client": operations}, ("key-once",), ("ok",))


def test_a_scenario_with_keys_travels_and_shrinks() -> None:
    whole = scenario(replace(FIRST, leads=("L1", "L2")), replace(AGAIN, method="stripe"))
    assert read_scenario(write_scenario(whole)) == whole
    assert scenario(replace(AGAIN, method="stripe")) in [replace(each, start=START) for each in smaller(whole)]
    assert any(each.operations[0] == FIRST for each in smaller(whole))


@pytest.mark.parametrize(
    ("operation", "said"),
    [(replace(FIRST, method="cash"), "payment method 'cash'"), (replace(FIRST, workspace="X"), "workspace 'X'")],
)
def test_what_a_request_names_must_be_declared(operation: Request, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        scenario(operation)
