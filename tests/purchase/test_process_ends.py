"""The API as a process that ends: killed at any moment under load, in a storm of webhooks, or asked to by SIGTERM."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from time import sleep
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from harness.gateway.process import Remote, gateway_process
from tests.purchase.conftest import WEBHOOK_SECRET
from tests.purchase.processes import Client, Processes, Told, api_processes
from tests.purchase.shop import Shop, Workspace

ROUNDS = 15
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
        last = self.told[-1] if self.told else Told(None)
        return last.status is not None and last.status < 500 and last.code != "key_in_progress"

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


async def live(traffic: Traffic, processes: Processes) -> None:
    client = Client(processes.base)
    for _ in range(ROUNDS):
        processes.start()
        await traffic.resolve(client)
        stop = asyncio.Event()
        buyers = [asyncio.create_task(traffic.buy(client, stop)) for _ in range(BUYERS)]
        await asyncio.sleep(traffic.draw.uniform(0.005, 0.12))
        processes.kill()
        stop.set()
        await asyncio.gather(*buyers)
    processes.start()
    await traffic.resolve(client)
    # Everything that was ever said is said again.
    for request in traffic.requests:
        await traffic.send(client, request)
    await client.sockets.close()


def test_nothing_acknowledged_is_lost(shop: Shop, processes: Processes, gateway: Remote) -> None:
    traffic = Traffic(shop)
    asyncio.run(live(traffic, processes))
    assert gateway.drain(30) == []
    # It was interesting: answers were lost, of work that was done and of work that was not.
    unknown = [request for request in traffic.requests if any(told.status is None for told in request.told)]
    assert len(unknown) > ROUNDS
    assert {bool(request.bought) for request in unknown} == {True, False}

    bought = [request.bought for request in traffic.requests]
    assert all(len(ids) <= 1 for ids in bought)
    for request in traffic.requests:
        answers = [told for told in request.told if told.status == 200]
        if answers:
            assert answers[-1] is request.told[-1], "what was acknowledged was taken back"
            for name in ("purchase", "credit_purchase", "remaining_credits", "leads"):
                assert len({str(told.body.get(name)) for told in answers}) == 1
    there = {
        str(id_)
        for table in ("marketplace_purchases", "credit_purchases")
        for (id_,) in shop.owner.execute(f"SELECT id FROM {table}").fetchall()
    }
    assert there == set().union(*bought)
    # Whoever paid is served: every event came through.
    paid = {event["data"]["object"]["client_reference_id"] for event in gateway.events()}
    assert len(paid) > ROUNDS
    # (A workspace may have two checkouts of one lead, and pay both: the money of one is owed to it.)
    assert "completed" in {shop.status(id_) for id_ in paid} <= {"completed", "refund_required"}
    assert shop.false() == {}
    processes.kill()


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
