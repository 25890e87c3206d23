"""What a run has changed, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from harness.report.changes import changes
from harness.report.page import Page

PARTS = ("balances", "leads", "purchases", "items", "ledger", "charges", "reservations", "top_ups")
START: dict[str, Any] = {
    "workspaces": {"A": "50"},
    "leads": {"L1": {"price": "10", "seller": "seller", "status": "available"}},
    "purchases": {
        "p": {"workspace": "A", "leads": ["L1"], "method": "stripe", "status": "pending", "reserved": "held"}
    },
    "top_ups": {"t": {"workspace": "A", "amount": "5"}},
}


def final(**parts: Any) -> dict[str, Any]:
    same = {
        "balances": {"A": "50.00", "seller": "0.00"},
        "leads": {"L1": {"status": "available", "sold_count": 0}},
        "purchases": {"p": "pending"},
        "top_ups": {"t": "pending"},
    }
    return {**dict.fromkeys(PARTS), "items": [], **same, **parts}


def table(end: dict[str, Any], guilty: dict[str, str] | None = None) -> list[list[str]]:
    """The cells of the rows."""
    lines = changes(Page(), START, end, guilty or {})
    return [[cell for cell in line.split("  ") if cell.strip()] for line in lines]


def test_the_same_amount_written_otherwise_is_no_change() -> None:
    assert table(final()) == [["Nothing was changed."]]


@pytest.mark.parametrize(
    ("part", "value", "row"),
    [
        ("balances", {"A": "40.00", "seller": "0"}, ["balance A", "50", "40.00"]),
        ("balances", {"A": "NaN", "seller": "0"}, ["balance A", "50", "NaN"]),
        ("balances", {"A": "50", "seller": "10"}, ["balance seller", "0", "10"]),
        ("leads", {"L1": {"status": "sold", "sold_count": 1}}, ["lead L1", "available", "sold"]),
        ("leads", {"L1": {"status": "sold", "sold_count": 2}}, ["lead L1", "available", "sold, sold_count 2"]),
        (
            "leads",
            {"L1": {"status": "available", "sold_count": 1}},
            ["lead L1", "available", "available, sold_count 1"],
        ),
        ("purchases", {"p": "completed"}, ["purchase p", "pending", "completed"]),
        ("purchases", {"p": "pending", "q": "completed"}, ["purchase q", "-", "completed"]),
        ("purchases", [], ["purchase p", "pending", "-"]),
        ("top_ups", {"t": "completed"}, ["top-up t", "pending", "completed"]),
        ("reservations", [], ["reserved for p", "L1", "-"]),
        ("charges", [["p", "A", "10"], ["p", "A", "10"]], ["charged for p", "-", "A 10, A 10"]),
        ("ledger", {"A": "45", "seller": "0"}, ["ledger of A", "-", "45"]),
    ],
)
def test_what_is_another_has_a_row(part: str, value: Any, row: list[str]) -> None:
    head, only, *rest = table(final(**{part: value}))
    assert [cell.strip() for cell in head] == ["before", "after"]
    assert [cell.strip() for cell in only] == row
    assert [line[0].partition(":")[0].strip() for line in rest] == ["unchanged"]


def test_a_reservation_that_was_not_probed_did_not_vanish() -> None:
    assert not any("reserved" in line for line in changes(Page(), START, final(), {}))
    assert not any("reserved" in line for line in changes(Page(), START, final(reservations={"p": ["L1"]}), {}))


@pytest.mark.parametrize(
    ("guilty", "marked"),
    [
        ({"lead": "L1"}, "lead L1"),
        ({"leads": "L1, L2"}, "lead L1"),
        ({"purchase": "p"}, "purchase p"),
        ({"workspace": "A"}, "balance A"),
        ({"top-up": "t"}, "top-up t"),
    ],
)
def test_the_guilty_have_a_row_even_when_nothing_changed_them(guilty: dict[str, str], marked: str) -> None:
    lines = changes(Page(), START, final(), guilty)
    assert [line.partition("  ")[0] for line in lines if line.endswith("◂")] == [marked]


def test_other_guilty_values_mark_nothing() -> None:
    assert not any("◂" in line for line in changes(Page(), START, final(), {"session": "A", "event": "p"}))
