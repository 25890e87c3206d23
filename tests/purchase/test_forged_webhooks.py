"""Webhooks that Stripe did not send, sent long ago, or sent about nothing of ours."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from harness.gateway.signature import signature_header
from tests.purchase.conftest import WEBHOOK_SECRET, Opened
from tests.purchase.visitor import Answer, call

PAID, EXPIRED, REFUNDED = "checkout.session.completed", "checkout.session.expired", "charge.refunded"
PATH = "/api/webhooks/stripe"


def event(kind: str = PAID, id_: str | None = None, **about: Any) -> dict[str, Any]:
    """What Stripe would send; ``about`` are members of the object it is about."""
    thing = {"object": "checkout.session", "payment_status": "paid", "currency": "usd", "amount_total": 1000, **about}
    return {"id": id_ or f"evt_{uuid4().hex}", "object": "event", "type": kind, "data": {"object": thing}}


class Deliveries:
    """A pending purchase of 10, and whoever says that it is paid."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        lead = opened.shop.lead(opened.seller)
        self.purchase = opened.visitor.buy(opened.buyer, lead, method="stripe").json["purchase"]["id"]
        self.body = json.dumps(event(metadata={"purchase_id": self.purchase})).encode()

    def send(self, body: bytes | dict[str, Any], signature: str | None = None) -> Answer:
        """Signed as it should be, unless told otherwise."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        header = signature_header(raw, [WEBHOOK_SECRET], int(time.time())) if signature is None else signature
        return self.opened.visitor.ask("POST", PATH, raw, headers={"stripe-signature": header})

    @property
    def status(self) -> str | None:
        return self.opened.shop.status(self.purchase)


@pytest.fixture
def deliveries(opened: Opened) -> Iterator[Deliveries]:
    """Whatever is sent, the purchase stays as it is."""
    made = Deliveries(opened)
    before = opened.shop.rows()
    yield made
    assert made.status == "pending"
    assert opened.shop.rows() == before


def test_forged_signatures(deliveries: Deliveries) -> None:
    body, now = deliveries.body, int(time.time())
    good = signature_header(body, [WEBHOOK_SECRET], now)
    proof = good.split("v1=")[1].split(",")[0]
    forged = {
        "empty": "",
        "blank": " ",
        "of another secret": signature_header(body, ["whsec_of_somebody_else"], now),
        "of no secret": signature_header(body, [""], now),
        "of another body": signature_header(body + b" ", [WEBHOOK_SECRET], now),
        "five minutes old and more": signature_header(body, [WEBHOOK_SECRET], now - 310),
        "of a day that is not yet": signature_header(body, [WEBHOOK_SECRET], now + 86_400),
        "of the year 1970": signature_header(body, [WEBHOOK_SECRET], 0),
        "of a time before time": signature_header(body, [WEBHOOK_SECRET], -1),
        "with another time": good.replace(f"t={now}", f"t={now - 1}"),
        "without a time": f"v1={proof}",
        "with a time that is none": f"t=now,v1={proof}",
        "with an endless time": f"t={'9' * 10_000},v1={proof}",
        "with a broken time": f"t={now}.5,v1={proof}",
        "with two times": f"t={now - 1},t={now},v1={proof}",
        "without a proof": f"t={now}",
        "of the test scheme alone": f"t={now},v0={proof}",
        "of a later scheme": f"t={now},v2={proof}",
        "in capitals": f"t={now},v1={proof.upper()}",
        "half of it": f"t={now},v1={proof[:32]}",
        "too much of it": f"t={now},v1={proof}00",
        "not hexadecimal": f"t={now},v1={'g' * 64}",
        "not ASCII": f"t={now},v1=\xe9\xff",
        "with a NUL": f"t={now},v1={proof}\x00",
        "a thousand wrong ones": f"t={now}," + ",".join(["v1=" + "0" * 64] * 1000),
        "commas": "," * 1000,
        "equals": "=" * 1000,
        "SQL": "t=1,v1=' OR 1=1 --",
    }
    for what, signature in forged.items():
        assert deliveries.send(body, signature).told == (400, "bad_signature"), what
    assert deliveries.opened.visitor.ask("POST", PATH, body).told == (400, "bad_signature")


def test_a_signature_is_of_the_bytes(deliveries: Deliveries) -> None:
    good = signature_header(deliveries.body, [WEBHOOK_SECRET], int(time.time()))
    document = json.loads(deliveries.body)
    bigger = {**document, "data": {"object": {**document["data"]["object"], "amount_total": 1}}}
    for other in (
        json.dumps(document, indent=2).encode(),
        json.dumps(document, separators=(",", ":")).encode(),
        deliveries.body + b"\n",
        b"\xef\xbb\xbf" + deliveries.body,
        json.dumps(bigger).encode(),
        deliveries.body.replace(b"paid", b"p\\u0061id"),
    ):
        assert deliveries.send(other, good).told == (400, "bad_signature"), other


def test_two_signature_headers(deliveries: Deliveries) -> None:
    wrong = b"t=1,v1=" + b"0" * 64
    headers = [(b"stripe-signature", wrong), (b"stripe-signature", wrong)]
    visitor = deliveries.opened.visitor
    answer = visitor.look_at(visitor.run(call(deliveries.opened.app, "POST", PATH, headers, [deliveries.body])))
    assert answer.told == (400, "bad_signature")


def test_signed_and_yet_no_event(deliveries: Deliveries) -> None:
    whole = event(metadata={"purchase_id": deliveries.purchase})
    thing = whole["data"]["object"]

    def about(**changes: Any) -> dict[str, Any]:
        return {**whole, "id": f"evt_{uuid4().hex}", "data": {"object": {**thing, **changes}}}

    bodies: list[bytes | dict[str, Any]] = [
        b"", b"null", b"[]", b"1", b'"evt"', b"{", b"{}", b"NaN", b"\xff\xfe", b"[" * 100_000, b'{"id": "evt_1"}',
        b'{"id": "evt_1", "id": 7, "type": "checkout.session.completed"}',
        {**whole, "id": None}, {**whole, "id": 7}, {**whole, "id": ""}, {**whole, "id": "a\x00b"},
        {**whole, "id": "\ud800"}, {**whole, "id": "e" * 10_000}, {**whole, "id": ["evt_1"]},
        {**whole, "type": None}, {**whole, "type": 7}, {**whole, "type": [PAID]},
        {**whole, "data": None}, {**whole, "data": []}, {**whole, "data": {}}, {**whole, "data": {"object": None}},
        about(metadata={"purchase_id": "p"}), about(metadata={"purchase_id": None}), about(metadata={"purchase_id": 7}),
        about(metadata={"purchase_id": "' OR 1=1 --"}), about(metadata={"purchase_id": "\x00"}),
        about(metadata={"purchase_id": [deliveries.purchase]}),
        about(payment_status=None), about(payment_status=7),
        about(amount_total=None), about(amount_total="1000"), about(amount_total=1000.0), about(amount_total=True),
        about(amount_total=[1000]), about(currency=None), about(currency=7),
    ]  # fmt: skip
    for body in bodies:
        assert deliveries.send(body).told == (400, "malformed_body"), body


def test_signed_and_not_what_is_owed(deliveries: Deliveries) -> None:
    ours = {"purchase_id": deliveries.purchase}
    for wrong in (
        {"amount_total": 999}, {"amount_total": 1001}, {"amount_total": 0}, {"amount_total": -1000},
        {"amount_total": 100_000}, {"amount_total": 2**63}, {"amount_total": -(2**63) - 1}, {"amount_total": 10**4000},
        {"currency": "eur"}, {"currency": "USD "}, {"currency": ""}, {"currency": "u\x00d"}, {"currency": "\ud800"},
    ):  # fmt: skip
        answer = deliveries.send(event(metadata=ours, **wrong))
        assert answer.told in ((400, "amount_mismatch"), (400, "malformed_body")), wrong


def test_signed_and_about_nothing_of_ours(deliveries: Deliveries) -> None:
    for nobody in ({"purchase_id": str(uuid4())}, {"credit_purchase_id": str(uuid4())}):
        for kind in (PAID, EXPIRED):
            assert deliveries.send(event(kind, metadata=nobody)).status == 400
    # A lead purchase is no purchase of credits.
    assert deliveries.send(event(metadata={"credit_purchase_id": deliveries.purchase})).status == 400
    received = (
        event("invoice.paid", metadata={"purchase_id": deliveries.purchase}),
        event("checkout.session.completed ", metadata={"purchase_id": deliveries.purchase}),
        event("\x00"),
        event(metadata={}),
        event(metadata=None),
        event(metadata={"something": "else"}),
        event(metadata={"purchase_id": deliveries.purchase}, payment_status="unpaid"),
        event(
            REFUNDED, metadata={"purchase_id": deliveries.purchase}, refunded=False, amount=1000, amount_refunded=400
        ),
    )
    for document in received:
        answer = deliveries.send(document)
        assert (answer.status, answer.json) == (200, {"received": True}), document


def test_who_is_refused_with_a_signature_is_heard_of(deliveries: Deliveries, caplog: pytest.LogCaptureFixture) -> None:
    def refused(type_: str) -> float:
        text = deliveries.opened.visitor.ask("GET", "/metrics").body.decode()
        (line,) = re.findall(rf'^marketplace_webhooks_total\{{outcome="refused",type="{type_}"\}} (\S+)$', text, re.M)
        return float(line)

    ours = {"purchase_id": deliveries.purchase}
    nobody = event(id_="evt_nobody", metadata={"purchase_id": str(uuid4())})
    before, strange = refused(PAID), refused("other")
    assert deliveries.send(event(id_="evt_dear", metadata=ours, amount_total=999)).status == 400
    assert deliveries.send(nobody).status == 400
    assert deliveries.send(event(id_="evt_what", metadata={"purchase_id": "p"})).status == 400
    assert deliveries.send(event("x\nforged: line", "a\nb", metadata=ours)).status == 400
    assert deliveries.send(event(id_="evt_forged", metadata=ours), "t=1,v1=00").status == 400
    strange_text = json.dumps(event(metadata=ours)).encode("utf-16")
    assert deliveries.send(strange_text, "t=1,v1=00").status == 400
    assert [(each.levelname, each.getMessage()) for each in caplog.records if each.name.endswith("webhook")] == [
        ("WARNING", f"event {about} of Stripe's is refused: {code}")
        for about, code in (
            (f"evt_dear ({PAID})", "amount_mismatch"),
            (f"evt_nobody ({PAID})", "purchase_not_found"),
            (f"evt_what ({PAID})", "malformed_body"),
            ("without an id (of another type)", "malformed_body"),
        )
    ]
    assert deliveries.purchase not in caplog.text
    # Those without a signature are not believed, not even what they call themselves.
    assert (refused(PAID), refused("other")) == (before + 3, strange + 3)


def test_it_was_the_signature(opened: Opened) -> None:
    made = Deliveries(opened)
    # Also while the endpoint's secret is being rolled, when there is a proof for each.
    header = signature_header(made.body, ["whsec_new", WEBHOOK_SECRET], int(time.time()) - 200)
    answer = made.send(made.body, header)
    assert (answer.status, answer.json) == (200, {"received": True})
    assert made.status == "completed"
    assert made.send(made.body).status == 200
    assert opened.shop.false() == {}
