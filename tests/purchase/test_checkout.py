"""Checkout sessions: the real library against the gateway that plays Stripe, and what its errors mean."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from harness.gateway.process import Remote, gateway_process
from harness.purchase.checkout import Bill, StripeCheckout
from harness.purchase.refusals import Refusal

# How the library calls httpx is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload raw:DeprecationWarning")


@pytest.fixture(scope="module")
def gateway() -> Iterator[Remote]:
    with gateway_process() as gateway:
        yield gateway


def bill(**changes: Any) -> Bill:
    wanted = {"kind": "purchase", "about": uuid4(), "cents": 1250, "expires_at": int(time.time()) + 35 * 60}
    return Bill(**{**wanted, "what": "Leads", **changes})


def open_all(base: str, *bills: Bill) -> list[str]:
    async def work() -> list[str]:
        checkout = StripeCheckout("sk_test_x", base, "https://shop.example/thanks", 5)
        try:
            return [await checkout.open(each) for each in bills]
        finally:
            await checkout.close()

    return asyncio.run(work())


def test_a_bill_has_one_session_however_often_it_is_asked_for(gateway: Remote) -> None:
    one, other = bill(), bill(kind="credit_purchase", what="Credits")
    url, same, another = open_all(gateway.base, one, one, other)
    assert url == same != another
    session = gateway.pay(url)
    assert (session["amount_total"], session["currency"], session["expires_at"]) == (1250, "usd", one.expires_at)
    assert session["metadata"] == {"purchase_id": str(one.about)}
    assert gateway.pay(another)["metadata"] == {"credit_purchase_id": str(other.about)}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"expires_at": int(time.time()) - 1}, "checkout_closed"),
        ({"expires_at": int(time.time()) + 20 * 60}, "checkout_closed"),
        ({"cents": 49}, "payment_provider"),
    ],
)
def test_what_stripe_will_not_do(gateway: Remote, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal, match=code):
        open_all(gateway.base, bill(**changes))


def test_another_bill_with_the_same_id_is_refused(gateway: Remote) -> None:
    one = bill()
    with pytest.raises(Refusal, match="payment_provider"):
        open_all(gateway.base, one, bill(about=one.about, cents=1))


def test_a_stripe_that_is_away_may_be_asked_again() -> None:
    with pytest.raises(Refusal, match="try_again") as refusal:
        open_all("http://127.0.0.1:9", bill())
    assert refusal.value.details == {"outcome": "unknown"}
