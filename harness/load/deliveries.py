"""The gateway's deliveries as samples: Stripe is a client of the API, too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.load.sample import Sample
from harness.words.history import Status


def samples_of(deliveries: Iterable[Mapping[str, Any]], events: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
    """Every attempt that was sent, as the gateway tells of it, of events that ask something of the marketplace."""
    about = {event["id"]: _purchase(event) for event in events if not _is_promise(event)}
    for delivery in deliveries:
        if delivery["event"] not in about:
            continue
        purchase = about[delivery["event"]]
        for attempt in delivery["attempts"]:
            if attempt["lost"] == "request":
                # Nobody has ever heard of it.
                continue
            invoked = attempt["began"]
            status, code = _outcome(attempt["status"], attempt["answer"])
            yield Sample(
                client=f"gateway {delivery['number']}",
                operation="deliver",
                intended=invoked,
                invoked=invoked,
                returned=None if attempt["status"] is None else invoked + attempt["seconds"],
                status=status,
                code=code or (attempt["error"] or "").partition(":")[0],
                http=attempt["status"],
                answer={} if status is Status.OK else None,
                purchase=purchase,
                event=delivery["event"],
                kind=delivery["type"],
            )


def _outcome(http: int | None, answer: str | None) -> tuple[Status, str]:
    if http is None:
        return Status.UNKNOWN, ""
    if http < 300:
        return Status.OK, ""
    try:
        code = str(json.loads(answer or "").get("error", ""))
    except (ValueError, AttributeError):
        code = "malformed_answer"
    return (Status.UNKNOWN if http >= 500 else Status.REFUSED), code


def _is_promise(event: Mapping[str, Any]) -> bool:
    """Completed by a method that takes days: that the money has come, or not, is another event."""
    session = event["data"]["object"]
    return bool(event["type"] == "checkout.session.completed" and session["payment_status"] == "unpaid")


def _purchase(event: Mapping[str, Any]) -> str | None:
    metadata = event["data"]["object"].get("metadata") or {}
    return metadata.get("purchase_id") or metadata.get("credit_purchase_id")
