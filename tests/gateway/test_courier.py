"""Deliveries: at least once, until they are acknowledged, and nothing that was answered is passed over."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from itertools import pairwise
from typing import Any, TypeVar

import pytest
import stripe

from harness.gateway.books import Means
from harness.gateway.courier import Delivery
from harness.gateway.gateway import Gateway
from harness.gateway.mischief import Loss
from tests.gateway.endpoint import SECRET, Endpoint, opened

T = TypeVar("T")
QUICK = {"retry_first_ms": 1, "retry_ms_max": 4}


def run(what: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(what)


async def paid(gateway: Gateway, *purchases: str) -> list[Delivery]:
    """Every purchase is paid, and everything delivered; what is outstanding."""
    async with gateway:
        for purchase in purchases:
            gateway.pay(opened(gateway, purchase))
        return await gateway.drain(10)


def states(gateway: Gateway) -> list[str]:
    return [delivery.state for delivery in gateway.courier.deliveries]


def test_a_kind_way_is_once_and_in_order() -> None:
    endpoint = Endpoint(seconds=0.001)
    gateway = endpoint.gateway()
    assert run(paid(gateway, *"abcdef")) == []
    assert endpoint.purchases == [*"abcdef"]
    assert endpoint.at_once_max == 1
    for number, (delivery, got) in enumerate(zip(gateway.courier.deliveries, endpoint.received, strict=True)):
        assert stripe.Webhook.construct_event(got.body, got.signature, SECRET).id == delivery.event
        (attempt,) = delivery.attempts
        assert (attempt.status, attempt.answer, attempt.error, attempt.lost) == (200, f"answer {number}", None, None)
        assert attempt.seconds >= 0.001


def test_what_is_not_acknowledged_comes_again_with_a_signature_of_its_own_time() -> None:
    answers = [500, 302, 400, 0, 201]
    endpoint = Endpoint(answers.__getitem__)
    gateway = endpoint.gateway(**QUICK)
    assert run(paid(gateway, "a")) == []
    (delivery,) = gateway.courier.deliveries
    assert [attempt.status for attempt in delivery.attempts] == [500, 302, 400, None, 201]
    assert delivery.attempts[3].error == "nobody is there"
    assert {got.body for got in endpoint.received} == {endpoint.received[0].body}
    for attempt, got in zip(delivery.attempts, endpoint.received, strict=True):
        assert got.signature.startswith(f"t={int(attempt.at)},")


def test_retries_wait_longer_and_longer() -> None:
    gateway = Endpoint(lambda number: 200 if number == 4 else 503).gateway(retry_first_ms=5, retry_ms_max=20)
    assert run(paid(gateway, "a")) == []
    (delivery,) = gateway.courier.deliveries
    times = [attempt.at for attempt in delivery.attempts]
    gaps = [after - before for before, after in pairwise(times)]
    assert all(gap >= least for gap, least in zip(gaps, (0.005, 0.01, 0.02, 0.02), strict=True))


@pytest.mark.parametrize("status", [400, 500, 0])
def test_what_is_never_acknowledged_is_outstanding(status: int) -> None:
    gateway = Endpoint(lambda _: status).gateway(give_up_ms=100, **QUICK)
    (left,) = run(paid(gateway, "a"))
    assert left.state == "given_up"
    assert len(left.attempts) > 2
    assert {attempt.status for attempt in left.attempts} == {status or None}
    assert gateway.outstanding() == [left]


def test_it_is_outstanding_while_nobody_has_been_asked() -> None:
    gateway = Gateway()

    async def pay() -> list[Delivery]:
        async with gateway:
            gateway.pay(opened(gateway))
            return await gateway.drain(0.05)

    (left,) = run(pay())
    assert (left.state, left.attempts[0].error) == ("waiting", "there is no endpoint")


def test_duplicates() -> None:
    endpoint = Endpoint()
    gateway = endpoint.gateway(duplicates=1.0, copies_max=4, seed=1)
    assert run(paid(gateway, *"abcdefgh")) == []
    counts = {purchase: endpoint.purchases.count(purchase) for purchase in "abcdefgh"}
    assert set(counts.values()) == {2, 3, 4}
    assert len({got.event["id"] for got in endpoint.received}) == 8
    assert len(gateway.courier.deliveries) == len(endpoint.received)


def test_a_lost_request_never_arrives_and_a_lost_answer_is_known_here_alone() -> None:
    for loss, arrived in ((Loss.REQUEST, 1), (Loss.ANSWER, 6)):
        endpoint = Endpoint()
        share = {"drop": 1.0} if loss is Loss.REQUEST else {"lose_answer": 1.0}
        gateway = endpoint.gateway(**share, **QUICK)
        assert run(paid(gateway, "a")) == []
        (delivery,) = gateway.courier.deliveries
        assert [attempt.lost for attempt in delivery.attempts] == [loss] * 5 + [None]
        assert len(endpoint.received) == arrived
        assert [attempt.status for attempt in delivery.attempts] == [200 if arrived == 6 else None] * 5 + [200]


def test_a_held_delivery_comes_after_a_later_one() -> None:
    endpoint = Endpoint()
    gateway = endpoint.gateway(reorder=0.5, seed=4)
    names = [f"{number:02}" for number in range(20)]
    assert run(paid(gateway, *names)) == []
    assert endpoint.purchases != names
    assert sorted(endpoint.purchases) == names
    # The same seed, the same order.
    again = Endpoint()
    assert run(paid(again.gateway(reorder=0.5, seed=4), *names)) == []
    assert again.purchases == endpoint.purchases


def test_nothing_is_held_for_ever() -> None:
    endpoint = Endpoint()
    assert run(paid(endpoint.gateway(reorder=1.0, held_ms_max=10), *"abc")) == []
    assert sorted(endpoint.purchases) == [*"abc"]


@pytest.mark.parametrize("parallel", [1, 5])
def test_so_many_are_under_way_at_once(parallel: int) -> None:
    endpoint = Endpoint(seconds=0.002)
    assert run(paid(endpoint.gateway(parallel=parallel), *"abcdefghij")) == []
    assert endpoint.at_once_max == parallel


@pytest.mark.parametrize(("order", "arrived"), [("made", "abcd"), ("reversed", "dcba")])
def test_what_is_held_back_is_let_out_in_this_order(order: str, arrived: str) -> None:
    endpoint = Endpoint()

    async def play() -> None:
        async with endpoint.gateway() as gateway:
            gateway.courier.hold()
            for purchase in "abcd":
                gateway.pay(opened(gateway, purchase))
            assert len(await gateway.drain(0.02)) == 4
            assert endpoint.received == []
            assert gateway.courier.release(order) == 4
            assert await gateway.drain(5) == []

    run(play())
    assert endpoint.purchases == [*arrived]


def test_an_event_is_sent_again_many_times_at_once() -> None:
    endpoint = Endpoint(seconds=0.01)

    async def play() -> None:
        async with endpoint.gateway() as gateway:
            gateway.pay(opened(gateway))
            assert await gateway.drain(5) == []
            gateway.courier.resend(gateway.books.events[0], 20)
            assert await gateway.drain(5) == []

    run(play())
    assert len(endpoint.received) == 21
    assert endpoint.at_once_max == 20
    assert len({got.body for got in endpoint.received}) == 1


def test_a_slow_payment_is_settled_later() -> None:
    endpoint = Endpoint()

    async def play() -> None:
        async with endpoint.gateway() as gateway:
            gateway.pay(opened(gateway), Means.ASYNC_SUCCEEDS, after_ms=20)
            gateway.pay(opened(gateway), Means.ASYNC_FAILS)
            assert await gateway.drain(5) == []

    run(play())
    assert endpoint.types == ["completed", "completed", "async_payment_failed", "async_payment_succeeded"]


def test_the_end_ends_everything() -> None:
    async def play() -> int:
        async with Endpoint(seconds=30).gateway(parallel=9) as gateway:
            for purchase in "abc":
                gateway.pay(opened(gateway, purchase))
            gateway.pay(opened(gateway), Means.ASYNC_FAILS, after_ms=30_000)
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        assert states(gateway) == ["waiting"] * 4
        return len(asyncio.all_tasks())

    assert run(play()) == 1


def test_a_defect_of_the_gateway_is_no_silence() -> None:
    class Broken(Endpoint):
        async def carry(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
            raise LookupError(url, headers, body)

    async def play() -> None:
        async with Broken().gateway() as gateway:
            gateway.pay(opened(gateway))
            await gateway.drain(5)

    with pytest.raises(LookupError):
        run(play())
