"""Scenarios as JSON: nothing is lost on the way there and back, and what is spoilt is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.marketplace.block import Block, Nemesis, alone
from harness.marketplace.notation import read_scenario, write_scenario
from harness.marketplace.operations import Operation
from harness.marketplace.scenario import Scenario, ScenarioError, load_scenarios
from harness.words.fault import CUT_AFTER_SEND, error
from harness.words.schedule import Switch
from tests.marketplace.drawn import OPERATIONS, START, numbered

SCENARIOS = load_scenarios(Path(__file__).parents[2] / "scenarios")


def there_and_back(scenario: Scenario) -> Scenario:
    return read_scenario(json.loads(json.dumps(write_scenario(scenario))))


def as_tuples(scenario: Scenario) -> Scenario:
    """A program may be a list in a file."""
    sessions = {
        name: program if isinstance(program, Nemesis) else tuple(program) for name, program in scenario.sessions.items()
    }
    return replace(scenario, sessions=sessions)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_comes_back(name: str) -> None:
    scenario = SCENARIOS[name]
    back = there_and_back(scenario)
    assert repr(back) == repr(as_tuples(scenario))  # NaN is not equal to itself
    assert back.digest == scenario.digest


KNOWN = OPERATIONS.filter(lambda operation: "nowhere" not in str(operation))


@given(st.lists(KNOWN, min_size=3, max_size=9).map(numbered))
def test_every_operation_comes_back(operations: list[Operation]) -> None:
    first, second, *rest = operations
    scenario = Scenario(
        "drawn",
        "Whatever.",
        START,
        {"client": tuple(rest), "nemesis": Nemesis("client", error("40001"))},
        ("conservation",),
        ("ok",),
        isolation="serializable",
        prologue=(
            alone(first),
            Block({"one": (second,), "cut": Nemesis("one", CUT_AFTER_SEND)}, (Switch(3, 1), Switch(4, 0))),
        ),
    )
    assert there_and_back(scenario) == scenario


def spoilt() -> list[Any]:
    def with_start(**tables: Any) -> dict[str, Any]:
        return {"start": {"workspaces": {}, "leads": {}, "purchases": {}, "top_ups": {}} | tables}

    return [
        {"name": 7},
        {"sessions": {"a": [["Steal", "A"]]}},
        {"sessions": {"a": [["TopUp"]]}},
        {"sessions": {"a": [["TopUp", "t", "u"]]}},
        {"sessions": {"a": [["TopUp", ["t"]]]}},
        {"sessions": {"a": {"kills": "b"}}},
        {"sessions": {"a": {"strikes": "b", "fault": "plague", "sqlstate": ""}}},
        {"sessions": {"a": {"strikes": "b", "fault": "error", "sqlstate": ""}}},
        {"sessions": {"a": [[]]}},
        {"sessions": []},
        {"prologue": [{"sessions": {}}]},
        with_start(workspaces={"A": "ten"}),
        with_start(workspaces={"A": 10}),
        with_start(leads={"L1": ["10", "seller"]}),
        {"properties": None},
    ]


@pytest.mark.parametrize("change", spoilt(), ids=str)
def test_what_is_spoilt_is_refused(change: dict[str, Any]) -> None:
    written = write_scenario(SCENARIOS["top-up-against-purchase"]) | change
    with pytest.raises((AttributeError, IndexError, KeyError, TypeError, ValueError)):
        read_scenario(written)


def test_a_contradiction_is_one_here_too() -> None:
    written = write_scenario(SCENARIOS["top-up-against-purchase"])
    with pytest.raises(ScenarioError, match="does nothing"):
        read_scenario(written | {"sessions": {"idle": []}})


def test_amounts_stay_exact() -> None:
    scenario = there_and_back(SCENARIOS["contract-rounding"])
    assert scenario.start.leads["L1"].price == Decimal("0.05")
