"""Deliveries that are signed here pass the real library's check."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import stripe

from harness.load.users.event import EXPIRED, PAID, Event, signature_of

EVENT = Event(PAID, "purchase", "5e0f9c1a-93f7-4a4b-8a1c-4f1f6f0b7c11", 250)


def test_the_real_library_takes_them() -> None:
    body = EVENT.body()
    assert stripe.WebhookSignature.verify_header(body, signature_of(body, "whsec_x"), "whsec_x", 300)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body, signature_of(body, "whsec_y"), "whsec_x", 300)


def test_an_event_is_the_same_in_every_delivery_and_no_other_has_its_id() -> None:
    assert EVENT.body() == replace(EVENT).body()
    others = {EVENT.id, replace(EVENT, kind=EXPIRED).id, replace(EVENT, purchase="p").id}
    assert len(others) == 3


def test_it_says_what_is_paid_for_and_whether_it_is() -> None:
    session = json.loads(EVENT.body())["data"]["object"]
    assert session["metadata"] == {"purchase_id": EVENT.purchase}
    assert (session["payment_status"], session["amount_total"]) == ("paid", 250)
    expired = replace(EVENT, kind=EXPIRED, about="credit_purchase")
    session = json.loads(expired.body())["data"]["object"]
    assert session["payment_status"] == "unpaid"
    assert session["metadata"] == {"credit_purchase_id": EVENT.purchase}
