"""A run as it is stepped through: what is told with which step, who waits for whom, and which lines are executed."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from markupsafe import Markup

from harness.report.html.interleaving import linked, steps
from harness.report.html.runs import runs
from harness.report.html.sources import Source, sources
from tests.browser.told import three_sessions, two_buyers
from tests.report.test_generated import stories


def told(document: dict[str, Any], number: int = 0) -> dict[str, Any]:
    found = [each["counterexample"] for each in document["properties"] if each["counterexample"]]
    story: dict[str, Any] = found[number]["story"]
    return story


def test_every_line_stands_with_its_step_and_in_its_lane() -> None:
    story = told(two_buyers())
    found = steps(story, sources([story]), [0, 6])
    assert [each.number for each in found] == list(range(16))
    assert [line.lane for line in found[1].lines] == [1, 2, 2, 2]
    assert [line.name for line in found[1].lines] == ["alice", "bob", "", ""]
    assert "preempted by bob" in found[1].lines[0].text
    assert [each.number for each in found if each.key] == [0, 6]


def test_who_waits_is_drawn_where_it_begins_and_told_until_it_ends() -> None:
    story = told(three_sessions())
    found = steps(story, {}, ())
    (arrow,) = [arrow for line in found[4].lines for arrow in line.arrows]
    assert (arrow.waiter, arrow.holder, arrow.text) == (1, 2, "purchase p (FOR UPDATE)")
    assert "waits for stripe" in found[4].lines[-1].text
    assert "credits waits for stripe. " in found[4].picture
    assert found[4].waiting == frozenset()
    assert found[5].picture.count('class="head"') == 2
    assert not found[5].still  # the deadlock has ended the one wait, and its victim the other
    assert not found[6].picture


def test_a_wait_that_goes_on_is_told_in_the_steps_of_others() -> None:
    story = told(three_sessions(), 1)
    story["steps"][5] = {"step": 5, "session": "nemesis", "where": "client", "statement": "SELECT 1", "events": []}
    last = steps(story, {}, ())[5]
    assert [(each.waiter, each.holder, each.what) for each in last.still] == [
        ("credits", "stripe", "purchase p (FOR UPDATE)")
    ]
    assert last.waiting == {1}
    assert not last.picture


def test_what_a_story_does_not_tell_is_not_shown() -> None:
    story = told(two_buyers())
    for part in ("reads", "saw", "commits"):
        for step in story["steps"]:
            step.pop(part, None)
    del story["sources"]
    assert sources([story]) == {}
    assert not any(each.source or each.reads or each.saw or each.commits for each in steps(story, {}, ()))


def test_a_statement_ends_where_its_text_says() -> None:
    lines = ["", "BEGIN", "  SELECT a -- not here;", "    INTO b;", "  FOR x IN", "    SELECT 1", "  LOOP", "  END"]
    source = Source("f", "f()", "a.sql", 31, lines)
    assert [source.until(line) for line in (3, 5, 8)] == [4, 7, 8]
    assert source.place(3) == "a.sql:33"
    assert Source("f", "f()", "", 1, lines).place(3) == ""


def test_keywords_and_comments_are_told_apart_and_nothing_else_is_markup() -> None:
    source = Source("f", "f()", "", 1, ["SELECT '<b> FROM' FROM a -- <i> SELECT"])
    (line,) = source.marked
    assert line == "<b>SELECT</b> &#39;&lt;b&gt; FROM&#39; <b>FROM</b> a <i>-- &lt;i&gt; SELECT</i>"


def test_steps_of_a_sentence_are_links_and_the_rest_is_text() -> None:
    assert linked("step 3, <b>misstep 4</b>, step 12", "run-2") == Markup(
        '<a href="#run-2-step-3">step 3</a>, &lt;b&gt;misstep 4&lt;/b&gt;, <a href="#run-2-step-12">step 12</a>'
    )


@settings(max_examples=20)
@given(stories())
def test_every_story_has_a_page(story: dict[str, Any]) -> None:
    found = {
        **{"file": "f.json", "scenario": "s", "isolation": "read committed", "why": "w", "guilty": {}, "steps": 1},
        **{"preemptions": 0, "proved_minimum": True, "found_after_schedules": 1, "found_after_seconds": 0.1},
        **{"replays": 1, "reproduced": 1, "story": story},
    }
    document = {"subject": {"name": "a"}, "properties": [{"id": "p", "verdict": "violated", "counterexample": found}]}
    text = runs(document)
    assert re.findall(r'id="run-1-step-(\d+)"', text) == [str(each["step"]) for each in story["steps"]]
