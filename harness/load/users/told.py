"""What an answer means: of the API over HTTP, of its functions over SQL, in the words of a sample."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.words.history import Status

NO_USE = 502
"""The one 5xx after which asking again does not help: somebody behind the API has refused."""
BUSY = ("lead_busy", "key_in_progress")
BUSY_STATES = ("40001", "40P01", "55P03")
"""serialization_failure, deadlock_detected, lock_not_available: nothing was changed, try again."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one request came to. ``answered`` is False when nothing came back."""

    status: Status
    code: str = ""
    http: int | None = None
    answer: dict[str, Any] | None = None
    answered: bool = True

    @property
    def settled(self) -> bool:
        """Whether there is nothing to ask again for. A lead that another buyer is at is let go: there are more."""
        if self.http == NO_USE:
            return True
        again = self.status is Status.UNKNOWN or (self.http or 0) >= 500
        return not again and (self.status is not Status.BUSY or self.code == "lead_busy")


def told_by_http(operation: str, http: int, text: str, headers: Mapping[str, str]) -> Told:
    """An answer of the API; a 5xx is unknown, unless it says that nothing was done."""
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return Told(Status.UNKNOWN if http >= 500 else Status.FAILED, "malformed_answer", http)
    if http >= 400:
        code, details = str(document.get("error", "")), document.get("details")
        if http >= 500:
            undone = isinstance(details, dict) and details.get("outcome") == "not done"
            return Told(Status.FAILED if undone else Status.UNKNOWN, code, http)
        return Told(Status.BUSY if code in BUSY else Status.REFUSED, code, http, details)
    return Told(Status.OK, "", http, _answer(operation, document, headers))


def _answer(operation: str, document: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    """What matters of a 200, in the words of ``Sample.answer``; and where to pay."""
    if operation == "deliver":
        return {}
    purchase = document.get("purchase") or document.get("credit_purchase") or {}
    answer: dict[str, Any] = {"purchase": purchase.get("id")}
    if operation == "read":
        return answer | {"status": purchase.get("status"), "leads": purchase.get("lead_ids")}
    answer["replayed"] = headers.get("Idempotent-Replayed") == "true"
    for name, value in {
        "total": purchase.get("total"),
        "balance": document.get("remaining_credits"),
        "checkout_url": document.get("checkout_url"),
    }.items():
        if value is not None:
            answer[name] = value
    return answer


def told_by_row(statement: str, row: Sequence[str | None]) -> Told:
    """The row that a statement of ``DirectBuyer`` has answered with."""
    answer: dict[str, Any]
    match statement:
        case "purchase":
            replayed, text = row
            response = json.loads(text or "{}")
            purchase = response["purchase"]
            answer = {"purchase": purchase["id"], "total": purchase["total"], "replayed": replayed == "t"}
            if "remaining_credits" in response:
                answer["balance"] = response["remaining_credits"]
        case "event":
            answer = {"already_completed": row[0] == "t"}
        case _:
            shown = json.loads(row[0] or "null")
            if shown is None:
                return Told(Status.REFUSED, "not_found")
            purchase = shown["purchase"]
            answer = {"purchase": purchase["id"], "status": purchase["status"], "leads": purchase["lead_ids"]}
    return Told(Status.OK, answer=answer)


def told_by_error(sqlstate: str, message: str, detail: str) -> Told:
    """An error that a statement has raised; the functions refuse with a word of their own."""
    if sqlstate in BUSY_STATES:
        return Told(Status.BUSY, message if message in BUSY else sqlstate)
    if sqlstate != "P0001":
        return Told(Status.FAILED, sqlstate)
    if message in BUSY:
        return Told(Status.BUSY, message)
    return Told(Status.REFUSED, message, answer=json.loads(detail) if detail.startswith("{") else None)
