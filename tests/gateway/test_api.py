"""Stripe's API as the real library speaks it, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import stripe

from harness.gateway.process import Remote, gateway_process

PRICE = {"currency": "usd", "unit_amount": 1250, "product_data": {"name": "A lead, café & co."}}
ASKED: dict[str, Any] = {
    "mode": "payment",
    "success_url": "https://shop.test/done?session={CHECKOUT_SESSION_ID}&a=b",
    "cancel_url": "https://shop.test/back",
    "line_items": [{"price_data": PRICE, "quantity": 2}, {"price_data": {**PRICE, "unit_amount": 7}, "quantity": 1}],
    "metadata": {"purchase_id": "p", "note": "é=&+"},
    "payment_intent_data": {"metadata": {"purchase_id": "of the charge"}},
    "client_reference_id": "p",
}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Remote]:
    with gateway_process() as remote:
        remote.configure(mischief={"give_up_ms": 0})
        yield remote


@pytest.fixture(scope="module")
def client(gateway: Remote) -> Iterator[stripe.StripeClient]:
    over = stripe.RequestsClient()
    yield stripe.StripeClient("sk_test_x", base_addresses={"api": gateway.base}, http_client=over)
    over.close()  # type: ignore[no-untyped-call]


def create(client: stripe.StripeClient, key: str | None = None, **changes: Any) -> stripe.checkout.Session:
    params: Any = {name: value for name, value in {**ASKED, **changes}.items() if value is not None}
    return client.v1.checkout.sessions.create(params, {"idempotency_key": key} if key else {})


def last_event(gateway: Remote) -> dict[str, Any]:
    return gateway.events()[-1]


def test_a_session_is_created_and_read(client: stripe.StripeClient) -> None:
    session = create(client)
    assert (session.amount_total, session.currency, session.status, session.payment_status) == (
        2507,
        "usd",
        "open",
        "unpaid",
    )
    assert session.metadata is not None
    assert session.metadata.to_dict() == ASKED["metadata"]
    assert (session.client_reference_id, session.payment_intent) == ("p", None)
    assert session.expires_at - session.created == 24 * 60 * 60
    assert client.v1.checkout.sessions.retrieve(session.id) == session
    listed = client.v1.checkout.sessions.list({"limit": 1})
    assert listed.data == [session]


def test_without_waiting_as_well(gateway: Remote) -> None:
    async def create() -> tuple[str, str]:
        over = stripe.HTTPXClient()
        client = stripe.StripeClient("sk_test_x", base_addresses={"api": gateway.base}, http_client=over)
        try:
            params: Any = ASKED
            session = await client.v1.checkout.sessions.create_async(params)
            return session.id, (await client.v1.checkout.sessions.retrieve_async(session.id)).id
        finally:
            await over.close_async()  # type: ignore[no-untyped-call]

    # The library hands its form to httpx in a way that httpx no longer likes.
    with pytest.warns(DeprecationWarning, match="content="):
        created, read = asyncio.run(create())
    assert created == read


def test_one_key_is_one_session(client: stripe.StripeClient) -> None:
    first, again = create(client, "key-1"), create(client, "key-1")
    assert again == first
    assert create(client, "key-2").id != first.id
    with pytest.raises(stripe.IdempotencyError):
        create(client, "key-1", success_url="https://elsewhere.test")
    # What was refused is not kept under its key.
    with pytest.raises(stripe.InvalidRequestError):
        create(client, "key-3", mode="subscription")
    assert create(client, "key-3").status == "open"


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"mode": None}, None, "mode"),
        ({"success_url": None}, "parameter_missing", "success_url"),
        ({"line_items": None}, "parameter_missing", "line_items"),
        ({"line_items": [{"price": "price_1"}]}, "parameter_missing", "line_items[0][price_data]"),
        (
            {"line_items": [{"price_data": {**PRICE, "unit_amount": "12.50"}}]},
            "parameter_invalid_integer",
            "line_items[0][price_data][unit_amount]",
        ),
        ({"line_items": [{"price_data": {**PRICE, "unit_amount": 49}}]}, "amount_too_small", "line_items"),
        ({"line_items": [{"price_data": {**PRICE, "unit_amount": 10**8}}]}, "amount_too_large", None),
        ({"line_items": [{"price_data": PRICE}, {"price_data": {**PRICE, "currency": "eur"}}]}, None, "line_items"),
        (
            {"line_items": [{"price_data": PRICE, "quantity": 0}]},
            "parameter_invalid_integer",
            "line_items[0][quantity]",
        ),
        ({"metadata": {"a": "x" * 501}}, None, "metadata"),
        ({"metadata": {"x" * 41: "a"}}, None, "metadata"),
        ({"expires_at": 1}, None, "expires_at"),
        ({"expires_at": int(time.time()) + 25 * 60 * 60}, None, "expires_at"),
        ({"payment_intent_data": {"capture_method": "manual"}}, None, "payment_intent_data"),
        ({"sucess_url": "https://shop.test"}, "parameter_unknown", "sucess_url"),
    ],
)
def test_what_stripe_would_not_take(
    client: stripe.StripeClient, changes: dict[str, Any], code: str | None, param: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as no:
        create(client, **changes)
    assert (no.value.http_status, no.value.code, no.value.param) == (400, code, param)


def test_who_has_no_key_is_not_let_in(gateway: Remote) -> None:
    for headers in ({}, {"authorization": "Basic c2s6"}, {"authorization": "Bearer"}):
        answer = httpx.post(f"{gateway.base}/v1/checkout/sessions", headers=headers)
        assert answer.status_code == 401, headers
        assert answer.json()["error"]["type"] == "invalid_request_error"


def test_what_is_not_there(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as no:
        client.v1.checkout.sessions.retrieve("cs_test_nobody")
    assert (no.value.http_status, no.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as no:
        client.v1.refunds.create({"payment_intent": "pi_nobody"})
    assert no.value.http_status == 404


def test_paid(client: stripe.StripeClient, gateway: Remote) -> None:
    session = create(client)
    assert session.url is not None
    gateway.pay(session.url)
    event = last_event(gateway)
    assert event["type"] == "checkout.session.completed"
    about = event["data"]["object"]
    assert (about["id"], about["payment_status"], about["amount_total"]) == (session.id, "paid", 2507)
    assert about["metadata"] == ASKED["metadata"]
    assert client.v1.checkout.sessions.retrieve(session.id).status == "complete"
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        gateway.pay(session.id)
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        gateway.expire(session.id)


@pytest.mark.parametrize(
    ("mode", "ends", "status"), [("async_succeeds", "succeeded", "paid"), ("async_fails", "failed", "unpaid")]
)
def test_paid_slowly(client: stripe.StripeClient, gateway: Remote, mode: str, ends: str, status: str) -> None:
    session = create(client)
    gateway.pay(session.id, mode)
    gateway.drain(5)
    first, then = gateway.events()[-2:]
    assert (first["type"], first["data"]["object"]["payment_status"]) == ("checkout.session.completed", "unpaid")
    assert then["type"] == f"checkout.session.async_payment_{ends}"
    assert (then["data"]["object"]["payment_status"], then["data"]["object"]["id"]) == (status, session.id)


def test_expired_by_either_side(client: stripe.StripeClient, gateway: Remote) -> None:
    for expire in (lambda id_: client.v1.checkout.sessions.expire(id_), gateway.expire):
        session = create(client)
        expire(session.id)
        event = last_event(gateway)
        assert (event["type"], event["data"]["object"]["status"]) == ("checkout.session.expired", "expired")
        with pytest.raises(httpx.HTTPStatusError, match="409"):
            gateway.pay(session.id)


def test_refunded_in_parts_and_whole(client: stripe.StripeClient, gateway: Remote) -> None:
    session = create(client)
    gateway.pay(session.id)
    intent = client.v1.checkout.sessions.retrieve(session.id).payment_intent
    assert isinstance(intent, str)
    refund = client.v1.refunds.create({"payment_intent": intent, "amount": 1000})
    assert (refund.amount, refund.status) == (1000, "succeeded")
    charge = last_event(gateway)["data"]["object"]
    assert (charge["amount"], charge["amount_refunded"], charge["refunded"]) == (2507, 1000, False)
    # Stripe copies the metadata of the payment intent to the charge, not the session's.
    assert charge["metadata"] == {"purchase_id": "of the charge"}
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": intent, "amount": 1508})
    assert client.v1.refunds.create({"charge": charge["id"]}).amount == 1507
    event = last_event(gateway)
    assert (event["type"], event["data"]["object"]["refunded"]) == ("charge.refunded", True)
    with pytest.raises(stripe.InvalidRequestError) as no:
        client.v1.refunds.create({"payment_intent": intent})
    assert no.value.code == "charge_already_refunded"


def test_what_is_not_paid_is_not_refunded(client: stripe.StripeClient, gateway: Remote) -> None:
    session = create(client)
    gateway.pay(session.id, "async_fails")
    gateway.drain(5)
    intent = client.v1.checkout.sessions.retrieve(session.id).payment_intent
    assert isinstance(intent, str)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": intent})


def test_a_busy_and_a_forgetful_api(client: stripe.StripeClient, gateway: Remote) -> None:
    before = len(client.v1.checkout.sessions.list({"limit": 1000}).data)
    try:
        gateway.configure(mischief={"api_busy": 1})
        with pytest.raises(stripe.RateLimitError):
            create(client, "key-busy")
        gateway.configure(mischief={"api_busy": 0, "api_lost": 1})
        for _ in range(2):
            with pytest.raises(stripe.APIError):
                create(client, "key-lost")
    finally:
        gateway.configure(mischief={"api_busy": 0, "api_lost": 0})
    # The first did nothing; the others made one session, and here it is.
    sessions = client.v1.checkout.sessions.list({"limit": 1000}).data
    assert len(sessions) == before + 1
    assert create(client, "key-lost") == sessions[0]
    assert create(client, "key-busy").id != sessions[0].id


def test_settings_are_told_without_secrets(gateway: Remote) -> None:
    before = gateway.configure()
    told = gateway.configure(url="http://shop.test", secrets=["whsec_new", "whsec_old"], mischief={"drop": 0.5})
    assert (told["url"], told["secrets"], told["mischief"]["drop"]) == ("http://shop.test", 2, 0.5)
    assert gateway.configure() == told
    for wrong in ({"drop": 2}, {"dorp": 0.1}, "drop"):
        with pytest.raises(httpx.HTTPStatusError, match="400"):
            gateway.configure(url="http://nowhere.test", mischief=wrong)
    assert gateway.configure() == told
    assert gateway.configure(url=before["url"], secrets=[], mischief={"drop": 0}) == before
