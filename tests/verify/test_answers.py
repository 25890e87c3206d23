"""What rows that came back made a client see, and what its operation's ``return`` tells already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from harness.db.rows import Rows
from harness.marketplace.names import Names
from harness.marketplace.operations import Buy
from harness.marketplace.start import LeadStart, Start
from harness.verify.answers import Answer, came_back
from harness.words.history import Call, Result, Status

NAMES = Names("uuid", Start({"A": Decimal(50)}, {"L1": LeadStart(), "L2": LeadStart()}), ["p"])
LEAD = str(NAMES.id_of("lead", "L1"))
LEADS = [str(NAMES.id_of("lead", name)) for name in ("L2", "L1")]
OK = Result(Status.OK, "", (("balance", Decimal(40)), ("leads", ("L1", "L2")), ("already_completed", False)))


def seen(
    last: Mapping[str, Any] | None,
    result: Result = OK,
    *,
    count: int = 1,
    step: int = 0,
    statements: Sequence[str] = ("SELECT", "UPDATE"),
) -> dict[str, str]:
    """What alice sees in a step of hers, bob acting after her last one; she has been told ``result`` by then."""
    steps = [{"step": number, "session": "alice", "statement": each} for number, each in enumerate(statements)]
    steps.append({"step": len(steps), "session": "bob", "statement": "SELECT"})
    calls = [
        Call(1, Buy("A", ("L1",), "q"), len(statements), len(statements), OK),
        Call(0, Buy("A", ("L1",), "p"), 0, len(statements) - 1, result),
    ]
    answers = [Answer(step, 0, Rows(count, last))]
    found = dict(came_back(steps, ["alice", "bob"], answers, calls, NAMES))
    assert found.keys() <= {step}
    return {each["name"]: each["value"] for each in found.get(step, ())}


def test_a_row_is_told_by_its_columns_in_the_words_of_the_scenario() -> None:
    row = {"id": LEAD, "balance": "50.00", "at": "2026-02-05 10:00:00.1+00", "refuse": None, "api_token": "x9"}
    assert seen(row) == {
        "id": "lead L1",
        "balance": "50.00",
        "at": "a time",
        "refuse": "null",
        "api_token": "...",
    }


def test_it_is_told_how_many_rows_there_were_where_it_was_not_one() -> None:
    assert seen({"id": LEAD}, count=3) == {"rows": "3", "id": "lead L1"}
    assert seen(None, count=0) == {"rows": "0"}


FINAL = {"success": True, "balance": "40.00", "lead_ids": LEADS, "already_completed": False, "error_message": None}


@pytest.mark.parametrize("after", [(), ("COMMIT",), ("rollback",)])
def test_what_the_operation_is_answered_with_is_not_told_twice(after: Sequence[str]) -> None:
    assert seen(FINAL, statements=("SELECT", *after)) == {}
    assert seen({**FINAL, "prices": ["10.00"]}, statements=("SELECT", *after)) == {"prices": "[10.00]"}


def test_what_was_carried_on_with_is_told_even_if_it_is_the_answer() -> None:
    assert seen({"balance": "40.00"}) == {"balance": "40.00"}
    assert seen({"balance": "40.00"}, step=1) == {}


@pytest.mark.parametrize(
    ("row", "result"),
    [
        ({"balance": "50.00"}, OK),
        ({"balance": "none"}, OK),
        ({"lead_ids": LEADS[:1]}, OK),
        ({"lead_ids": LEAD}, OK),
        ({"already_completed": True}, OK),
        ({"balance": "40.00"}, Result(Status.UNKNOWN, "08006")),
        ({"success": True}, Result(Status.UNKNOWN, "08006")),
        ({"error_message": "no idea"}, Result(Status.REFUSED, "raised")),
    ],
)
def test_what_the_operation_is_not_answered_with_is_told(row: Mapping[str, Any], result: Result) -> None:
    assert seen(row, result, step=1).keys() == row.keys()


@pytest.mark.parametrize(
    ("row", "result"),
    [
        ({"refuse": "lead_unavailable"}, Result(Status.REFUSED, "lead_unavailable")),
        ({"refuse": "key_in_progress"}, Result(Status.BUSY, "key_in_progress")),
        ({"success": False, "error_message": "not enough"}, Result(Status.REFUSED, "insufficient_credits")),
        ({"purchase_id": str(NAMES.id_of("purchase", "p"))}, Result(Status.OK, "", (("purchase", "p"),))),
        ({"status": "pending"}, Result(Status.OK, "", (("status", "pending"),))),
    ],
)
def test_so_is_a_refusal_and_a_thing(row: Mapping[str, Any], result: Result) -> None:
    assert seen(row, result, step=1) == {}
    assert seen(row, result).keys() == row.keys()
