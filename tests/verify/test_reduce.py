"""Reducing, on the marketplace in memory: what is left is the smallest, and what is said of it is true."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any, cast

import pytest

from harness.engine import execution
from harness.engine.campaign import Finding
from harness.engine.execution import Chooser, Hang
from harness.explore.exhaustive import Exhaustive
from harness.explore.random_walk import RandomWalk
from harness.marketplace.block import Nemesis
from harness.marketplace.operations import Buy, Deliver, MarkSold, TopUp, UpdatePrice
from harness.marketplace.properties import check
from harness.marketplace.scenario import Scenario
from harness.marketplace.smaller import smaller
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart
from harness.verify.reduce import Reduced, reduce
from harness.words.errors import UsageError
from harness.words.fault import CANCEL
from harness.words.history import History
from harness.words.schedule import Decision, count_preemptions
from tests.scenarios import simulator
from tests.scenarios.simulator import Route
from tests.scenarios.test_planted_defects import checked_then_done, claimed_first, in_pieces, marking_all

PAID = "checkout.session.completed"


class Chosen:
    """Stands where the simulator throws dice."""

    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser
        self.decisions: list[Decision] = []

    def choices(self, alive: list[int], _weights: list[int]) -> list[int]:
        enabled = tuple(sorted(alive))
        current = self.decisions[-1].chosen if self.decisions else None
        chosen = self._chooser.choose(len(self.decisions), enabled, current)
        self.decisions.append(Decision(enabled, current, chosen))
        return [chosen]


class Simulated:
    """A trial on the simulator."""

    def __init__(self, scenario: Scenario, routes: Mapping[type, Route]) -> None:
        self._scenario = scenario
        self._routes = {**simulator.CORRECT, **routes}

    def run(self, chooser: Chooser) -> tuple[execution.Run, History]:
        chosen = Chosen(chooser)
        history = simulator.Run(self._scenario, self._routes, cast(Random, chosen)).history()
        return execution.Run(chosen.decisions), history


def staging(routes: Mapping[type, Any]) -> Callable[[Scenario], Simulated]:
    return lambda scenario: Simulated(scenario, routes)


WIDE = Scenario(
    "wide",
    "Much more is going on than is needed.",
    Start(
        {"A": Decimal(50), "B": Decimal(50), "C": Decimal(5)},
        {name: LeadStart(Decimal(10)) for name in ("L1", "L2", "L3")},
        {"s": PurchaseStart("C", ("L3",), method="stripe")},
        {"t": TopUpStart("C", Decimal(10))},
    ),
    {
        "alice": [TopUp("t"), Buy("A", ("L1", "L2"), "p")],
        "bob": [UpdatePrice("L3", Decimal(12)), Buy("B", ("L2", "L1"), "q"), Buy("B", ("L3",), "r")],
        "stripe": [Deliver("evt", PAID, "s"), Deliver("evt", PAID, "s")],
        "again": [Deliver("evt", PAID, "s")],
        "nemesis": Nemesis("stripe", CANCEL),
    },
    ("sold-once", "paid-is-served", "serializable"),
    ("overlap",),
)

DOUBLE_SALE: Mapping[type, Any] = {Buy: in_pieces}


def reduced(routes: Mapping[type, Any], property_id: str, scenario: Scenario = WIDE, **options: Any) -> Reduced:
    found = reduce(staging(routes), scenario, property_id, **options)
    assert found is not None
    return found


def breaks(routes: Mapping[type, Any], scenario: Scenario, property_id: str, bound: int) -> bool:
    """Every schedule up to a bound, judged anew."""
    strategy, trial = Exhaustive(bound), Simulated(scenario, routes)
    while strategy.begin():
        run, history = trial.run(strategy)
        strategy.end(run.decisions)
        if check(history, (property_id,)):
            return True
    return False


CASES: list[tuple[Mapping[type, Any], str, list[str], int]] = [
    (DOUBLE_SALE, "sold-once", ["Buy", "Buy"], 1),
    ({Deliver: claimed_first}, "paid-is-served", ["Deliver", "Deliver"], 1),
    ({Deliver: checked_then_done}, "webhook-idempotent", ["Deliver", "Deliver"], 1),
]
"""Defect, property, the operations that it takes and the preemptions."""


@pytest.mark.parametrize(
    ("routes", "property_id", "operations", "preemptions"),
    CASES,
    ids=["double sale", "lost webhook", "double delivery"],
)
def test_what_is_left_is_the_smallest(
    routes: Mapping[type, Any], property_id: str, operations: list[str], preemptions: int
) -> None:
    small = reduced(routes, property_id)
    assert [type(each).__name__ for each in small.scenario.operations] == operations
    assert (small.minimal, small.proved, small.bound) == (True, True, 2)
    assert small.finding.preemptions == count_preemptions(small.finding.run.decisions) == preemptions
    assert small.finding.violation in check(small.finding.history, (property_id,))
    # What it says of itself, by another search.
    assert not any(breaks(routes, each, property_id, small.bound) for each in smaller(small.scenario))
    assert not breaks(routes, small.scenario, property_id, preemptions - 1)


def test_the_start_has_nothing_that_is_not_needed() -> None:
    start = reduced(DOUBLE_SALE, "sold-once").scenario.start
    assert (set(start.workspaces), len(start.leads), start.purchases, start.top_ups) == ({"A", "B"}, 1, {}, {})


def test_a_nemesis_that_is_needed_stays() -> None:
    small = reduced({Deliver: claimed_first}, "paid-is-served").scenario
    assert small.sessions["nemesis"] == WIDE.sessions["nemesis"]
    assert set(small.operations) == {Deliver("evt", PAID, "s")}


def test_the_same_again() -> None:
    one, other = (reduced(DOUBLE_SALE, "sold-once") for _ in range(2))
    assert one == other


@pytest.mark.parametrize("seed", range(3))
def test_from_a_finding_of_another_strategy(seed: int) -> None:
    strategy, trial = RandomWalk(seed), Simulated(WIDE, DOUBLE_SALE)
    finding = None
    while finding is None:
        strategy.begin()
        run, history = trial.run(strategy)
        for violation in check(history, ("sold-once",)):
            finding = Finding(violation, run, history, count_preemptions(run.decisions), 1)
    small = reduced(DOUBLE_SALE, "sold-once", finding=finding)
    assert (len(small.scenario.operations), small.finding.preemptions, small.minimal, small.proved) == (
        2,
        1,
        True,
        True,
    )
    assert small.bound == 2


def test_the_right_thing_breaks_nothing() -> None:
    start = Start({"A": Decimal(50), "B": Decimal(50)}, {"L1": LeadStart(Decimal(10))})
    race = replace(WIDE, start=start, sessions={"a": [Buy("A", ("L1",), "p")], "b": [Buy("B", ("L1",), "q")]})
    assert reduce(staging({}), race, "sold-once") is None


def test_one_operation_is_the_least() -> None:
    start = Start({"A": Decimal(0)}, {"L1": LeadStart(Decimal(10), status="sold")})
    small = reduced(
        {MarkSold: marking_all}, "sold-once", replace(WIDE, start=start, sessions={"a": [MarkSold(("L1",))]})
    )
    assert (len(small.scenario.operations), small.finding.preemptions, small.minimal, small.proved) == (
        1,
        0,
        True,
        True,
    )


def test_nothing_is_claimed_when_the_schedules_run_out() -> None:
    enough = reduced(DOUBLE_SALE, "sold-once")
    assert enough.minimal
    few = reduced(DOUBLE_SALE, "sold-once", schedules_max=enough.schedules - 30)
    assert not few.minimal
    assert few.schedules < enough.schedules


def test_what_does_not_come_to_its_end_is_not_known_to_be_clean() -> None:
    class Stuck(Simulated):
        def run(self, chooser: Chooser) -> tuple[execution.Run, History]:
            del chooser
            raise Hang("session 0 has not come to its next scheduling point", "", execution.Run())

    def stage(scenario: Scenario) -> Simulated:
        return (Stuck if len(scenario.operations) == 1 else Simulated)(scenario, DOUBLE_SALE)

    small = reduce(stage, WIDE, "sold-once")
    assert small is not None
    assert (len(small.scenario.operations), small.minimal, small.proved) == (2, False, True)


def test_what_the_subject_cannot_have_stays() -> None:
    def stage(scenario: Scenario) -> Simulated:
        if len(scenario.start.workspaces) < 3:
            raise UsageError("bad-fixture", "three workspaces are the least")
        return Simulated(scenario, DOUBLE_SALE)

    small = reduce(stage, WIDE, "sold-once")
    assert small is not None
    assert (len(small.scenario.start.workspaces), small.minimal) == (3, True)


def test_a_scenario_that_cannot_be_staged_is_told() -> None:
    def stage(_: Scenario) -> Simulated:
        raise UsageError("bad-fixture", "no")

    with pytest.raises(UsageError):
        reduce(stage, WIDE, "sold-once")
