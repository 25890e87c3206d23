"""Scenarios that are one thing smaller: all that there are, each a scenario, great things first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest

from harness.marketplace.block import Block, Nemesis, alone
from harness.marketplace.operations import Buy, Checkout, CompleteCredit, Deliver, MarkSold, Operation, Sweep, TopUp
from harness.marketplace.scenario import Scenario, load_scenarios
from harness.marketplace.smaller import smaller
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart
from harness.resources import bundled
from harness.words.fault import CANCEL
from harness.words.schedule import Switch

START = Start({"A": Decimal(50)}, {"L1": LeadStart(Decimal(10))}, {"p": PurchaseStart("A", ("L1",))})
COMPLETE, MARK = CompleteCredit("p", "A", Decimal(10)), MarkSold(("L1",))


def scenario(
    sessions: Mapping[str, Sequence[Operation] | Nemesis], start: Start = START, prologue: tuple[Block, ...] = ()
) -> Scenario:
    return Scenario("small", "theory", start, sessions, ("sold-once",), ("ok",), prologue=prologue)


def sessions(whole: Scenario) -> list[object]:
    """The sessions of what is smaller in its sessions."""
    return [dict(each.sessions) for each in smaller(whole) if each.sessions != whole.sessions]


def test_a_session_then_an_operation_the_last_first() -> None:
    whole = scenario({"alice": [COMPLETE, MARK], "bob": [MARK]})
    assert sessions(whole) == [
        {"alice": [COMPLETE, MARK]},
        {"bob": [MARK]},
        {"alice": (COMPLETE,), "bob": [MARK]},
        {"alice": (MARK,), "bob": [MARK]},
    ]


def test_nothing_is_no_scenario() -> None:
    assert sessions(scenario({"alice": [COMPLETE]})) == []


def test_who_cancels_somebody_goes_with_them() -> None:
    whole = scenario({"alice": [COMPLETE], "bob": [MARK], "nemesis": Nemesis("alice", CANCEL)})
    assert sessions(whole) == [
        {"alice": [COMPLETE], "bob": [MARK]},
        {"alice": [COMPLETE], "nemesis": Nemesis("alice", CANCEL)},
        {"bob": [MARK]},
    ]


def test_what_is_paid_must_have_been_made() -> None:
    checkout, paid = Checkout("A", ("L1",), "q"), Deliver("evt", "checkout.session.completed", "q")
    assert sessions(scenario({"alice": [checkout, paid]})) == [{"alice": (checkout,)}]


def test_a_list_of_leads_is_shortened() -> None:
    buy = Buy("A", ("L1", "L2"), "q")
    assert sessions(scenario({"alice": [buy]})) == [
        {"alice": (Buy("A", ("L1",), "q"),)},
        {"alice": (Buy("A", ("L2",), "q"),)},
    ]
    assert sessions(scenario({"alice": [MarkSold(None)]})) == []


def test_rows_that_nobody_names() -> None:
    start = Start(
        {"A": Decimal(0), "B": Decimal(0), "C": Decimal(0)},
        {name: LeadStart() for name in ("L1", "L2", "L3")},
        {"p": PurchaseStart("A", ("L1", "L3")), "q": PurchaseStart("B", ("L2",))},
        {"t": TopUpStart("A", Decimal(1)), "u": TopUpStart("A", Decimal(1))},
    )
    found = [each.start for each in smaller(scenario({"alice": [COMPLETE, TopUp("t")]}, start)) if each.start != start]
    kept = [(set(each.workspaces), set(each.leads), set(each.purchases), set(each.top_ups)) for each in found]
    everything = set(start.workspaces), set(start.leads), set(start.purchases), set(start.top_ups)
    workspaces, leads, purchases, top_ups = everything
    # L1 and L3 belong to p, which is named; L2 and B to q, which must go first.
    assert kept[:4] == [
        ({"A"}, {"L1", "L3"}, {"p"}, {"t"}),
        (workspaces, leads, purchases, {"t"}),
        (workspaces, leads, {"p"}, top_ups),
        ({"A", "B"}, leads, purchases, top_ups),
    ]
    assert [each.purchases["p"].leads for each in found[4:]] == [("L1",), ("L3",)]


def test_a_sweep_names_nobody() -> None:
    found = [each.start.purchases for each in smaller(scenario({"sweep": [Sweep()]}))]
    assert {} in found


def test_blocks_then_what_is_in_them() -> None:
    nemesis = Nemesis("other", CANCEL)
    race = Block({"one": (MARK, COMPLETE), "other": (MARK,), "nemesis": nemesis}, (Switch(3, 1), Switch(5, 2)))
    whole = scenario({"alice": [MARK]}, prologue=(alone(MARK), race))
    found = [each.prologue for each in smaller(whole) if each.prologue != whole.prologue]
    assert found[:2] == [(alone(MARK),), (race,)]
    assert all(len(blocks) == 2 for blocks in found[2:])
    lighter = [blocks[1] for blocks in found[2:] if blocks[1] != race]
    assert lighter[:3] == [
        Block({"one": (MARK, COMPLETE), "other": (MARK,)}, (Switch(3, 1),)),
        Block({"one": (MARK, COMPLETE)}),
        Block({"other": (MARK,), "nemesis": nemesis}, (Switch(3, 0), Switch(5, 1))),
    ]
    assert [(list(each.operations), each.schedule) for each in lighter[3:]] == [
        ([MARK, MARK], race.schedule),
        ([COMPLETE, MARK], race.schedule),
        ([MARK, COMPLETE, MARK], race.schedule[:1]),
        ([MARK, COMPLETE, MARK], race.schedule[1:]),
    ]


def test_of_a_long_prologue_all_and_either_half_first() -> None:
    blocks = tuple(alone(MARK, name) for name in "abcde")
    found = [each.prologue for each in smaller(scenario({"alice": [MARK]}, prologue=blocks))]
    assert found[:4] == [(), blocks[2:], blocks[:2], blocks[:4]]


@pytest.mark.parametrize("whole", load_scenarios(bundled("scenarios")).values(), ids=lambda each: each.name)
def test_every_one_is_another_scenario_and_the_process_ends(whole: Scenario) -> None:
    digests = {whole.digest}
    while found := [*smaller(whole)]:
        assert digests.isdisjoint(each.digest for each in found)
        whole = found[-1]
        digests.add(whole.digest)
    assert len(whole.operations) == 1
