"""What answers mean: refusals are no failures, and what a client cannot know is unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.load.users.told import Told, told_by_error, told_by_http, told_by_row
from harness.words.history import Status


def http(operation: str, status: int, document: Any, **headers: str) -> Told:
    return told_by_http(operation, status, json.dumps(document), headers)


def test_a_purchase() -> None:
    document = {"purchase": {"id": "p", "total": "2.50", "status": "completed"}, "remaining_credits": "7.50"}
    told = http("buy", 200, document)
    assert told == Told(Status.OK, "", 200, {"purchase": "p", "replayed": False, "total": "2.50", "balance": "7.50"})
    again = told_by_http("buy", 200, json.dumps(document), {"Idempotent-Replayed": "true"})
    assert again.answer is not None
    assert again.answer["replayed"] is True


def test_a_checkout_says_where_to_pay() -> None:
    told = http("checkout", 200, {"purchase": {"id": "p", "total": "2.50"}, "checkout_url": "http://pay"})
    assert told.answer == {"purchase": "p", "replayed": False, "total": "2.50", "checkout_url": "http://pay"}
    credits = http("buy_credits", 200, {"credit_purchase": {"id": "t", "amount": "5.00"}, "checkout_url": "http://pay"})
    assert credits.answer == {"purchase": "t", "replayed": False, "checkout_url": "http://pay"}


def test_a_look_and_a_delivery() -> None:
    shown = {"purchase": {"id": "p", "status": "pending", "lead_ids": ["x"]}, "leads": []}
    assert http("read", 200, shown).answer == {"purchase": "p", "status": "pending", "leads": ["x"]}
    assert http("deliver", 200, {"received": True}).answer == {}


@pytest.mark.parametrize(
    ("status", "code", "details", "told", "settled"),
    [
        (409, "lead_sold", {"lead_id": "x"}, Status.REFUSED, True),
        (402, "insufficient_credits", {"required": "2.50"}, Status.REFUSED, True),
        (409, "lead_busy", None, Status.BUSY, True),
        (409, "key_in_progress", None, Status.BUSY, False),
        (503, "try_again", {"outcome": "unknown"}, Status.UNKNOWN, False),
        (503, "try_again", {"outcome": "not done"}, Status.FAILED, False),
        (500, "internal_error", None, Status.UNKNOWN, False),
        (502, "payment_provider", None, Status.UNKNOWN, True),
    ],
)
def test_a_no(status: int, code: str, details: Any, told: Status, settled: bool) -> None:
    found = http("buy", status, {"error": code, "message": "No.", "details": details})
    assert (found.status, found.code, found.http, found.settled) == (told, code, status, settled)


@pytest.mark.parametrize(("status", "told"), [(502, Status.UNKNOWN), (404, Status.FAILED), (200, Status.FAILED)])
def test_what_is_no_answer_of_the_api(status: int, told: Status) -> None:
    assert told_by_http("buy", status, "<html>", {}).status is told
    assert told_by_http("buy", status, "[]", {}).code == "malformed_answer"


def test_no_answer_is_not_settled() -> None:
    assert not Told(Status.UNKNOWN, "ConnectionError", answered=False).settled


def test_rows() -> None:
    bought = json.dumps({"purchase": {"id": "p", "total": "2.50"}, "remaining_credits": "7.50"})
    assert told_by_row("purchase", ["t", bought]).answer == {
        "purchase": "p",
        "total": "2.50",
        "replayed": True,
        "balance": "7.50",
    }
    assert told_by_row("event", ["f"]).answer == {"already_completed": False}
    assert told_by_row("read", [None]) == Told(Status.REFUSED, "not_found")
    shown = json.dumps({"purchase": {"id": "p", "status": "pending", "lead_ids": []}})
    assert told_by_row("read", [shown]).answer == {"purchase": "p", "status": "pending", "leads": []}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (("P0001", "lead_sold", ""), Told(Status.REFUSED, "lead_sold")),
        (("P0001", "no", '{"required": "1"}'), Told(Status.REFUSED, "no", answer={"required": "1"})),
        (("P0001", "key_in_progress", ""), Told(Status.BUSY, "key_in_progress")),
        (("55P03", "lead_busy", ""), Told(Status.BUSY, "lead_busy")),
        (("40P01", "deadlock detected", "Process 1 waits"), Told(Status.BUSY, "40P01")),
        (("57014", "canceling statement", ""), Told(Status.FAILED, "57014")),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_errors(error: tuple[str, str, str], told: Told) -> None:
    assert told_by_error(*error) == told
