"""The sequence diagram of a story: by Mermaid's rules, whatever the story says, and of a length that one can look at.

The rules were held against Mermaid 11 itself, in Chromium, over some four hundred of these stories.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings

from harness.report.mermaid import STEPS_MAX, escaped, sequence
from tests.report.documents import five_sessions, story
from tests.report.test_generated import stories
from tests.sizes import sized

TEXT = r"(?:[^#;<>:%{}\[\]@&|$`\\\x00-\x1f\u2028\u2029]|#\d+;|<br/>)+"
LINE = re.compile(
    rf"sequenceDiagram|    participant s\d+ as {TEXT}|    Note over s\d+(?:,s\d+)?: {TEXT}"
    r"|    s\d+--xs\d+: waits|    s\d+-->>s\d+: lets go"
)


@settings(max_examples=sized(20, 200))
@given(stories())
def test_every_line_is_one_that_mermaid_takes(told: dict[str, Any]) -> None:
    first, *lines = sequence(told).split("\n")
    assert first == "sequenceDiagram"
    wrong = [line for line in lines if not LINE.fullmatch(line)]
    assert wrong == []
    declared = [line.split()[1] for line in lines if line.startswith("    participant")]
    assert declared == [f"s{number}" for number in range(len(told["sessions"]))]


@pytest.mark.parametrize("text", ["a; b", "#35;", "%%{init: {}}%%", "<script>", "x\ny", "a: b", "`$$`", "\u2028", ""])
def test_what_mermaid_takes_for_its_own_is_an_entity(text: str) -> None:
    assert re.fullmatch(TEXT, escaped(text))


def test_who_waits_points_at_whom() -> None:
    lines = sequence(story("violated_three")["story"]).split("\n")
    assert "    s0--xs1: waits" in lines
    deadlock = next(number for number, line in enumerate(lines) if "deadlock" in line)
    assert lines.index("    s1--xs0: waits") < deadlock, "the wait closes the circle"


def test_a_long_story_loses_its_middle_and_says_so() -> None:
    long = five_sessions()
    steps = [dict(long["steps"][number % 10], step=number) for number in range(200)]
    text = sequence({**long, "steps": steps})
    shown = re.findall(r": (\d+) · ", text)
    assert shown == [str(number) for number in (*range(30), *range(170, 200))]
    assert len(shown) == STEPS_MAX
    assert "Note over s0,s4: … 140 more steps, see the replay" in text
