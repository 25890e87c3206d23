"""The scenarios themselves: each makes sense, each means something, and the docs name them all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from harness.marketplace.block import Nemesis
from harness.marketplace.model import apply, initial, state_of
from harness.marketplace.properties import PROPERTIES, check, not_applicable
from harness.marketplace.properties.grants import ONLY_SERVICE_ROLE
from harness.marketplace.scenario import Scenario, labels, load_scenarios, missing
from harness.words.history import Call, History

ROOT = Path(__file__).parents[2]
SCENARIOS = load_scenarios(ROOT / "scenarios")
ORDERS_MAX = 50

STRUCK = ("cancelled", "failed:57014", "failed:try_again", "fault:cut-after-send", "unknown:Request")
ONLY_AT_ONCE = ("overlap", "wait", "busy", "busy:key_in_progress", *STRUCK)
"""Labels that no serial run can show."""


def orders(programs: list[int]) -> Iterator[tuple[int, ...]]:
    """Every order in which sessions with so many operations each can take turns, operation by operation."""
    if not any(programs):
        yield ()
    for session, left in enumerate(programs):
        if left:
            for rest in orders([count - (place == session) for place, count in enumerate(programs)]):
                yield (session, *rest)


@cache
def serial_histories(name: str) -> list[History]:
    """What a correct subject shows when nothing overlaps: the model, run in every order of the operations."""
    scenario = SCENARIOS[name]
    programs = [() if isinstance(program, Nemesis) else tuple(program) for program in scenario.sessions.values()]
    histories = []
    for order in orders([len(program) for program in programs]):
        market, calls, left = initial(scenario.start), [], [iter(program) for program in programs]
        for place, session in enumerate(order):
            operation = next(left[session])
            result, market = apply(market, operation)
            calls.append(Call(session, operation, 2 * place, 2 * place + 1, result))
        histories.append(History(tuple(calls), scenario.start, state_of(market)))
    return histories


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return SCENARIOS[request.param]


def test_every_serial_run_keeps_every_property(scenario: Scenario) -> None:
    assert [check(history, scenario.properties) for history in serial_histories(scenario.name)] == [
        [] for _ in serial_histories(scenario.name)
    ]


def test_every_property_is_about_something_here(scenario: Scenario) -> None:
    for each in scenario.properties:
        assert any(not_applicable(each, history) is None for history in serial_histories(scenario.name)), each


def test_what_must_happen_can_happen(scenario: Scenario) -> None:
    """Serial runs show every answer that a scenario asks for; what needs an overlap needs two sessions."""
    seen = sum(map(labels, serial_histories(scenario.name)), Counter[str]())
    for label in missing(scenario.happened, seen):
        words = label.split("|")
        assert any(word in ONLY_AT_ONCE for word in words), label
        assert len(scenario.sessions) > 1
        if {*STRUCK} & {*words}:
            assert any(isinstance(program, Nemesis) for program in scenario.sessions.values())


def test_a_race_asks_for_an_overlap(scenario: Scenario) -> None:
    clients = [program for program in scenario.sessions.values() if not isinstance(program, Nemesis)]
    assert ("overlap" in scenario.happened) == (len(clients) > 1)


def test_a_scenario_is_small_enough_to_explore(scenario: Scenario) -> None:
    assert len(serial_histories(scenario.name)) <= ORDERS_MAX


def test_a_name_says_nothing_twice(scenario: Scenario) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", scenario.name)
    assert scenario.theory.endswith(".")
    assert len(set(scenario.properties)) == len(scenario.properties)
    assert set(scenario.properties) <= PROPERTIES.keys()


def test_no_two_scenarios_are_the_same() -> None:
    assert len({scenario.digest for scenario in SCENARIOS.values()}) == len(SCENARIOS)


@pytest.mark.parametrize("property_id", PROPERTIES)
def test_every_property_has_several_scenarios(property_id: str) -> None:
    assert sum(property_id in scenario.properties for scenario in SCENARIOS.values()) >= 3


def test_every_file_states_its_theory() -> None:
    for path in (ROOT / "scenarios").glob("*.py"):
        assert path.read_text().startswith('"""'), path


def section(page: str, title: str) -> str:
    return (ROOT / "docs" / page).read_text().split(f"## {title}\n")[1]


def test_the_docs_tell_every_scenario_and_its_theory() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", section("scenarios.md", "All of them"), re.MULTILINE)
    assert [*dict(rows).items()] == [(name, scenario.theory) for name, scenario in SCENARIOS.items()]


def test_the_docs_tell_every_property() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs" / "properties.md").read_text(), re.MULTILINE)
    assert rows == [*PROPERTIES, ONLY_SERVICE_ROLE]


def test_the_table_of_defects_names_scenarios_that_check_those_properties() -> None:
    table = section("scenarios.md", "Which scenario finds what").split("## All of them")[0]
    rows = [line.split(" | ")[-2:] for line in table.splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) == 17
    for scenarios, properties in rows:
        for names, ids in zip(scenarios.split(";"), properties.split(";"), strict=True):
            found = re.findall(r"`([^`]+)`", names)
            assert found
            for name in found:
                for each in re.findall(r"`([^`]+)`", ids):
                    assert each in SCENARIOS[name].properties, (name, each)
