"""Critical flows (7): a purchase from end to end, and the ways in which it is refused."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from harness.marketplace.operations import Buy, Checkout, CompleteCredit, Deliver
from harness.marketplace.properties.facts import PAID
from harness.marketplace.start import LeadState
from harness.words.history import Result, Status
from tests.purchase.delivery import Told, deliver
from tests.purchase.stripe_side import sign
from tests.seed.conftest import Opened
from tests.seed.market import BALANCE, PRICE, Market, buyers

SOLD, AVAILABLE = LeadState("sold", 1), LeadState("available", 0)
ENDPOINT = "POST /api/marketplace/purchase"


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
    assert opened.ask(bought).status is Status.OK
    for duplicate in (again, other):
        assert opened.ask(duplicate) == Result(Status.REFUSED, "lead_unavailable")
    # Completing the purchase itself once more is answered as the first time, and costs nothing.
    first = Result(Status.OK, "", (("already_completed", True), ("balance", BALANCE - PRICE)))
    assert opened.ask(CompleteCredit("p", "W0", PRICE)) == first
    assert (opened.balance("W0"), opened.balance("W1")) == (BALANCE - PRICE, BALANCE)
    assert opened.state().purchases == (("p", "completed"),)
    assert opened.lead("L0") == SOLD
    opened.must_be_safe()


def test_request_idempotency(market: Opened) -> None:
    """Ten requests with one key at the same moment, and one later: one purchase, and one answer for all who get one."""
    buy, other = Buy("W0", ("L0",), "p"), Buy("W0", ("L1",), "p")
    opened = market(buyers(1, leads=2), buy)
    answers: list[dict[str, Any]] = []

    async def post(connection: psycopg.AsyncConnection[Any], wanted: Buy) -> Result:
        outcome, answer = await request(connection, opened, wanted)
        if outcome == "in_progress":
            return Result(Status.BUSY, "key_in_progress")
        if answer is None:
            return Result(Status.REFUSED, outcome)
        answers.append(answer)
        told = (("already_completed", outcome == "completed"), ("balance", Decimal(answer["balance"])))
        return Result(Status.OK, "", told)

    race = opened.race([buy] * 10, perform=post)
    assert [call.result["already_completed"] for call in race.winners].count(False) == 1
    assert len(race.winners) + len(race.told(Status.BUSY)) == 10
    assert opened.ask(buy, perform=post)["already_completed"] is True
    assert answers == [{"purchase": str(opened.names.id_of("purchase", "p")), "balance": "90"}] * len(answers)
    opened.must_be_safe()
    # The key with another body is no repetition.
    assert opened.ask(other, perform=post) == Result(Status.REFUSED, "reused")
    assert (opened.balance("W0"), opened.lead("L0"), opened.lead("L1")) == (BALANCE - PRICE, SOLD, AVAILABLE)
    assert opened.state().purchases == (("p", "completed"),)


async def request(
    connection: psycopg.AsyncConnection[Any], market: Market, wanted: Buy, key: str = "key-1"
) -> tuple[str, dict[str, Any] | None]:
    """A purchase as the API makes it: claim, work and completion of the key in one transaction."""
    workspace, purchase = (market.names.id_of(kind, getattr(wanted, kind)) for kind in ("workspace", "purchase"))
    leads = [market.names.id_of("lead", lead) for lead in wanted.leads]
    digest = hashlib.sha256(repr(leads).encode()).hexdigest()
    async with connection.transaction(), connection.cursor() as cursor:
        claim = "SELECT outcome, response FROM claim_idempotency_key(%s, %s, %s, %s)"
        await cursor.execute(claim, [workspace, ENDPOINT, key, digest])
        (claimed,) = await cursor.fetchall()
        outcome, answer = claimed
        if outcome != "claimed":
            return outcome, answer
        create = "SELECT total FROM create_lead_purchase(%s, %s, %s, 'credits')"
        await cursor.execute(create, [purchase, workspace, leads])
        ((total,),) = await cursor.fetchall()
        complete = "SELECT success, new_credit_balance FROM complete_credit_lead_purchase(%s, %s, %s)"
        await cursor.execute(complete, [purchase, workspace, total])
        ((success, balance),) = await cursor.fetchall()
        assert success
        answer = {"purchase": str(purchase), "balance": str(int(balance))}
        keep = "SELECT complete_idempotency_key(%s, %s, %s, %s)"
        await cursor.execute(keep, [workspace, ENDPOINT, key, Jsonb(answer)])
        assert await cursor.fetchall() == [(True,)]
        return outcome, answer


def test_stripe_checkout_created(market: Opened) -> None:
    checkout, rival = Checkout("W0", ("L0", "L1"), "s"), Buy("W1", ("L1",), "p")
    opened = market(buyers(2, leads=2), checkout, rival)
    assert opened.ask(checkout).status is Status.OK
    state = opened.state()
    assert state.purchases == (("s", "pending"),)
    assert state.items == state.reservations == (("s", ("L0", "L1")),)
    assert state.charges == ()
    assert dict(state.leads) == {"L0": AVAILABLE, "L1": AVAILABLE}
    # While it is open, its leads are nobody else's to buy.
    assert opened.ask(rival) == Result(Status.REFUSED, "lead_reserved")
    assert (opened.balance("W0"), opened.balance("W1")) == (BALANCE, BALANCE)
    opened.must_be_safe()


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

    def send(body: bytes, signature: str | None) -> Told:
        told: list[Told] = []

        async def post(connection: psycopg.AsyncConnection[Any], _: Deliver) -> Result:
            told.append(await deliver(connection, body, signature))
            return Result(Status.FAILED, str(told[0].status))

        opened.ask(delivery, perform=post)
        return told[0]

    for what, (sent, signature) in forged.items():
        assert send(sent, signature) == Told(400, "bad_signature"), what
    assert opened.rows() == before
    # It was the signature: the same body with its own is accepted, also a little late.
    assert send(body, sign(body, age=240)).status == 200
    assert opened.status("s") == "completed"
    opened.must_be_safe()
