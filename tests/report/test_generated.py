"""Whatever a run was like, it can be shown on any page."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from harness.report.lanes import lanes
from harness.report.statement import shorten
from harness.words.history import EventKind
from tests.report.documents import document, story
from tests.sizes import sized

TEXT = st.text(max_size=150)
WORDS = (
    *("SELECT", "*", "FROM", "leads", "l", "WHERE", "INTO", "v", "UPDATE", "SET", "a", "=", "b", ",", "FOR", "NOWAIT"),
    *(
        "INSERT",
        "VALUES",
        "(",
        ")",
        "'",
        "ON",
        "CONFLICT",
        "RETURNING",
        "WITH",
        "AS",
        "DELETE",
        "RETURN",
        "QUERY",
        "IN",
    ),
    *("%(p)s", "f(1, g(2))", "…", ";", '"q.t"', "id"),
)
SQL = st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join)
PLACE = st.sampled_from(["client", "fault", "public.f(uuid,text):3", "public.f(uuid,text):1200", '"a.b"."c d"():7'])
KINDS = [kind.value for kind in (EventKind.WAIT, EventKind.WAKE, EventKind.DEADLOCK, EventKind.ERROR, EventKind.FAULT)]


@st.composite
def stories(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=5, unique=True))
    session = st.sampled_from(names)
    steps = []
    for number in range(draw(st.integers(0, 30))):
        step: dict[str, Any] = {"step": number, "session": draw(session), "where": draw(PLACE), "events": []}
        if step["where"] != "fault":
            step["statement"] = draw(SQL | TEXT)
        if draw(st.booleans()):
            step["invokes"] = draw(st.sampled_from(["Buy(workspace='A', leads=('L1', 'L2'), purchase='p')", "Sweep()"]))
            step["sent"] = draw(SQL | st.just("SELECT f(%(x)s)"))
        if draw(st.booleans()):
            step["preempts"] = draw(session)
        for kind in draw(st.lists(st.sampled_from([*KINDS, "return"]), max_size=3)):
            event = {
                "kind": kind,
                "session": draw(session),
                "peers": draw(st.lists(session | st.just("another client"))),
            }
            step["events"].append(event | ({"detail": draw(TEXT)} if kind in ("error", "return") else {}))
        steps.append(step)
    ends = draw(st.sampled_from([story("violated_two")["story"], story("violated_three")["story"]]))
    return {"sessions": names, "steps": steps, "start": ends["start"], "final": ends["final"]}


@settings(max_examples=sized(50, 1000))
@given(stories(), st.integers(60, 160), st.booleans(), st.booleans())
def test_every_story_fits_every_page(told: dict[str, Any], width: int, full: bool, ascii_only: bool) -> None:
    text = lanes(told, width=width, full=full, ascii_only=ascii_only)
    assert all(cell_len(line) <= width for line in text.split("\n"))
    assert all(each.isprintable() or each == "\n" for each in text)
    assert text.isascii() or not ascii_only
    numbers = [
        int(found[1]) for line in text.split("\n\n")[0].split("\n") if (found := re.match(r" {0,3}(\d+) ", line))
    ]
    assert sorted(set(numbers)) == numbers
    assert not full or numbers == list(range(len(told["steps"])))


@given(SQL, st.integers(0, 120))
def test_a_statement_only_grows_shorter(sql: str, room: int) -> None:
    whole = shorten(sql, 10_000)
    assert len(shorten(sql, room)) <= len(whole) + len(" … FOR UPDATE NOWAIT")
    assert "\n" not in shorten(sql, room)


def test_the_examples_that_are_drawn_from_have_every_part() -> None:
    parts = {"balances", "leads", "purchases", "items", "ledger", "charges", "reservations", "top_ups"}
    final = document("violated_three")["properties"][1]["counterexample"]["story"]["final"]
    assert set(final) == parts
