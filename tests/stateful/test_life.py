"""A life on a real server: what is declared is there, what is asked is judged, and the model keeps step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from harness.marketplace.block import Block, Nemesis, Sessions, alone
from harness.marketplace.operations import Buy, CompleteCredit, Deliver, Refund, Sweep, TopUp, UpdatePrice
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart
from harness.stateful.life import Broken, Life
from harness.words.fault import CANCEL, CUT_AFTER_SEND
from harness.words.history import Status
from harness.words.schedule import Switch

from .conftest import Staged

START = Start({"W1": Decimal(50), "W2": Decimal(50)}, {"L1": LeadStart(Decimal(10)), "L2": LeadStart(Decimal(20))})
RACE = Block({"one": (Buy("W1", ("L1",), "p1"),), "other": (Buy("W2", ("L1",), "p2"),)}, (Switch(5, 1),))


@pytest.fixture
def life(theatre_of: Callable[[str], Staged]) -> Life:
    order, _, theatre = theatre_of("reference")
    return Life(order.subject, theatre)


def test_the_model_goes_beside_the_server(life: Life) -> None:
    life.declare(START)
    (call,) = life.play(alone(Buy("W1", ("L1",), "p1")))
    assert call.result.status is Status.OK
    assert life.market.balances["W1"] == 40
    life.play(alone(Refund("p1")))
    assert life.market.purchases["p1"].status == "refunded"
    assert dict(life.history().final.purchases) == {"p1": "refunded"}
    assert life.market.balances["W1"] == 50


def test_calls_follow_one_another_from_block_to_block(life: Life) -> None:
    life.declare(START)
    first = life.play(RACE)
    (later,) = life.play(alone(UpdatePrice("L2", Decimal(30))))
    assert first[0].overlaps(first[1])
    assert all(call.precedes(later) for call in first)
    assert len(life.history().calls) == 3
    assert life.labels()["overlap"] == 1


def test_things_can_be_added_between_two_operations(life: Life) -> None:
    life.declare(START)
    life.play(alone(Buy("W1", ("L1",), "p1")))
    life.declare(
        replace(
            START,
            workspaces={**START.workspaces, "W3": Decimal(5)},
            leads={**START.leads, "L3": LeadStart(Decimal(5))},
            purchases={"p2": PurchaseStart("W3", ("L3",))},
            top_ups={"t1": TopUpStart("W3", Decimal("0.05"))},
        )
    )
    life.play(alone(TopUp("t1")))
    (call,) = life.play(alone(CompleteCredit("p2", "W3", Decimal(5))))
    assert call.result.status is Status.OK
    assert dict(life.history().final.balances)["W3"] == Decimal("0.05")


def test_a_new_life_knows_nothing_of_the_last(life: Life) -> None:
    life.declare(START)
    life.play(alone(Buy("W1", ("L1",), "p1")))
    life.begin()
    assert life.history().calls == ()
    life.declare(START)
    (call,) = life.play(alone(Buy("W2", ("L1",), "p1")))
    assert call.result.status is Status.OK


def test_what_failed_has_no_effect_and_what_is_unknown_may(life: Life) -> None:
    life.declare(START)
    struck: Sessions = {"client": (Buy("W1", ("L1",), "p1"),), "nemesis": Nemesis("client", CANCEL)}
    (call,) = life.play(Block(struck, (Switch(4, 1),)))
    assert call.result.status is Status.FAILED
    assert life.market.balances["W1"] == 50
    event = Deliver("evt1", "checkout.session.completed", "p9")
    life.declare(replace(START, purchases={"p9": PurchaseStart("W2", ("L2",), method="stripe")}))
    (call,) = life.play(Block({"client": (event,), "nemesis": Nemesis("client", CUT_AFTER_SEND)}, (Switch(0, 1),)))
    assert call.result.status is Status.UNKNOWN
    assert life.market.purchases["p9"].status == "completed"


def test_the_model_keeps_every_state_that_explains_what_was_seen(life: Life) -> None:
    """Two deliveries at once: either may have been the first, and that shows in nothing."""
    life.declare(replace(START, purchases={"p1": PurchaseStart("W1", ("L1",), method="stripe")}))
    event = Deliver("evt1", "checkout.session.completed", "p1")
    calls = life.play(Block({"one": (event,), "other": (event,)}, (Switch(2, 1),)))
    assert sorted(call.result.get("already_completed") for call in calls) == [False, True]
    assert life.market.events == {"evt1"}


def test_a_double_sale_ends_a_life(theatre_of: Callable[[str], Staged]) -> None:
    order, _, theatre = theatre_of("published")
    life = Life(order.subject, theatre)
    life.declare(START)
    life.play(alone(UpdatePrice("L2", Decimal(30))))
    with pytest.raises(Broken, match="sold-once") as broken:
        life.play(replace(RACE, schedule=(Switch(7, 1),)))
    assert {violation.property for violation in broken.value.violations} >= {"sold-once", "serializable"}
    assert [len(block.sessions) for block in broken.value.blocks] == [1, 2]
    assert life.broken
    life.begin()
    assert not life.broken


def test_a_subject_says_what_it_cannot(theatre_of: Callable[[str], Staged]) -> None:
    order, _, theatre = theatre_of("published")
    life = Life(order.subject, theatre)
    assert life.can(Buy)
    assert life.can(Buy, Sweep) == order.subject.has(Sweep)
