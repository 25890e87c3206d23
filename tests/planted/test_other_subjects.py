"""Reducing on a real server: subjects that nobody planted anything in, and a history that is long."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from harness.db.any_server import AnyServer
from harness.marketplace.block import Block, alone
from harness.marketplace.operations import Buy, MarkSold, UpdatePrice, Validate
from harness.marketplace.scenario import Scenario, load_scenarios
from harness.marketplace.start import LeadStart, Start
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from harness.verify.alone import staged
from harness.verify.reduce import Reduced, reduce
from harness.words.schedule import Switch

pytestmark = pytest.mark.usefixtures("unpinned")

TEN = Decimal(10)
LONG = Scenario(
    "long",
    "A long day before the race; the first buyer's purchase is what makes the lead sold.",
    Start(
        {name: Decimal(50) for name in "ABC"},
        {name: LeadStart(TEN) for name in ("L1", "L2", "L3")},
    ),
    {"bob": [UpdatePrice("L2", TEN), Buy("B", ("L2",), "q")], "admin": [MarkSold(("L3", "L1"))]},
    ("serializable",),
    ("ok",),
    prologue=(
        alone(UpdatePrice("L1", Decimal(12))),
        Block(
            {"carol": (Validate("C", ("L3",)), Buy("C", ("L3",), "r")), "alice": (Buy("A", ("L1",), "p"),)},
            (Switch(3, 1),),
        ),
        alone(Validate("B", ("L2",))),
    ),
)
"""Bulk marking of a lead that was sold counts it again, in the published functions."""


def reduced(server: AnyServer, subject: str, scenario: Scenario, property_id: str) -> Reduced:
    with staged(server, load_subject(subject, bundled("sql")), "read committed") as (_, _, theatre):
        small = reduce(theatre.trial, scenario, property_id)
    assert small is not None
    assert (small.minimal, small.proved) == (True, True)
    return small


@pytest.mark.parametrize(
    ("subject", "name", "property_id", "operations", "preemptions"),
    [
        ("published", "purchase-cancelled-beside-a-buyer", "sold-once", ["Buy", "Buy"], 1),
        ("before", "webhook-replayed-while-the-first-runs", "sold-once", ["Deliver", "Deliver"], 1),
    ],
)
def test_a_scenario_of_ours(
    server: AnyServer, subject: str, name: str, property_id: str, operations: Sequence[str], preemptions: int
) -> None:
    small = reduced(server, subject, load_scenarios(bundled("scenarios"))[name], property_id)
    assert [type(each).__name__ for each in small.scenario.operations] == operations
    assert small.finding.preemptions == preemptions


def test_a_long_history(server: AnyServer) -> None:
    small = reduced(server, "published", LONG, "sold-once").scenario
    assert small.operations == (Buy("A", ("L1",), "p"), MarkSold(("L1",)))
    assert small.prologue == (alone(Buy("A", ("L1",), "p"), "alice"),)
    assert set(small.start.leads) == {"L1"}
    assert set(small.start.workspaces) == {"A"}
