"""The gateway's deliveries as samples of the history."""

from __future__ import annotations

from typing import Any

from harness.load.deliveries import samples_of
from harness.words.history import Status


def event(id_: str, kind: str = "checkout.session.completed", payment: str = "paid", **metadata: str) -> dict[str, Any]:
    return {"id": id_, "type": kind, "data": {"object": {"payment_status": payment, "metadata": metadata}}}


def attempt(status: int | None, answer: str | None = '{"received":true}', **other: Any) -> dict[str, Any]:
    told = {"began": 5.0, "seconds": 0.25, "status": status, "answer": answer, "error": None, "lost": None}
    return told | other


def delivery(id_: str, *attempts: dict[str, Any], kind: str = "checkout.session.completed") -> dict[str, Any]:
    return {"number": 3, "event": id_, "type": kind, "attempts": list(attempts)}


def test_every_attempt_that_was_sent_is_a_sample() -> None:
    attempts = (
        attempt(None, None, error="lost on its way", lost="request"),
        attempt(None, None, error="ReadTimeout: "),
        attempt(503, '{"error":"try_again"}'),
        attempt(200, lost="answer"),
        attempt(200),
    )
    found = list(samples_of([delivery("e", *attempts)], [event("e", purchase_id="p")]))
    assert [(each.status, each.code, each.http, each.returned) for each in found] == [
        (Status.UNKNOWN, "ReadTimeout", None, None),
        (Status.UNKNOWN, "try_again", 503, 5.25),
        (Status.OK, "", 200, 5.25),
        (Status.OK, "", 200, 5.25),
    ]
    assert {(each.client, each.operation, each.event, each.purchase) for each in found} == {
        ("gateway 3", "deliver", "e", "p")
    }


def test_a_refusal_has_its_word() -> None:
    refused, malformed = samples_of(
        [delivery("e", attempt(400, '{"error":"amount_mismatch"}'), attempt(404, "<html>"))],
        [event("e", credit_purchase_id="t")],
    )
    assert (refused.status, refused.code, refused.purchase) == (Status.REFUSED, "amount_mismatch", "t")
    assert malformed.code == "malformed_answer"


def test_what_asks_nothing_is_no_operation() -> None:
    promised = event("e", payment="unpaid", purchase_id="p")
    paid = event("f", "checkout.session.async_payment_succeeded", purchase_id="p")
    found = samples_of([delivery("e", attempt(200)), delivery("f", attempt(200))], [promised, paid])
    assert [each.event for each in found] == ["f"]
