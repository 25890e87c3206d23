"""The page that explains a report shows one that is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.report.phrases import SQLSTATES
from tests.report.documents import HERE

PAGE = (Path(__file__).parents[2] / "docs" / "reading-a-report.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=[block.strip().splitlines()[0][:30] for block in BLOCKS])
def test_the_examples_are_parts_of_a_report(block: str) -> None:
    assert block in (HERE / "gold" / "violated_two.txt").read_text(encoding="utf-8")


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 8


@pytest.mark.parametrize("mark", re.findall(r"^\| `([^`A-Za-z0-9]+)", PAGE, re.MULTILINE))
def test_every_mark_that_is_explained_is_used(mark: str) -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in (HERE / "gold").glob("*.txt"))
    assert mark.strip() in texts.replace("… 5 more", "…")


def test_the_words_for_an_error_are_the_servers() -> None:
    assert f"40P01 {SQLSTATES['40P01']}" in PAGE
