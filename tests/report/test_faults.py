"""The report of a fault sweep, on a document made by hand: headline, matrix, cells."""

from __future__ import annotations

from typing import Any

import pytest

from harness.report.faults import headline, render_faults

EXTENT = {"scenarios": 1, "exhausted": 1, "histories": 7, "not_struck": 1, "violating": 0}


def document(**changed: Any) -> dict[str, Any]:
    step = {
        "where": "public.pay(uuid):7",
        "statement": "UPDATE account SET balance = balance - 10 WHERE id = p_account AND long_enough_to_be_cut > 0",
        "faults": {"cancel": {"histories": 2, "violating": 0}, "error 40001": {"histories": 4, "violating": 3}},
    }
    return {
        "subject": {"name": "mine"},
        "verdict": "holds",
        "interrupted": False,
        "seed": 4,
        "seconds": 1.0,
        "server": {"version": "18.6", "workers": 2},
        "faults": ["cancel", "lock-timeout", "error 40001"],
        "never_struck": [],
        "histories": 7,
        "steps": 1,
        "strikes": 2,
        "single": EXTENT,
        "pairs": {**EXTENT, "wanted": 5, "histories": 5},
        "beside": {**EXTENT, "wanted": 0, "scenarios": 0},
        "unknown": {"committed": 1, "rolled_back": 2, "ambiguous": 3, "unexplained": 4},
        "leaks": 0,
        "crashes": None,
        "operations": [{"name": "pay", "theory": "Paid once.", "steps": [step], "faults": {}}],
        "properties": [],
        "scenarios": [],
        "skipped": [],
        **changed,
    }


def test_a_cell_says_how_often_and_what_was_broken() -> None:
    lines = render_faults(document(), ascii_only=False).splitlines()
    (row,) = [line for line in lines if "UPDATE account" in line]
    assert row.split()[-3:] == ["2", "·", "✗3"]
    (heads,) = [line for line in lines if line.strip().startswith("cancel")]
    assert heads.split() == ["cancel", "nowait", "40001"]
    assert [heads.index(word) + len(word) for word in heads.split()] == [
        row.index("2 ") + 1,
        row.index("·") + 1,
        len(row),
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_it_fits_the_page(width: int) -> None:
    assert max(map(len, render_faults(document(), width=width).splitlines())) <= width


def test_what_was_drawn_and_what_was_not() -> None:
    text = render_faults(document())
    assert "pairs of faults: 5 histories drawn from 1 combination" in text
    assert "beside another client" not in text
    assert "4 unexplained" in text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "HOLDS: mine keeps every property through 2 faults at 1 step"),
        ({"verdict": "not_exercised", "never_struck": ["cancel"]}, "was struck by cancel"),
        ({"interrupted": True}, "(interrupted; judged by what was run)"),
        (
            {
                "verdict": "could_not_run",
                "properties": [{"id": "sold-once", "verdict": "hang", "counterexample": None}],
            },
            "NOT JUDGED: mine hangs or is nondeterministic under faults",
        ),
    ],
)
def test_the_headline(changed: dict[str, Any], said: str) -> None:
    assert said in headline(document(**changed))


CRASHES = {
    "rounds": 5,
    "interrupted": 5,
    "acknowledged": 184,
    "refused": 60,
    "committed": 3,
    "rolled_back": 24,
    "lost": 0,
    "again": 40,
    "recovery_seconds_max": 0.2,
    "violated": [],
    "why": [],
}


def test_crashes_are_told_where_there_were_some() -> None:
    assert "crashes" not in render_faults(document())
    told = " ".join(render_faults(document(crashes=CRASHES)).split())
    assert "5 crashes under six clients, recovered in at most 0.20 s: 184 acknowledged, 0 lost" in told
    lost = CRASHES | {"lost": 2, "violated": ["no-lost-acknowledgement"], "why": ["session 1 was told that p was paid"]}
    broken = document(crashes=lost, verdict="violated")
    assert "no-lost-acknowledgement" in headline(broken)
    assert "session 1 was told that p was paid" in render_faults(broken)
