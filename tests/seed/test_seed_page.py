"""docs/seed-tests.md keeps to what there is: the 28 titles, a test for each, and properties that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from harness.stress.arena import SAFETY

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "seed-tests.md").read_text(encoding="utf-8")
GROUPS = {"Critical flows": 7, "Concurrent purchases": 7, "Atomic operations": 8, "Webhook idempotency": 6}
"""The seed's groups, and how many tests each has."""


def rows(group: str) -> list[list[str]]:
    text = PAGE.partition(f"## {group}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ") and "`test_" in line]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def cases(group: str) -> list[str]:
    module = ast.parse((HERE / f"test_{group.lower().replace(' ', '_')}.py").read_text(encoding="utf-8"))
    return [node.name for node in module.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def test_every_test_has_its_row_and_every_row_its_test() -> None:
    assert re.findall(r"^## (.*)$", PAGE, re.MULTILINE) == list(GROUPS)
    for group, count in GROUPS.items():
        assert [row[1].strip("`") for row in rows(group)] == cases(group)
        assert len(cases(group)) == count
    assert sum(GROUPS.values()) == 28


def test_a_test_is_named_after_its_title() -> None:
    for group in GROUPS:
        for title, name, _, _ in rows(group):
            told = re.sub(r"^test_(an?_)?", "", name.strip("`")).replace("_", " ")
            assert told.removeprefix("a ") == title.lower().removeprefix("a ").removeprefix("an ").strip(), title


def test_what_a_test_is_about_is_judged_after_it() -> None:
    for group in GROUPS:
        for title, _, proves, properties in rows(group):
            named = re.findall(r"`([^`]+)`", properties)
            assert named, title
            assert proves, title
            assert set(named) <= set(SAFETY), title
    # And it is judged: every test ends with it, or one that it calls does.
    for group in GROUPS:
        text = (HERE / f"test_{group.lower().replace(' ', '_')}.py").read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert re.search(r"must_be_safe\(\)|completed_once\(opened\)|one_winner_of\(", ast.unparse(node)), (
                    node.name
                )
