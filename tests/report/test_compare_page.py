"""The page of a comparison: its verdicts in words, every interval in its place, and what changed in what is slower."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from harness.report.html import html
from tests.report.documents import HERE
from tests.report.schemas import altered, validator
from tests.report.test_load_page import SIZE_MAX, headings, text_of

NAMES = ("compare_slower", "compare_cannot_tell")


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_are_comparisons_and_small_pages(name: str) -> None:
    found = document(name)
    validator("compare").validate(found)
    assert len(html(found).encode()) < SIZE_MAX


def test_what_is_slower_comes_first_with_its_cause() -> None:
    found = document("compare_slower")
    page = html(found)
    assert "<h1>SLOWER: complete_credit" in page
    assert headings(page)[:2] == ["Why", "Operations"]
    assert "no cause was found" in text_of(page)
    cause = {"kind": "index", "function": None, "line": None, "statement": None, "text": "index <leads_owner> is gone"}
    told = text_of(html(altered(found, ("functions", 0, "cause"), [cause])))
    assert "index <leads_owner> is gone" in told
    assert "no cause was found" not in told


def test_every_figure_of_every_function_has_its_numbers_and_its_word() -> None:
    found = document("compare_cannot_tell")
    page = html(found)
    rows = [text_of(row) for row in re.findall(r"<tr><td>.*?</tr>", page, re.DOTALL)]
    assert len(rows) >= sum(len(each["figures"]) for each in found["functions"]) == 16
    assert sum("can't tell" in row for row in rows) == sum(
        figure["verdict"] == "cannot_tell" for each in found["functions"] for figure in each["figures"]
    )
    assert headings(page)[0] == "Operations"
    assert "A/A: the base against itself differs by at most" in page


def test_an_interval_that_is_above_the_limit_is_drawn_right_of_its_band() -> None:
    figure = document("compare_slower")["functions"][1]["figures"][0]
    figure |= {"verdict": "slower", "increase": {"lower": 0.08, "middle": 0.1, "upper": 0.12, "pairs": 50}}
    page = html(altered(document("compare_slower"), ("functions", 1, "figures", 0), figure))
    drawn = re.findall(r'aria-label="\+10 %, from \+8 % to \+12 %".*?</svg>', page)
    (line,) = re.findall(r'class="line bad" d="M(\d+) 350H(\d+)"', drawn[0])
    (band,) = re.findall(r'class="field plain" d="M(\d+) 0H(\d+)', drawn[0])
    assert int(band[0]) < 500 < int(band[1]) < int(line[0]) < int(line[1])


@pytest.mark.parametrize(
    "interval",
    [
        None,
        {"lower": None, "middle": None, "upper": None, "pairs": 3},
        {"lower": None, "middle": 0.1, "upper": None, "pairs": 3},
    ],
)
def test_what_is_not_known_is_not_drawn(interval: dict[str, Any] | None) -> None:
    found = document("compare_slower")
    for name in ("increase", "against_itself"):
        found = altered(found, ("functions", 0, "figures", 0, name), interval)
    first = re.search(r"<tr><td>CPU.*?</tr>", html(found), re.DOTALL)
    assert first is not None
    assert ("<svg" in first[0]) == (interval is not None and interval["middle"] is not None)
    assert ("-" if interval is None else "from 0" if interval["middle"] is None else "any to any") in first[0]


def test_nothing_measured_is_a_page_without_a_forest() -> None:
    page = html(altered(document("compare_slower"), ("functions",), []) | {"verdict": "not_exercised"})
    assert headings(page) == ["What was compared", "Run it again"]
