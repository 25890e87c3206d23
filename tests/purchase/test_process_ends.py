"""The API as a process that ends: killed at any moment under load, in a storm of webhooks, or asked to by SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from time import sleep
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from harness.gateway.process import Remote, gateway_process
from tests.purchase.conftest import WEBHOOK_SECRET
from tests.purchase.processes import Client, Processes, Told, api_processes
from tests.purchase.shop import Shop, Workspace

ROUNDS = 10
GRACE_S = 1
BUYERS = 12
BUY, TOP_UP = "/api/marketplace/purchase", "/api/credits/purchase"
MISCHIEF = {"duplicates": 0.3, "lose_answer": 0.1, "parallel": 8, "retry_first_ms": 10, "retry_ms_max": 50, "seed": 5}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Remote]:
    with gateway_process(secret=WEBHOOK_SECRET, mischief=MISCHIEF) as remote:
        yield remote


@pytest.fixture(scope="module")
def processes(shop: Shop, gateway: Remote) -> Iterator[Processes]:
    with api_processes(shop.dsn, WEBHOOK_SECRET, gateway.base, GRACE_S) as made:
        gateway.configure(url=f"{made.base}/api/webhooks/stripe")
        yield made


@dataclass
class Request:
    """One request with its key, and every answer to it."""

    who: Workspace
    path: str
    body: dict[str, Any]
    told: list[Told] = field(default_factory=list)

    @property
    def known(self) -> bool:
        """A client that has this answer need not ask again."""
        return bool(self.told) and self.told[-1].definite

    @property
    def bought(self) -> set[str]:
        """The ids of all purchases that it was ever told of: one at most."""
        found = (
            each.body.get("purchase") or each.body.get("credit_purchase") for each in self.told if each.status == 200
        )
        return {made["id"] for made in found}


class Traffic:
    """Buyers who want the same leads, with credits and through Stripe, and who pay; drawn from a seed."""

    def __init__(self, shop: Shop) -> None:
        self.draw = random.Random(20260205)
        self.buyers = [shop.workspace("500") for _ in range(4)]
        self.leads = shop.leads(shop.workspace(), 600, "1.50")
        self.requests: list[Request] = []
        self.acknowledged = 0

    def make(self) -> Request:
        """A new one. Leads are taken from a small window, so that many want the same."""
        key = str(UUID(int=self.draw.getrandbits(128), version=4))
        who, kind = self.draw.choice(self.buyers), self.draw.random()
        if kind < 0.1:
            request = Request(who, TOP_UP, {"amount": "5.00", "idempotency_key": key})
        else:
            start = min(len(self.requests) // 3, len(self.leads) - 20)
            leads = self.draw.sample(self.leads[start : start + 20], self.draw.randint(1, 2))
            method = "stripe" if kind < 0.4 else "credits"
            request = Request(who, BUY, {"lead_ids": leads, "payment_method": method, "idempotency_key": key})
        self.requests.append(request)
        return request

    async def send(self, client: Client, request: Request) -> None:
        told = await client.post(request.path, request.body, request.who)
        request.told.append(told)
        if told.status == 200 and (url := told.body.get("checkout_url")):
            await client.post(url, {})

    async def buy(self, client: Client, stop: asyncio.Event) -> None:
        """One buyer after another, until somebody is not answered."""
        while not stop.is_set():
            request = self.make()
            await self.send(client, request)
            if not request.known:
                return

    async def resolve(self, client: Client) -> None:
        """What is not known is asked again with the same key, until it is."""
        for request in self.requests:
            while not request.known:
                await self.send(client, request)
                if not request.known:
                    await asyncio.sleep(0.01)


async def live(traffic: Traffic, client: Client, disaster: Callable[[], None]) -> None:
    """Buyers buy, disaster strikes, whoever does not know asks again; and so on. At the end everybody asks again."""
    for _ in range(ROUNDS):
        stop = asyncio.Event()
        buyers = [asyncio.create_task(traffic.buy(client, stop)) for _ in range(BUYERS)]
        await asyncio.sleep(traffic.draw.uniform(0.005, 0.12))
        disaster()
        stop.set()
        await asyncio.gather(*buyers)
        await traffic.resolve(client)
    for request in traffic.requests:
        await traffic.send(client, request)
        await traffic.resolve(client)
    await client.sockets.close()


def killed(_: Shop, processes: Processes) -> None:
    processes.kill()
    processes.start()


def cut_off(shop: Shop, _: Processes) -> None:
    shop.owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'marketplace api'"
    )


@pytest.mark.parametrize("disaster", [killed, cut_off])
def test_nothing_acknowledged_is_lost(
    shop: Shop, processes: Processes, gateway: Remote, disaster: Callable[[Shop, Processes], None]
) -> None:
    """The API is killed, or all its connections to the database are ended."""
    ids, before = made(shop), len(gateway.events())
    traffic = Traffic(shop)
    processes.start()
    asyncio.run(live(traffic, Client(processes.base), lambda: disaster(shop, processes)))
    assert gateway.drain(30) == []
    # It was interesting: answers were lost, of work that was done and of work that was not.
    unknown = [request for request in traffic.requests if any(not told.definite for told in request.told)]
    assert len(unknown) > ROUNDS
    assert {bool(request.bought) for request in unknown} == {True, False}
    # Nobody was ever told that it is our mistake.
    assert {told.status for request in traffic.requests for told in request.told} <= {None, 200, 402, 409, 503}

    bought = [request.bought for request in traffic.requests]
    assert all(len(ids) <= 1 for ids in bought)
    for request in traffic.requests:
        answers = [told for told in request.told if told.status == 200]
        if answers:
            assert answers[-1] is request.told[-1], "what was acknowledged was taken back"
            for name in ("purchase", "credit_purchase", "remaining_credits", "leads"):
                assert len({str(told.body.get(name)) for told in answers}) == 1
    assert made(shop) - ids == set().union(*bought)
    # Whoever paid is served: every event came through.
    paid = {about(event) for event in gateway.events()[before:]}
    assert len(paid) > ROUNDS
    # (A workspace may have two checkouts of one lead, and pay both: the money of one is owed to it.)
    assert "completed" in {shop.status(id_) for id_ in paid} <= {"completed", "refund_required"}
    assert shop.false() == {}
    processes.kill()


def made(shop: Shop) -> set[str]:
    """The ids of all purchases."""
    both = "SELECT id::text FROM marketplace_purchases UNION ALL SELECT id::text FROM credit_purchases"
    return {id_ for (id_,) in shop.owner.execute(both).fetchall()}


async def checkouts(client: Client, who: Workspace, leads: list[str]) -> list[str]:
    """The addresses of a checkout for each lead and, the last, of one for credits."""
    told = [await client.post(BUY, {"lead_ids": [lead], "payment_method": "stripe"}, who) for lead in leads]
    told.append(await client.post(TOP_UP, {"amount": "7.00"}, who))
    await client.sockets.close()
    return [each.body["checkout_url"] for each in told]


def test_a_storm_of_webhooks_with_a_crash_in_it_is_one_effect(
    shop: Shop, processes: Processes, gateway: Remote
) -> None:
    before, ledger = len(gateway.events()), shop.count("credit_ledger")
    buyer, leads = shop.workspace("1"), shop.leads(shop.workspace(), 4)
    processes.start()
    processes.wait_until_healthy()
    urls = asyncio.run(checkouts(Client(processes.base), buyer, leads))
    gateway.hold()
    paid, slow, failed, expired, credits_ = urls
    gateway.pay(paid)
    gateway.pay(credits_)
    gateway.pay(slow, "async_succeeds")
    gateway.pay(failed, "async_fails")
    gateway.expire(expired)
    while len(events := gateway.events()[before:]) < 7:
        pass
    for event in events:
        gateway.resend(event["id"], 20)
    assert gateway.release("shuffled") >= 7 * 21
    sleep(0.05)
    processes.kill()
    processes.start()
    assert gateway.drain(30) == []

    statuses = [shop.status(about(event)) for event in events if event["type"] != "checkout.session.completed"]
    assert sorted(statuses, key=str) == ["cancelled", "completed", "failed"]
    assert {shop.status(about(event)) for event in events if event["data"]["object"]["payment_status"] == "paid"} == {
        "completed"
    }
    assert shop.balance(buyer) == 8
    # The workspaces' own entries, and that of the credits.
    assert shop.count("credit_ledger") == ledger + 2 + 1
    claimed = "SELECT count(*) FROM processed_webhook_events WHERE event_id = ANY (%s)"
    unpaid = 2
    assert shop.owner.execute(claimed, [[event["id"] for event in events]]).fetchall() == [(len(events) - unpaid,)]
    assert shop.false() == {}
    processes.kill()


def about(event: Mapping[str, Any]) -> str:
    """The purchase that an event is about."""
    return str(event["data"]["object"]["client_reference_id"])


@pytest.mark.parametrize("trouble", ["api_busy", "api_lost"])
def test_a_checkout_that_stripe_did_not_answer_for_is_opened_once(
    shop: Shop, processes: Processes, gateway: Remote, trouble: str
) -> None:
    """Stripe refuses for now, or makes the session and does not say so; the key finds out."""
    lead = shop.lead(shop.workspace())
    body = {"lead_ids": [lead], "payment_method": "stripe", "idempotency_key": str(uuid4())}
    asked = Request(shop.workspace(), BUY, body)
    processes.start()
    processes.wait_until_healthy()
    gateway.configure(mischief={trouble: 1})
    try:
        first = asyncio.run(ask_again(Client(processes.base), asked))
    finally:
        gateway.configure(mischief={trouble: 0})
    assert (first.status, first.code) == (503, "try_again")
    again, third = (asyncio.run(ask_again(Client(processes.base), asked)) for _ in range(2))
    assert again == third
    paid = gateway.pay(again.body["checkout_url"])
    assert paid["client_reference_id"] == again.body["purchase"]["id"]
    assert gateway.drain(30) == []
    assert shop.status(again.body["purchase"]["id"]) == "completed"
    sessions = httpx.get(
        f"{gateway.base}/v1/checkout/sessions?limit=100", headers={"authorization": "Bearer sk"}
    ).json()
    about = [each["client_reference_id"] for each in sessions["data"]]
    assert about.count(paid["client_reference_id"]) == 1
    processes.kill()


@pytest.mark.parametrize("in_time", [True, False])
def test_asked_to_end_it_finishes_what_it_can_and_undoes_the_rest(
    shop: Shop, processes: Processes, in_time: bool
) -> None:
    """One request waits for a lock that we hold, and we let it go in time, or not at all."""
    buyer, seller = shop.workspace(), shop.workspace()
    leads = shop.leads(seller, 2)
    stuck = Request(buyer, BUY, {"lead_ids": [leads[0]], "payment_method": "credits", "idempotency_key": str(uuid4())})
    processes.start()
    processes.wait_until_healthy()

    async def play() -> tuple[Told, Told]:
        client = Client(processes.base)
        with psycopg.connect(shop.dsn) as holder:
            holder.execute("SELECT FROM workspace_credits WHERE workspace_id = %s FOR UPDATE", [buyer.id])
            waits = asyncio.create_task(client.post(stuck.path, stuck.body, buyer))
            while shop.waiting() == 0:
                await asyncio.sleep(0.005)
            processes.signal(signal.SIGTERM)
            while (await client.post("/", {})).status is not None:
                await asyncio.sleep(0.005)
            if in_time:
                holder.rollback()
            told = await waits
            code = await asyncio.to_thread(processes.wait)
            assert code == 0
            # Nobody is left who would go on with it when we let go.
            assert shop.waiting() == 0
        await client.sockets.close()
        return told, await client.post(BUY, {"lead_ids": [leads[1]], "payment_method": "credits"}, seller)

    told, later = asyncio.run(play())
    assert later == Told(None)
    if in_time:
        assert (told.status, told.body["remaining_credits"]) == (200, "90.00")
    else:
        assert told.status in (None, 503)
    assert shop.balance(buyer) == (90 if in_time else 100)
    assert shop.false() == {}
    assert shop.open_transactions() == 0

    # Whoever asks again with the key has it once.
    processes.start()
    processes.wait_until_healthy()
    again = asyncio.run(ask_again(Client(processes.base), stuck))
    assert (again.status, again.body["remaining_credits"]) == (200, "90.00")
    assert shop.balance(buyer) == 90
    processes.kill()


async def ask_again(client: Client, request: Request) -> Told:
    told = await client.post(request.path, request.body, request.who)
    await client.sockets.close()
    return told


NO_HTTP = {
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "lines": b"\r\n" * 1000 + b"x\r\n\r\n",
    "another version": b"GET /health HTTP/9.9\r\nhost: a\r\n\r\n",
    "a method with a NUL": b"GE\x00T /health HTTP/1.1\r\nhost: a\r\n\r\n",
    "a header without a name": b"GET /health HTTP/1.1\r\n: a\r\n\r\n",
    "a header with a NUL": b"GET /nothing HTTP/1.1\r\nhost: a\r\nx: a\x00b\r\n\r\n",
    "a header folded": b"GET /nothing HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n",
    "a length that is none": b"POST /api/webhooks/stripe HTTP/1.1\r\nhost: a\r\ncontent-length: five\r\n\r\nabcde",
    "a length below nothing": b"POST /api/webhooks/stripe HTTP/1.1\r\nhost: a\r\ncontent-length: -5\r\n\r\nabcde",
    "two lengths": b"POST /api/webhooks/stripe HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "a length and chunks": (
        b"POST /api/webhooks/stripe HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /metrics HTTP/1.1\r\nhost: a\r\n\r\n"
    ),
    "a chunk of no size": b"POST /health HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nz\r\n\r\n",
    "a line without end": b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n",
    "a header without end": b"GET /nothing HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 300_000 + b"\r\n\r\n",
    "many headers": b"GET /nothing HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
}


def test_what_is_no_http_hurts_nobody(processes: Processes) -> None:
    processes.start()
    processes.wait_until_healthy()
    port = int(processes.base.rpartition(":")[2])
    for what, garbage in NO_HTTP.items():
        heard = b""
        with (
            contextlib.suppress(ConnectionError),
            socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
        ):
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65_536):
                heard += piece
        # An answer, if any, is a clear no (and a length that is not what it says hides no second request).
        statuses = re.findall(rb"HTTP/1\.1 (\d+)", heard)
        assert all(status.startswith(b"4") for status in statuses), (what, heard[:500])
        assert b"Traceback" not in heard, what
        processes.wait_until_healthy()
    processes.kill()
