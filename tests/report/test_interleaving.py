"""What is told of a test's interleaving."""

from __future__ import annotations

from typing import Any

import pytest

from harness.report.interleaving import explored, failure

FOUND: dict[str, Any] = {
    "verdict": "violated",
    "why": "the first of them",
    "seed": 7,
    "schedules": 3,
    "counterexample": {
        "property": "invariant",
        "broken": {"invariant": "SELECT balance >= 0: False", "serializable": "state (-60) matches no serial order"},
        "scenario": "pay 1 and pay 2",
        "isolation": "read committed",
        "preemptions": 1,
        "proved_minimum": True,
        "steps": 1,
        "found_after_schedules": 3,
        "found_after_seconds": 0.02,
        "replays": 10,
        "reproduced": 10,
        "story": {
            "sessions": ["pay 1", "pay 2"],
            "steps": [
                {
                    "step": 0,
                    "session": "pay 1",
                    "where": "client",
                    "statement": "UPDATE account SET a = 1",
                    "events": [],
                }
            ],
            "start": {"rows": {"id 1": "balance 100", "id 2": "balance 7"}},
            "final": {"rows": {"id 1": "balance -60", "id 2": "balance 7"}},
        },
    },
}

TOLD = """\
invariant: SELECT balance >= 0: False
serializable: state (-60) matches no serial order
pay 1 and pay 2, read committed, 1 step, 1 preemption (the fewest that do it)
found after 3 schedules in 0.02 s, replayed 10 of 10 times
seed 7

step │ pay 1                      │ pay 2
─────┼────────────────────────────┼──────
   0 │   UPDATE account SET a = 1 │

      before       after
id 1  balance 100  balance -60
unchanged: id 2

    pytest test_it.py"""

HELD = {
    "verdict": "holds",
    "explored": "EXHAUSTED (every schedule)",
    "schedules": 1200,
    "distinct_outcomes": 1,
    "labels": {"busy": 3, "overlap": 1100},
    "opaque": [],
}


def test_a_failure_names_all_that_is_broken_and_shows_the_run() -> None:
    assert failure(FOUND, "pytest test_it.py").replace("\xa0", " ") == TOLD


def test_without_a_state_nothing_is_said_of_one() -> None:
    story = {key: FOUND["counterexample"]["story"][key] for key in ("sessions", "steps")}
    text = failure(FOUND | {"counterexample": FOUND["counterexample"] | {"story": story, "replays": 0}})
    assert text.endswith("UPDATE account SET a = 1 │")
    assert "replayed" not in text


def test_a_run_that_differs_is_said_to() -> None:
    document = FOUND | {"verdict": "nondeterministic", "counterexample": FOUND["counterexample"] | {"reproduced": 4}}
    assert "replayed 4 of 10 times" in failure(document)
    assert "NONDETERMINISTIC: not every replay went the same way" in failure(document)


@pytest.mark.parametrize(
    ("verdict", "head"),
    [("hang", "HANG"), ("not_exercised", "NOT EXERCISED"), ("nondeterministic", "NONDETERMINISTIC")],
)
def test_without_a_run_the_reason_is_all(verdict: str, head: str) -> None:
    document = {"verdict": verdict, "why": "because", "counterexample": None, "schedules": 1}
    assert failure(document) == f"{head}: because"
    assert explored(document) == f"{head} after 1 schedule"


def test_how_much_was_explored() -> None:
    assert explored(FOUND) == "VIOLATED after 3 schedules"
    runs = "in 1,100 they overlapped; in 3 they were told to try again"
    told = f"EXHAUSTED (every schedule): 1,200 schedules, 1 outcome; {runs}"
    assert explored(HELD) == told
    assert explored(HELD | {"opaque": ["f(): is in SQL"]}) == f"{told}; opaque: f(): is in SQL"
