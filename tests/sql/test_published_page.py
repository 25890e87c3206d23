"""docs/published.md keeps to what there is: its lines, scenarios and properties."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.marketplace.properties import PROPERTIES
from harness.marketplace.scenario import load_scenarios
from harness.marketplace.subject import load_subject
from harness.resources import bundled

PAGE = (Path(__file__).parents[2] / "docs" / "published.md").read_text()
ROWS = [line.strip("|").split(" | ") for line in PAGE.splitlines() if re.match(r"\| ?\d+ \|", line)]
BEFORE = [line.strip("|").split(" | ") for line in PAGE.partition("## Before")[2].splitlines() if "` |" in line]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_every_defect_has_its_row() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, 14))
    assert len(BEFORE) == 4


def test_the_code_is_on_the_line_that_is_given() -> None:
    lines = load_subject("published", bundled("sql")).migrations[-1].read_text().splitlines()
    places = [place for row in ROWS for place in re.findall(r"(\d+) `([^`]+)`", row[2])]
    assert len(places) > len(ROWS)
    for number, code in places:
        assert lines[int(number) - 1].strip().startswith(code), number


@pytest.mark.parametrize("row", [*ROWS, *BEFORE], ids=lambda row: row[0].strip())
def test_scenarios_and_properties_exist_and_belong_together(row: list[str]) -> None:
    scenarios, (names, properties) = load_scenarios(bundled("scenarios")), map(quoted, row[-2:])
    assert set(names) <= scenarios.keys()
    assert set(properties) <= PROPERTIES.keys()
    for property_id in properties:
        assert any(property_id in scenarios[name].properties for name in names), property_id
