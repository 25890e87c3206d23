"""Critical flows (7): a purchase from end to end, and the ways in which it is refused."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
import stripe

from harness.gateway.process import gateway_process
from harness.marketplace.operations import Buy, Checkout, CompleteCredit, Deliver, Request
from harness.marketplace.properties.facts import PAID
from harness.marketplace.start import LeadState
from harness.purchase.checkout import StripeCheckout
from harness.words.history import Result, Status
from tests.purchase.stripe_side import sign
from tests.seed.conftest import Opened
from tests.seed.market import BALANCE, PRICE, Market, buyers

SOLD, AVAILABLE = LeadState("sold", 1), LeadState("available", 0)


def test_buy_with_credits(market: Opened) -> None:
    buy = Buy("W0", ("L0",), "p")
    opened = market(buyers(1), buy)
    assert opened.ask(buy) == Result(Status.OK, "", (("already_completed", False), ("balance", BALANCE - PRICE)))
    state = opened.state()
    assert dict(state.balances)["W0"] == BALANCE - PRICE
    assert state.purchases == (("p", "completed"),)
    assert state.items == (("p", ("L0",)),)
    assert state.charges == (("p", "W0", PRICE),)
    assert opened.lead("L0") == SOLD
    opened.must_be_safe()


def test_insufficient_credits_refused(market: Opened) -> None:
    # Eleven leads at 10 for somebody who has 100.
    buy = Buy("W0", tuple(f"L{number}" for number in range(11)), "p")
    opened = market(buyers(1, leads=11), buy)
    assert opened.ask(buy) == Result(Status.REFUSED, "insufficient_credits")
    assert opened.balance("W0") == BALANCE
    assert opened.status("p") is None
    opened.must_be_safe()


def test_duplicate_purchase_refused(market: Opened) -> None:
    bought, again, other = Buy("W0", ("L0",), "p"), Buy("W0", ("L0",), "q"), Buy("W1", ("L0",), "r")
    opened = market(buyers(2), bought, again, other)
    assert opened.ask(bought, perform=opened.api) == Result(Status.OK, "", (("balance", BALANCE - PRICE),))
    for duplicate in (again, other):
        assert opened.ask(duplicate, perform=opened.api) == Result(Status.REFUSED, "lead_unavailable")
        assert told(opened) == (409, "lead_sold")
    # Completing the purchase itself once more is answered as the first time, and costs nothing.
    first = Result(Status.OK, "", (("already_completed", True), ("balance", BALANCE - PRICE)))
    assert opened.ask(CompleteCredit("p", "W0", PRICE)) == first
    assert (opened.balance("W0"), opened.balance("W1")) == (BALANCE - PRICE, BALANCE)
    assert opened.state().purchases == (("p", "completed"),)
    assert opened.lead("L0") == SOLD
    opened.must_be_safe()


def test_request_idempotency(market: Opened) -> None:
    """Ten requests with one key at the same moment, and one later: one purchase, and one answer for all who get one."""
    requests = [Request("W0", ("L0",), f"p{number}", "k") for number in range(11)]
    other = Request("W0", ("L1",), "q", "k")
    opened = market(buyers(1, leads=2), *requests, other)
    race = opened.race(requests[:10], perform=opened.api)
    assert [call.result["replayed"] for call in race.winners].count(False) == 1
    assert len(race.winners) + len(race.told(Status.BUSY)) == 10
    assert {answer.status for answer in opened.http.answers} <= {200, 409}
    late = opened.ask(requests[10], perform=opened.api)
    assert (late["replayed"], late["balance"]) == (True, BALANCE - PRICE)
    bought = late["purchase"]
    assert {(call.result["purchase"], call.result["balance"]) for call in race.winners} == {(bought, late["balance"])}
    assert len({str(answer.json) for answer in opened.http.answers if answer.status == 200}) == 1
    # The key with another body is no repetition.
    assert opened.ask(other, perform=opened.api) == Result(Status.REFUSED, "key_reused")
    assert opened.http.answers[-1].status == 422
    assert (opened.balance("W0"), opened.lead("L0"), opened.lead("L1")) == (BALANCE - PRICE, SOLD, AVAILABLE)
    assert opened.state().purchases == ((bought, "completed"),)
    opened.must_be_safe()


def told(market: Market) -> tuple[int, str]:
    """Status and code of the last refusal."""
    answer = market.http.answers[-1]
    return answer.status, answer.json["error"]


# The stripe library hands its form to httpx in a way that httpx no longer likes.
@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_stripe_checkout_created(market: Opened) -> None:
    checkout, rival = Checkout("W0", ("L0", "L1"), "s"), Buy("W1", ("L1",), "p")
    opened = market(buyers(2, leads=2), checkout, rival)
    with gateway_process() as gateway:
        session = opened_at_stripe(opened, checkout, gateway.base)
    purchase = str(opened.names.id_of("purchase", "s"))
    assert (session.status, session.amount_total, session.currency) == ("open", 2000, "usd")
    assert session.metadata is not None
    assert session.metadata.to_dict() == {"purchase_id": purchase}
    state = opened.state()
    assert state.purchases == (("s", "pending"),)
    assert state.items == state.reservations == (("s", ("L0", "L1")),)
    assert state.charges == ()
    assert dict(state.leads) == {"L0": AVAILABLE, "L1": AVAILABLE}
    # While it is open, its leads are nobody else's to buy; and it ends before they are.
    assert opened.ask(rival, perform=opened.api) == Result(Status.REFUSED, "lead_reserved")
    assert told(opened) == (409, "lead_reserved")
    ends = opened.owner.execute("SELECT min(extract(epoch FROM expires_at)) FROM lead_reservations").fetchone()
    assert ends is not None
    assert session.expires_at <= ends[0]
    assert (opened.balance("W0"), opened.balance("W1")) == (BALANCE, BALANCE)
    opened.must_be_safe()


def opened_at_stripe(market: Market, checkout: Checkout, base: str) -> stripe.checkout.Session:
    """The session that the API has the real library make at a gateway, asked for twice."""

    async def post(connection: psycopg.AsyncConnection[Any], wanted: Checkout) -> Result:
        market.http.checkout = stripes = StripeCheckout("sk_test", base, "https://shop.test/thanks", 30)
        try:
            return await market.api(connection, wanted)
        finally:
            await stripes.close()

    assert market.ask(checkout, perform=post).status is Status.OK
    url = market.http.answers[-1].json["checkout_url"]
    assert url.startswith(f"{base}/pay/")
    over = stripe.RequestsClient()
    client = stripe.StripeClient("sk_test", base_addresses={"api": base}, http_client=over)
    try:
        return client.v1.checkout.sessions.retrieve(url.rpartition("/")[2])
    finally:
        over.close()  # type: ignore[no-untyped-call]


def test_webhook_completes(market: Opened) -> None:
    checkout = Checkout("W0", ("L0",), "s")
    opened = market(buyers(1), checkout)
    opened.ask(checkout)
    told = opened.ask(Deliver("evt_1", PAID, "s"), perform=opened.endpoint)
    assert told == Result(Status.OK, "", (("already_completed", False),))
    assert (opened.status("s"), opened.lead("L0"), opened.balance("W0")) == ("completed", SOLD, BALANCE)
    assert opened.state().reservations == ()
    opened.must_be_safe()


def test_bad_signature_refused(market: Opened) -> None:
    checkout, delivery = Checkout("W0", ("L0",), "s"), Deliver("evt_1", PAID, "s")
    opened = market(buyers(1), checkout)
    opened.ask(checkout)
    body, before = opened.body(delivery), opened.rows()
    forged = {
        "none": (body, None),
        "empty": (body, ""),
        "of another secret": (body, sign(body, "whsec_of_somebody_else")),
        "of another body": (body.replace(b"1000", b"1001"), sign(body)),
        "without its scheme": (body, sign(body).replace("v1=", "v0=")),
        "too old": (body, sign(body, age=301 + 5)),
        "of another time": (body, sign(body).replace("t=", "t=1")),
    }

    def send(body: bytes, signature: str | None) -> Result:
        async def post(connection: psycopg.AsyncConnection[Any], _: Deliver) -> Result:
            return await opened.deliver(connection, body, signature)

        return opened.ask(delivery, perform=post)

    for what, (sent, signature) in forged.items():
        assert send(sent, signature) == Result(Status.REFUSED, "bad_signature"), what
        assert opened.http.answers[-1].status == 400
    assert opened.rows() == before
    # It was the signature: the same body with its own is accepted, also a little late.
    assert send(body, sign(body, age=240)).status is Status.OK
    assert opened.status("s") == "completed"
    opened.must_be_safe()
