"""The webhook receiver: which deliveries are accepted, what they do, and what Stripe is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import stripe

from harness.db.any_server import AnyServer
from harness.marketplace.start import LeadStart, PurchaseStart, Start
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from harness.stress.arena import Arena, put_in_place
from harness.stress.clients import clients
from tests.purchase.delivery import APPLIED, BEFORE, IGNORED, Told, deliver
from tests.purchase.stripe_side import SECRET, event, sign

PAID, ASYNC_PAID = "checkout.session.completed", "checkout.session.async_payment_succeeded"
EXPIRED, FAILED = "checkout.session.expired", "checkout.session.async_payment_failed"
REFUNDED = "charge.refunded"
TOTAL = Decimal("10.50")

START = Start(
    workspaces={"A": Decimal(50)},
    leads={"L1": LeadStart(TOTAL), "L2": LeadStart()},
    purchases={"s": PurchaseStart("A", ("L1",), "stripe", reserved="held"), "c": PurchaseStart("A", ("L2",))},
)


class Endpoint(Arena):
    """A pending Stripe purchase ``s``, a pending one with credits ``c``, and a webhook endpoint."""

    def post(self, body: bytes, signature: str | None = None) -> Told:
        """One delivery, signed as it should be unless told otherwise."""

        async def send() -> Told:
            async with clients(self.dsn, self.subject, 1) as (connection,):
                return await deliver(connection, body, signature or sign(body))

        return asyncio.run(send())

    def event(self, kind: str, purchase: str = "s", id_: str = "evt_1", **changes: Any) -> bytes:
        return event(id_, kind, self.names.id_of("purchase", purchase), TOTAL, **changes)

    @property
    def status(self) -> str:
        return dict(self.state().purchases)["s"]


@pytest.fixture(scope="module")
def opened(server: AnyServer, module_database: str) -> Iterator[Endpoint]:
    subject = load_subject("reference", bundled("sql"))
    server.ensure_roles(subject.roles)
    put_in_place(module_database, subject)
    with Endpoint(module_database, subject, START) as endpoint:
        yield endpoint


@pytest.fixture
def endpoint(opened: Endpoint) -> Endpoint:
    opened.reset()
    return opened


@pytest.mark.parametrize(
    ("kind", "after"),
    [
        (PAID, "completed"),
        (ASYNC_PAID, "completed"),
        (EXPIRED, "cancelled"),
        (FAILED, "failed"),
        (REFUNDED, "refunded"),
    ],
)
def test_every_event_has_its_effect_once(kind: str, after: str, endpoint: Endpoint) -> None:
    body = endpoint.event(kind)
    assert endpoint.post(body) == APPLIED
    assert endpoint.status == after
    assert endpoint.post(body) == BEFORE
    assert endpoint.status == after


NONE_OF_OURS: dict[str, Callable[[Endpoint], bytes]] = {
    "an unknown type": lambda endpoint: endpoint.event("invoice.paid"),
    "no metadata": lambda endpoint: endpoint.event(PAID, metadata=None),
    "other metadata": lambda endpoint: endpoint.event(PAID, metadata={"order": "1"}),
    "metadata that is no object": lambda endpoint: endpoint.event(PAID, metadata=["purchase_id"]),
    "not paid yet": lambda endpoint: endpoint.event(PAID, payment_status="unpaid"),
    "a part of the money back": lambda endpoint: endpoint.event(REFUNDED, refunded=False, amount_refunded=1),
}


@pytest.mark.parametrize("what", NONE_OF_OURS)
def test_what_asks_nothing_of_us_is_acknowledged_and_has_no_effect(what: str, endpoint: Endpoint) -> None:
    before = endpoint.state()
    assert endpoint.post(NONE_OF_OURS[what](endpoint)) == IGNORED
    assert endpoint.state() == before
    # Nor is the event claimed: when it comes with what it lacked, it counts.
    assert endpoint.post(endpoint.event(PAID)) == APPLIED
    assert endpoint.status == "completed"


MALFORMED: dict[str, Callable[[Endpoint], bytes]] = {
    "no JSON": lambda _: b"{",
    "no text": lambda _: b"\xff\xfe",
    "nothing": lambda _: b"",
    "a list": lambda _: b"[]",
    "too deep": lambda _: b"[" * 100_000,
    "no id": lambda _: json.dumps({"type": PAID, "data": {}}).encode(),
    "an id that PostgreSQL cannot keep": lambda endpoint: endpoint.event(PAID, id_="evt\0"),
    "an id without an end": lambda endpoint: endpoint.event(PAID, id_="e" * 256),
    "no object": lambda _: json.dumps({"id": "evt_1", "type": PAID, "data": {"object": 1}}).encode(),
    "a purchase that is no id": lambda endpoint: endpoint.event(PAID, metadata={"purchase_id": "s"}),
    "a purchase that is a number": lambda endpoint: endpoint.event(PAID, metadata={"purchase_id": 1}),
    "an amount that is no integer": lambda endpoint: endpoint.event(PAID, amount_total=1050.0),
    "an amount that is true": lambda endpoint: endpoint.event(PAID, amount_total=True),
    "an amount that fits nowhere": lambda endpoint: endpoint.event(PAID, amount_total=10**19),
    "a currency that cannot be kept": lambda endpoint: endpoint.event(PAID, currency="us\0"),
    "two things at once": lambda endpoint: endpoint.event(
        PAID, metadata=dict.fromkeys(("purchase_id", "credit_purchase_id"), "00000000-0000-4000-8000-000000000000")
    ),
    "no currency": lambda endpoint: endpoint.event(PAID, currency=None),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_cannot_be_understood_is_refused(what: str, endpoint: Endpoint) -> None:
    before = endpoint.state()
    assert endpoint.post(MALFORMED[what](endpoint)) == Told(400, "malformed_body")
    assert endpoint.state() == before


@pytest.mark.parametrize(
    "changes", [{"amount_total": 1049}, {"amount_total": 1051}, {"currency": "eur"}, {"amount_total": -1050}], ids=str
)
def test_another_amount_or_currency_buys_nothing(changes: dict[str, Any], endpoint: Endpoint) -> None:
    assert endpoint.post(endpoint.event(PAID, **changes)) == Told(400, "amount_mismatch")
    assert endpoint.status == "pending"
    # It was not claimed either.
    assert endpoint.post(endpoint.event(PAID)) == APPLIED
    assert endpoint.status == "completed"


def test_a_no_of_the_functions_is_told_by_its_word(endpoint: Endpoint) -> None:
    assert endpoint.post(endpoint.event(PAID, "nobody's")) == Told(400, "purchase_not_found")
    wrong = endpoint.event(PAID, "c", amount_total=1000)
    assert endpoint.post(wrong) == Told(400, "wrong_payment_method")


def test_what_passes_is_to_be_tried_again(endpoint: Endpoint) -> None:
    body = endpoint.event(PAID)

    async def send() -> list[Told]:
        async with clients(endpoint.dsn, endpoint.subject, 2) as (impatient, lost):
            # Somebody has the purchase, and who delivers will not wait for it.
            await impatient.execute("SET lock_timeout = '1ms'")
            with psycopg.connect(endpoint.dsn) as stranger:
                stranger.execute("SELECT FROM marketplace_purchases FOR UPDATE")
                answers = [await deliver(impatient, body, sign(body))]
            endpoint.owner.execute("SELECT pg_terminate_backend(%s)", [lost.info.backend_pid])
            answers.append(await deliver(lost, body, sign(body)))
            # The connection itself is gone now.
            answers.append(await deliver(lost, body, sign(body)))
            answers.append(await deliver(impatient, body, sign(body)))
            return answers

    again = Told(503, "try_again")
    assert asyncio.run(send()) == [again, again, again, APPLIED]
    assert endpoint.status == "completed"


def test_an_error_of_ours_is_not_hidden(endpoint: Endpoint) -> None:
    with psycopg.connect(endpoint.dsn, autocommit=True) as owner:
        owner.execute("ALTER FUNCTION api_stripe_event(text, text, text, uuid, bigint, text) RENAME TO gone")
        try:
            with pytest.raises(psycopg.errors.UndefinedFunction):
                endpoint.post(endpoint.event(PAID))
        finally:
            owner.execute("ALTER FUNCTION gone(text, text, text, uuid, bigint, text) RENAME TO api_stripe_event")
    assert endpoint.status == "pending"


def test_our_signatures_are_those_of_the_library() -> None:
    body = b'{"id": "evt_1"}'
    mine = sign(body)
    at = int(mine[2:].partition(",")[0])
    assert mine == stripe.WebhookSignature.generate_signature_header(body.decode(), SECRET, at)
