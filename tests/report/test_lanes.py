"""Lanes: who did what, in order, on any page."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from rich.cells import cell_len

from harness.report.lanes import lanes, step_by_step
from harness.report.rows import rows, without_news
from tests.report.documents import document, five_sessions, story


def picture(text: str) -> list[str]:
    return text.partition("\n\n")[0].splitlines()


@pytest.mark.parametrize("width", [60, 72, 80, 100, 130, 160])
@pytest.mark.parametrize("name", ["violated_two", "violated_three"])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_no_line_is_wider_than_the_page(name: str, width: int, ascii_only: bool) -> None:
    for line in lanes(**story(name), width=width, ascii_only=ascii_only).splitlines():
        assert cell_len(line) <= width


@pytest.mark.parametrize("width", [80, 100, 160])
def test_five_sessions_fit(width: int) -> None:
    text = lanes(five_sessions(), width=width, ascii_only=False)
    assert max(map(cell_len, text.splitlines())) <= width
    for name in ("anna", "bert", "carl", "dora", "emil"):
        assert name in text
    assert text.count("waits for") == 4
    assert text.count("→ ok") == 5


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("name", ["violated_two", "violated_three"])
def test_each_step_is_numbered_once_and_in_order(name: str, width: int) -> None:
    told = story(name)["story"]
    lines = picture(lanes(told, width=width, full=True, ascii_only=False))
    numbers = [int(found[1]) for line in lines if (found := re.match(r" {0,3}(\d+) ", line))]
    assert numbers == [step["step"] for step in told["steps"]]


def test_step_by_step_tells_each_step_once_with_what_it_saw_and_committed() -> None:
    told = story("violated_two")["story"]
    steps = copy.deepcopy(told["steps"])
    steps[1] |= {"saw": [{"name": "v_balance", "value": "40"}]}
    steps[2] |= {"commits": [{"name": "lead L1", "before": "available", "after": "sold"}]}
    lines = step_by_step(told | {"steps": steps}, 60)
    assert len(lines) == len(steps)
    assert lines[1][-1] == "    saw v_balance = 40"
    assert "committed lead L1: available" in lines[2][-1]
    assert any("preempted by bob" in line for each in lines for line in each)
    assert max(cell_len(line) for each in lines for line in each) <= 60


def test_a_row_stands_in_the_lane_of_its_session() -> None:
    lines = picture(lanes(**story("violated_two"), width=100, ascii_only=False))
    lane = {line.count("│", 0, line.index("▸")): line for line in lines if "▸" in line}
    assert "Buy A L1 p" in lane[1]
    assert "Buy B L1 q" in lane[2]


def test_a_preemption_is_marked_where_the_session_was_stopped() -> None:
    lines = picture(lanes(**story("violated_two"), width=100, ascii_only=False))
    mark = next(line for line in lines if "preempted by bob" in line)
    assert mark.count("│", 0, mark.index("preempted")) == 1
    assert "Buy B" in lines[lines.index(mark) + 1]


def test_who_waits_is_seen_while_the_others_go_on() -> None:
    told = rows(story("violated_three")["story"], full=True)
    waits = next(index for index, row in enumerate(told) if "waits for stripe" in row.text)
    wakes = next(index for index, row in enumerate(told) if "stripe let go" in row.text)
    assert {0 in row.waiting for row in told[waits + 1 : wakes]} == {True}
    assert not any(0 in row.waiting for row in told[wakes:])


@pytest.mark.parametrize(
    "said",
    [
        "waits for stripe",
        "deadlock: stripe → credits → stripe",
        "40P01 deadlock detected",
        "busy 40P01",
        "cancels credits",
        "57014 statement cancelled",
        "ok (already_completed=False)",
    ],
)
def test_every_event_is_said(said: str) -> None:
    assert said in lanes(**story("violated_three"), width=160, ascii_only=False)


def long_story(statement: str) -> dict[str, Any]:
    """One session in a loop of twenty rounds."""
    told = five_sessions()
    where = "public.take(uuid):5"
    body = [{"session": "anna", "events": [], "where": where, "statement": statement} for _ in range(20)]
    steps = [copy.deepcopy(told["steps"][0]), *body, copy.deepcopy(told["steps"][5])]
    told["steps"] = [{**step, "step": number} for number, step in enumerate(steps)]
    return told


@pytest.mark.parametrize(
    ("statement", "folded"), [("SELECT 1", 20), ("UPDATE leads SET status = 'sold' WHERE id = $1", 19)]
)
def test_a_run_of_steps_without_news_is_one_row_unless_all_is_asked_for(statement: str, folded: int) -> None:
    told = long_story(statement)
    assert len(without_news(told["steps"])) == folded
    text = lanes(told, ascii_only=False)
    assert f"… {folded} more steps" in text
    assert text.count(statement[:10]) == 20 - folded
    whole = lanes(told, full=True, ascii_only=False)
    assert "more steps" not in whole
    assert whole.count(statement[:10]) == 20


def test_the_guilty_are_marked() -> None:
    told = story("violated_two")
    (mark,) = [line for line in lanes(**told, ascii_only=False).splitlines() if "L1" in line and "◂" in line]
    assert mark.startswith("lead L1  ")
    assert "◂" not in lanes(told["story"], ascii_only=False)


def test_colour_changes_nothing_but_colour() -> None:
    for name in ("violated_two", "violated_three"):
        plain = lanes(**story(name), ascii_only=False)
        coloured = lanes(**story(name), colour=True, ascii_only=False)
        assert coloured != plain
        assert [line.rstrip() for line in re.sub(r"\x1b\[[\d;]*m", "", coloured).splitlines()] == plain.splitlines()


def test_ascii_is_ascii() -> None:
    told = story("violated_three")
    told["story"]["sessions"][2] = told["story"]["steps"][6]["session"] = "Ñemesis"
    told["story"]["steps"][6]["events"][0]["session"] = "Ñemesis"
    assert lanes(**told, ascii_only=True).isascii()


def test_a_statement_cannot_move_the_cursor() -> None:
    told = story("violated_two")["story"]
    told["steps"][2]["statement"] = "SELECT '\x1b[2J\r\n\x07' FROM leads"
    assert "\x1b" not in lanes(told) + lanes(told, width=160)
    assert "\r" not in lanes(told)


def test_wide_characters_keep_the_lanes_straight() -> None:
    told = story("violated_two")["story"]
    told["steps"][2]["statement"] = "SELECT '東京タワー' FROM leads"
    lines = picture(lanes(told, ascii_only=False))
    assert len({cell_len(line[: line.index("│", 6)]) for line in lines if line.count("│") == 2}) == 1
    assert any("東京タワー" in line for line in lines)


def test_a_story_without_a_function_says_what_the_client_sends() -> None:
    told = story("violated_two")["story"]
    told["steps"] = [
        {"step": 0, "session": "alice", "events": [], "where": "client", "statement": "BEGIN"},
        {"step": 1, "session": "alice", "events": [], "where": "client", "statement": "SELECT 1 FROM f(%(x)s)"},
        {"step": 2, "session": "bob", "events": [], "where": "fault"},
    ]
    text = lanes(told, ascii_only=False)
    assert "BEGIN" in text
    assert "SELECT 1 FROM f(:x)" in text
    assert "finds nothing to strike" in text


def test_the_answers_of_a_document_are_all_there() -> None:
    for entry in document("violated_two")["properties"]:
        if entry["counterexample"]:
            text = lanes(entry["counterexample"]["story"], width=130, ascii_only=False)
            assert text.count("→ ok (balance=40.00)") == 2
