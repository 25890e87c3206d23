"""What has nothing to do with the end of a life goes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from harness.marketplace.block import Block, Nemesis, alone
from harness.marketplace.operations import Buy, CompleteCredit, MarkSold, UpdatePrice, Validate
from harness.marketplace.start import LeadStart, PurchaseStart, Start
from harness.stateful.distil import distil
from harness.stateful.life import Broken, Life
from harness.words.fault import CANCEL
from harness.words.schedule import Switch

from .conftest import Staged

START = Start(
    {"W1": Decimal(50), "W2": Decimal(50)},
    {f"L{number}": LeadStart(Decimal(10)) for number in range(1, 7)},
    {"p9": PurchaseStart("W1", ("L6",))},
)
NOISE = (
    alone(UpdatePrice("L2", Decimal(30))),
    Block({"one": (Validate("W1", ("L3",)),), "other": (Validate("W2", ("L4",)),)}, (Switch(1, 1),)),
    alone(Buy("W2", ("L5",), "p1")),
    Block({"client": (Buy("W1", ("L4",), "p2"),), "nemesis": Nemesis("client", CANCEL)}, (Switch(2, 1),)),
    alone(MarkSold(("L3",))),
)
RACE = Block(
    {
        "one": (Buy("W1", ("L1",), "p3"),),
        "idle": (Validate("W2", ("L2",)),),
        "other": (Buy("W2", ("L1",), "p4"),),
    },
    (Switch(3, 1), Switch(5, 0), Switch(7, 2)),
)
REPEAT = alone(CompleteCredit("p9", "W1", Decimal(10)))


def ended(life: Life, *blocks: Block) -> Broken:
    *before, last = blocks
    life.begin()
    life.declare(START)
    for block in before:
        life.play(block)
    with pytest.raises(Broken) as broken:
        life.play(last)
    return broken.value


@pytest.fixture
def life(theatre_of: Callable[[str], Staged]) -> Life:
    order, _, theatre = theatre_of("published")
    return Life(order.subject, theatre)


def test_a_race_is_left_with_its_two_buyers_and_one_switch(life: Life) -> None:
    distilled = distil(life, ended(life, *NOISE, RACE), "sold-once")
    assert distilled is not None
    assert distilled.scenario.prologue == ()
    assert [*distilled.scenario.sessions] == ["one", "other"]
    assert len(distilled.schedule) == 1
    assert {switch.session for switch in distilled.schedule} == {1}


def test_what_the_end_needs_stays(life: Life) -> None:
    """The first completion is right; only because of it is the second one wrong."""
    distilled = distil(life, ended(life, *NOISE[:3], REPEAT, *NOISE[4:], REPEAT), "charged-once")
    assert distilled is not None
    assert [block.operations for block in distilled.scenario.prologue] == [REPEAT.operations]
    assert distilled.scenario.operations == (*REPEAT.operations, *REPEAT.operations)


def test_blocks_at_once_come_apart(life: Life) -> None:
    at_once = Block({"one": REPEAT.operations, "other": NOISE[0].operations}, (Switch(2, 1),))
    distilled = distil(life, ended(life, at_once, REPEAT), "charged-once")
    assert distilled is not None
    (block,) = distilled.scenario.prologue
    assert block.operations == REPEAT.operations
    assert block.schedule == ()


def test_what_does_not_come_again_is_nothing(life: Life) -> None:
    broken = ended(life, *NOISE, RACE)
    assert distil(life, broken, "no-deadlock") is None


def test_tries_are_bounded(life: Life) -> None:
    broken = ended(life, *NOISE, RACE)
    distilled = distil(life, broken, "sold-once", tries_max=3)
    assert distilled is not None
    assert distilled.tries <= 3
    assert {*RACE.operations} <= {*distilled.scenario.operations}
