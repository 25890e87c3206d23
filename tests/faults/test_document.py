"""A sweep within the document of a verification: in short, and with the graver verdict."""

from __future__ import annotations

from typing import Any

import pytest

from harness.faults.document import including
from harness.report.terminal import render
from tests.report.documents import document
from tests.report.schemas import validator

SCHEMA = validator("verify")

EXTENT = {"scenarios": 3, "exhausted": 0, "histories": 20, "not_struck": 5, "violating": 0}


def sweep(verdict: str, code: int, *violated: str) -> dict[str, Any]:
    entry = {"verdict": "violated", "counterexample": {"file": "reports/buy.json"}}
    return {
        "verdict": verdict,
        "exit_code": code,
        "interrupted": False,
        "never_struck": ["cancel"] if code == 5 else [],
        "histories": 70,
        "steps": 8,
        "strikes": 30,
        "unknown": {"committed": 1, "rolled_back": 2, "ambiguous": 3, "unexplained": 0},
        "leaks": 0,
        "single": {**EXTENT, "exhausted": 3, "histories": 40},
        "pairs": {**EXTENT, "wanted": 20},
        "beside": {**EXTENT, "wanted": 10, "scenarios": 1, "histories": 10},
        "properties": [{"id": each, **entry} for each in violated],
    }


@pytest.mark.parametrize(
    ("verified", "swept", "verdict", "said"),
    [
        ("holds", sweep("holds", 0), "holds", "HOLDS: reference keeps all"),
        ("holds", sweep("violated", 1, "sold-once"), "violated", "VIOLATED: reference breaks 1 property under faults"),
        ("holds", sweep("could_not_run", 3), "could_not_run", "NOT JUDGED: reference hangs"),
        ("holds", sweep("not_exercised", 5), "not_exercised", "NOT EXERCISED: nothing on reference was struck"),
        ("violated_two", sweep("holds", 0), "violated", "VIOLATED: "),
        ("violated_two", sweep("not_exercised", 5), "violated", "VIOLATED: "),
    ],
)
def test_the_graver_verdict_counts(verified: str, swept: dict[str, Any], verdict: str, said: str) -> None:
    both = including(document(verified), swept)
    SCHEMA.validate(both)
    assert both["verdict"] == verdict
    text = render(both)
    assert text.startswith(said)
    assert "unknown outcomes: 1 committed, 2 rolled back, 3 made no difference" in text
    assert "single faults: 40 histories of 3 sweeps, 3 exhausted" in text
    assert "pairs of faults: 20 histories drawn from 3 combinations" in text
    assert "a fault beside another client: 10 histories drawn from 1 combination" in text
    assert ("harness replay reports/buy.json" in text) == (swept["exit_code"] == 1)


def test_a_verification_without_a_sweep_says_nothing_of_it() -> None:
    assert "faults" not in render(document("holds"))
