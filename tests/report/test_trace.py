"""The trace for Perfetto, held against the description of Chrome's trace event format."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from harness.report.trace import STEP_US, trace
from tests.report.documents import NAMES, document
from tests.report.test_generated import stories
from tests.sizes import sized

NEEDED = {
    "X": {"name", "cat", "pid", "tid", "ts", "dur", "args"},
    "M": {"name", "pid", "tid", "ts", "args"},
    "i": {"name", "cat", "pid", "tid", "ts", "s", "args"},
    "s": {"name", "cat", "pid", "tid", "ts", "id"},
    "f": {"name", "cat", "pid", "tid", "ts", "id", "bp"},
}
"""Phase to its fields: complete event, metadata, instant, start and end of a flow."""


def events(found: dict[str, Any]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(trace(found))["traceEvents"]
    for each in told:
        assert set(each) - {"ph"} == NEEDED[each["ph"]], each
        assert isinstance(each["ts"], int)
        assert each["ts"] >= 0
        assert each.get("dur", 1) > 0
    pids = {each["pid"] for each in told}
    assert pids.isdisjoint({each["tid"] for each in told}), "the thread of a process's id is its main one"
    assert all(each["tid"] - each["pid"] in (1, 2, 3) for each in told), "threads of two processes differ"
    slices = [each for each in told if each["ph"] == "X"]
    tracks: dict[int, int] = {}
    for each in sorted(slices, key=lambda each: each["ts"]):
        assert each["ts"] >= tracks.get(each["tid"], 0), "slices of a thread do not overlap"
        tracks[each["tid"]] = each["ts"] + each["dur"]
    for flow in (each for each in told if each["ph"] in "sf"):
        around = [
            each
            for each in slices
            if (each["pid"], each["tid"]) == (flow["pid"], flow["tid"])
            and each["ts"] <= flow["ts"] <= each["ts"] + each["dur"]
        ]
        assert around, "an arrow begins and ends within a slice"
    starts, ends = (sorted(each["id"] for each in told if each["ph"] == phase) for phase in "sf")
    assert starts == ends
    assert all(isinstance(each, int) for each in starts), "a text would be read as a hexadecimal number"
    assert len({*starts}) == len(starts)
    return told


def with_story(told: dict[str, Any]) -> dict[str, Any]:
    found = document("violated_two")
    entry = found["properties"][0]
    return {**found, "properties": [{**entry, "counterexample": {**entry["counterexample"], "story": told}}]}


@pytest.mark.parametrize("name", NAMES)
def test_every_document_has_a_trace(name: str) -> None:
    events(document(name))


@settings(max_examples=sized(15, 100))
@given(stories())
def test_every_story_has_one(told: dict[str, Any]) -> None:
    found = events(with_story(told))
    assert sum(each.get("cat") == "step" for each in found) == len(told["steps"])


def test_sessions_are_processes_and_steps_follow_each_other() -> None:
    found = events(with_story(document("violated_two")["properties"][0]["counterexample"]["story"]))
    names = {each["pid"]: each["args"]["name"] for each in found if each["name"] == "process_name"}
    assert list(names.values()) == ["alice (1: sold-once)", "bob (1: sold-once)"]
    steps = [each for each in found if each.get("cat") == "step"]
    assert [each["ts"] for each in steps] == [number * STEP_US for number in range(16)]
    answers = [each["args"]["answer"] for each in found if each.get("cat") == "operation"]
    assert answers == ["ok (balance=40.00)"] * 2


def test_waits_are_slices_and_a_deadlock_is_an_instant() -> None:
    found = events(document("violated_three"))
    assert any(each["name"] == "waits for stripe" and each["ph"] == "X" for each in found)
    assert {each["cat"] for each in found if each["ph"] == "i"} >= {"deadlock", "error"}
    assert any(each["ph"] == "s" for each in found)


def test_what_broke_is_told_across_all_sessions() -> None:
    found = [each for each in events(document("violated_three")) if each["ph"] == "i" and each["s"] == "g"]
    assert [each["name"] for each in found] == [
        "charged-once: purchase p is paid by stripe and was charged 10 credits as well",
        "no-deadlock: session stripe and session credits waited for each other at step 5",
    ]
