"""What operations ask for by HTTP, and what the answers mean."""

from __future__ import annotations

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
import stripe

from harness.marketplace.calls import Client
from harness.marketplace.names import Names
from harness.marketplace.operations import Buy, Checkout, Deliver, Operation, Read, Request, Sweep, TopUp
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart
from harness.requests.exchange import Answer, App
from harness.requests.requester import SECRET, Requester, refused
from harness.requests.seats import Seat, Seats
from harness.words.history import Result, Status
from tests.requests.test_exchange import finished

START = Start(
    {"A": Decimal(50)},
    {"L1": LeadStart(Decimal("10.50")), "L2": LeadStart(Decimal(5))},
    {"s": PurchaseStart("A", ("L1",), "stripe")},
    {"t": TopUpStart("A", Decimal("20.00"))},
)
NAMES = Names("uuid", START, ["p", "q"])
OPEN = cast("psycopg.AsyncConnection[Any]", SimpleNamespace(closed=False))
CLOSED = cast("psycopg.AsyncConnection[Any]", SimpleNamespace(closed=True))


def id_of(kind: str, name: str) -> str:
    return str(NAMES.id_of(kind, name))


class Recorded:
    """An application that answers what it is told to, and remembers what came."""

    def __init__(self, answer: Any = None, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.answer, self.status, self.headers = answer or {}, status, headers or {}
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.ids: list[str] = []

    def make(self, seat: Seat) -> App:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            body = (await receive())["body"]
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            self.asked.append((scope["method"], scope["path"], headers, body))
            if seat.next_id is not None:
                self.ids.append(str(seat.new_id()))
            sent = [(name.encode(), value.encode()) for name, value in self.headers.items()]
            await send({"type": "http.response.start", "status": self.status, "headers": sent})
            await send({"type": "http.response.body", "body": json.dumps(self.answer).encode()})

        return app

    def perform(self, operation: Operation, connection: Any = OPEN) -> Result:
        class Beside:
            async def perform(self, connection: Any, operation: Any) -> Result:
                del connection, operation
                return Result(Status.OK, "beside")

        return finished(Requester(Seats(self.make), NAMES, cast("Client", Beside())).perform(connection, operation))


BOUGHT = {"purchase": {"id": id_of("purchase", "p"), "status": "completed"}, "remaining_credits": "39.50"}


def test_a_purchase_with_a_key() -> None:
    api = Recorded(BOUGHT, headers={"Idempotent-Replayed": "true"})
    told = api.perform(Request("A", ("L2", "L1"), "q", "k"))
    assert dict(told.value) == {"replayed": True, "purchase": "p", "balance": Decimal("39.5")}
    ((method, path, headers, body),) = api.asked
    assert (method, path, headers["authorization"]) == (
        "POST",
        "/api/marketplace/purchase",
        f"Bearer {id_of('workspace', 'A')}",
    )
    assert json.loads(body) == {
        "lead_ids": [id_of("lead", "L2"), id_of("lead", "L1")],
        "payment_method": "credits",
        "idempotency_key": id_of("key", "k"),
    }
    assert api.ids == [id_of("purchase", "q")]


def test_purchases_without_a_key() -> None:
    api = Recorded(BOUGHT)
    assert dict(api.perform(Buy("A", ("L1",), "p")).value) == {"balance": Decimal("39.5")}
    assert api.perform(Checkout("A", ("L1",), "q")) == Result(Status.OK)
    assert [json.loads(body)["payment_method"] for *_, body in api.asked] == ["credits", "stripe"]
    assert not any("idempotency_key" in json.loads(body) for *_, body in api.asked)


def test_a_poll() -> None:
    api = Recorded({"purchase": {"status": "completed"}, "leads": [{"id": id_of("lead", "L1")}]})
    assert dict(api.perform(Read("A", "p")).value) == {"status": "completed", "leads": ("L1",)}
    assert api.asked[0][:2] == ("GET", f"/api/marketplace/purchases/{id_of('purchase', 'p')}")


@pytest.mark.parametrize(
    ("operation", "metadata", "cents", "paid"),
    [
        (
            Deliver("evt", "checkout.session.completed", "s"),
            {"purchase_id": id_of("purchase", "s")},
            1050,
            "paid",
        ),
        (Deliver("evt", "checkout.session.expired", "s"), {"purchase_id": id_of("purchase", "s")}, 1050, "unpaid"),
        (TopUp("t"), {"credit_purchase_id": id_of("top_up", "t")}, 2000, "paid"),
    ],
)
def test_webhooks_are_really_signed(operation: Operation, metadata: Any, cents: int, paid: str) -> None:
    api = Recorded({"received": True})
    assert api.perform(operation) == Result(Status.OK)
    ((method, path, headers, body),) = api.asked
    assert (method, path) == ("POST", "/api/webhooks/stripe")
    event = stripe.Webhook.construct_event(body, headers["stripe-signature"], SECRET)
    thing = json.loads(body)["data"]["object"]
    assert event["id"] == json.loads(body)["id"]
    assert (thing["metadata"], thing["amount_total"], thing["payment_status"]) == (metadata, cents, paid)


def test_a_refund_is_told_of_the_whole_charge() -> None:
    api = Recorded({"received": True})
    api.perform(Deliver("evt", "charge.refunded", "s"))
    thing = json.loads(api.asked[0][3])["data"]["object"]
    assert (thing["amount_refunded"], thing["refunded"]) == (1050, True)


def test_what_has_no_route_is_asked_for_as_before() -> None:
    api = Recorded()
    assert api.perform(Sweep()).code == "beside"
    assert not api.asked


def test_nobody_asks_on_a_connection_that_is_lost() -> None:
    api = Recorded()
    assert api.perform(Read("A", "p"), CLOSED).status is Status.FAILED
    assert not api.asked


@pytest.mark.parametrize(
    ("status", "code", "details", "meant"),
    [
        (402, "insufficient_credits", {}, Result(Status.REFUSED, "insufficient_credits")),
        (409, "lead_sold", {}, Result(Status.REFUSED, "lead_unavailable")),
        (409, "lead_busy", {}, Result(Status.BUSY, "55P03")),
        (409, "key_in_progress", {}, Result(Status.BUSY, "key_in_progress")),
        (422, "key_reused", {}, Result(Status.REFUSED, "key_reused")),
        (503, "try_again", {"outcome": "not done"}, Result(Status.FAILED, "try_again")),
        (503, "try_again", {"outcome": "unknown"}, Result(Status.UNKNOWN, "try_again")),
        (500, "internal_error", {}, Result(Status.UNKNOWN, "internal_error")),
    ],
)
def test_what_a_refusal_means(status: int, code: str, details: Any, meant: Result) -> None:
    answer = Answer(status, {}, json.dumps({"error": code, "message": "No.", "details": details}).encode())
    assert refused(answer) == meant


def test_two_requests_at_once_have_a_seat_each_and_one_after_the_other_the_same() -> None:
    made: list[Seat] = []

    def make(seat: Seat) -> App:
        made.append(seat)
        return Recorded().make(seat)

    seats = Seats(make)
    with seats.taken(OPEN, None) as first, seats.taken(CLOSED, None) as second:
        assert first is not second
        assert [seat.given for seat in made] == [OPEN, CLOSED]
    with seats.taken(OPEN, None) as third:
        assert third in (first, second)
    assert len(made) == 2
    assert all(seat.given is None for seat in made)
