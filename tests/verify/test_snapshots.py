"""What the statement of a step could see."""

from __future__ import annotations

from typing import Any

import pytest

from harness.verify.snapshots import snapshots

PLACES = ("client", "public.f():3")
INSIDE = [(0, 0, "BEGIN; SELECT 1"), (1, 0, "SELECT 1"), (0, 1, "SELECT 2"), (0, 0, "COMMIT"), (0, 0, "SELECT 3")]


def steps(told: list[tuple[int, int, str]]) -> list[dict[str, Any]]:
    return [
        {"step": number, "session": f"s{session}", "where": PLACES[place], "statement": statement}
        for number, (session, place, statement) in enumerate(told)
    ]


@pytest.mark.parametrize(
    ("isolation", "expected"),
    [
        ("read committed", [-1, 0, 1, None, 3]),
        ("repeatable read", [-1, 0, -1, None, 3]),
        ("serializable", [-1, 0, -1, None, 3]),
    ],
)
def test_the_level_decides(isolation: str, expected: list[int | None]) -> None:
    assert list(snapshots(steps(INSIDE), {0, 1, 4}, isolation)) == expected


def test_what_takes_no_snapshot_does_not_begin_one() -> None:
    told = [(0, 0, "BEGIN; SET LOCAL ROLE api"), (1, 0, "UPDATE t SET a = 1"), (0, 0, "SELECT 1"), (0, 1, "")]
    assert list(snapshots(steps(told), {0, 1}, "repeatable read")) == [None, 0, 1, None]


def test_a_fault_reads_nothing() -> None:
    struck = {"step": 0, "session": "nemesis", "where": "fault", "statement": "SELECT 1", "events": []}
    assert list(snapshots([struck], (), "read committed")) == [None]
