"""Markdown for a step's summary or a comment: the verdict first, why, the picture, the replay, and never too long."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from harness.report.markdown import BYTES_MAX, fenced, markdown, plain, table
from tests.report.documents import NAMES, document
from tests.report.test_load_page import NAMES as LOADS
from tests.report.test_load_page import document as load_document


@pytest.mark.parametrize("name", [*NAMES, *LOADS])
def test_it_begins_with_the_verdict_and_ends_with_the_command(name: str) -> None:
    found = load_document(name) if name in LOADS else document(name)
    text = markdown(found)
    mark = {"holds": "✅", "violated": "❌"}.get(found["verdict"], "⚠️")
    assert text.startswith(f"### {mark} ")
    assert text.endswith(f"```sh\n{found['run']['command']}\n```\n")
    assert all(plain(each["id"]) in text for each in found["properties"])


def test_a_violation_alone_tells_what_went_wrong_and_how_to_replay_it() -> None:
    text = markdown(document("violated_two"))
    for part in (
        "| sold-once | VIOLATED | 1,904 | 212 | lead L1 was sold to p and q: sold\\_count 2 |",
        "```mermaid\nsequenceDiagram\n    participant s0 as alice\n",
        "↯ preempted by bob",
        "| lead L1 | available | sold, sold\\_count 2 |",
        "| balance A | 50 | 40.00 |",
        "```sh\nharness replay reports/schedules/mine-sold-once-two-buyers-one-lead.json --subject sql/mine --step\n",
    ):
        assert part in text, part


def test_the_sentence_why_stands_above_the_picture() -> None:
    found = document("violated_two")
    found["properties"][0]["counterexample"]["because"] = {"sentence": "bob checked *L1* at step 1", "steps": [1]}
    text = markdown(found)
    assert text.index("**bob checked \\*L1\\* at step 1**") < text.index("```mermaid")


def test_the_picture_is_of_the_shortest_run() -> None:
    text = markdown(document("violated_three"))
    assert text.count("```mermaid") == 1
    assert text.index("#### no-deadlock") < text.index("```mermaid") < text.index("#### charged-once")


def test_what_is_too_long_is_cut_between_parts_and_says_so() -> None:
    found = copy.deepcopy(document("violated_two"))
    entry = found["properties"][0]
    copies = []
    for number in range(3000):
        other: dict[str, Any] = copy.deepcopy(entry)
        other["id"] = f"property-{number}"
        other["counterexample"]["scenario"] = f"scenario-{number}"
        copies.append(other)
    found["properties"] = [*found["properties"], *copies]
    text = markdown(found)
    assert 1_000 < len(text.encode()) <= BYTES_MAX < 2**20
    assert text.endswith("… the rest is left out: the run document has it.\n")
    assert text.startswith("### ❌ VIOLATED")
    assert text.count("```") % 2 == 0, "no block is left open"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a_b *c* `d` [e](f) |g|", "a\\_b \\*c\\* \\`d\\` \\[e\\](f) \\|g\\|"),
        ("@somebody #12 <b>&amp;", "&#64;somebody &#35;12 &#60;b&#62;&#38;amp;"),
        ("1. one", "1\\. one"),
        ("- one", "\\- one"),
        ("40.00", "40.00"),
        ("two\nlines\u2028more", "two lines more"),
        ("x" * 1000, "x" * 599 + "…"),
    ],
)
def test_text_is_taken_for_nothing_else(text: str, written: str) -> None:
    assert plain(text) == written


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    assert fenced("a ```` b").splitlines()[0] == "`````"


def test_a_long_table_is_counted() -> None:
    assert table(("a",), [("x",)] * 205).endswith("… and 5 more")
    assert table(("a",), []) == ""
