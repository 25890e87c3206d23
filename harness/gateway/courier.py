"""Deliveries: each event on its way to the endpoint, until it is answered with a 2xx or given up.

Nothing that the endpoint answers is passed over: every attempt is kept with its answer, and a delivery that was never
answered with a 2xx stays outstanding.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.gateway.books import Event
from harness.gateway.carrier import Carrier, UnansweredError
from harness.gateway.mischief import Journey, Loss, Mischief, journeys
from harness.gateway.signature import signature_header

ANSWER_MAX = 500
"""How much of an answer's body is kept, in characters."""

USER_AGENT = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"


@dataclass(slots=True)
class Endpoint:
    """Where events go, and the secrets that they are signed with, newest first; no address means nobody is there."""

    url: str | None = None
    secrets: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Attempt:
    """One time that a delivery was sent: ``at`` in Unix seconds, ``began`` by CLOCK_MONOTONIC.

    ``seconds`` until the answer. ``status`` and ``answer`` are the endpoint's; None when there was none, and ``error``
    says why. ``lost``: the request never arrived, or the answer was lost (and is known here alone).
    """

    at: float
    began: float
    seconds: float = 0.0
    status: int | None = None
    answer: str | None = None
    error: str | None = None
    lost: Loss | None = None


@dataclass(slots=True)
class Delivery:
    """One copy of an event. ``state``: waiting, acknowledged (answered with a 2xx) or given_up."""

    number: int
    event: str
    type: str
    about: str
    state: str = "waiting"
    attempts: list[Attempt] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As ``GET /deliveries`` tells it."""
        return asdict(self)


class Courier:
    """Sends events by a carrier. ``mischief`` and ``endpoint`` may be changed at any time."""

    def __init__(self, carrier: Carrier, endpoint: Endpoint, mischief: Mischief) -> None:
        self.endpoint = endpoint
        self.deliveries: list[Delivery] = []
        self._carrier = carrier
        self._made = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._defects: list[BaseException] = []
        self._shelf: list[asyncio.Event] = []
        self._gate: list[asyncio.Event] | None = None
        self.mischief = mischief

    @property
    def mischief(self) -> Mischief:
        """What befalls the deliveries of the events to come."""
        return self._mischief

    @mischief.setter
    def mischief(self, mischief: Mischief) -> None:
        self._mischief = mischief
        self._lanes = asyncio.Semaphore(mischief.parallel)

    def post(self, event: Event) -> None:
        """An event has happened: deliver it, as often and as late as mischief will have it."""
        for journey in journeys(self.mischief, self._made):
            self._start(event, journey)
        self._made += 1

    def resend(self, event: Event, times: int = 1) -> None:
        """Deliver an event so many times more, all at the same moment."""
        for _ in range(times):
            self._start(event, Journey(0, False, ()), in_lane=False)

    def hold(self) -> None:
        """Let nothing out until ``release``."""
        if self._gate is None:
            self._gate = []

    def release(self, order: str = "made") -> int:
        """Let out what was held: in the order it was made, ``reversed``, or ``shuffled`` (by the seed). How many."""
        held, self._gate = self._gate or [], None
        if order == "reversed":
            held.reverse()
        elif order == "shuffled":
            random.Random(f"{self.mischief.seed} release").shuffle(held)
        elif order != "made":
            raise ValueError(f"no order is called {order}")
        for each in held:
            each.set()
        return len(held)

    def outstanding(self) -> list[Delivery]:
        """What was never answered with a 2xx: still on its way, or given up."""
        return [delivery for delivery in self.deliveries if delivery.state != "acknowledged"]

    async def drain(self, seconds_max: float) -> list[Delivery]:
        """Wait until everything is acknowledged or given up, at most so long; what is outstanding then."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                while self._tasks:
                    self._idle.clear()
                    await self._idle.wait()
        if self._defects:
            raise self._defects[0]
        return self.outstanding()

    async def close(self) -> None:
        """Send nothing more. Raises what went wrong in here."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._defects:
            raise self._defects[0]

    def _start(self, event: Event, journey: Journey, *, in_lane: bool = True) -> None:
        delivery = Delivery(len(self.deliveries), event.id, event.type, event.about)
        self.deliveries.append(delivery)
        task = asyncio.get_running_loop().create_task(self._deliver(delivery, event.body, journey, in_lane))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not self._tasks:
            self._idle.set()
        if not task.cancelled() and (defect := task.exception()):
            self._defects.append(defect)

    async def _deliver(self, delivery: Delivery, body: bytes, journey: Journey, in_lane: bool) -> None:
        await asyncio.sleep(journey.delay_ms / 1000)
        if journey.held:
            await self._be_overtaken()
        kind, lanes = self.mischief, self._lanes
        give_up = time.monotonic() + kind.give_up_ms / 1000
        while True:
            if self._gate is not None:
                self._gate.append(turn := asyncio.Event())
                await turn.wait()
            loss = journey.loss(len(delivery.attempts))
            if in_lane:
                async with lanes:
                    attempt = await self._attempt(delivery, body, loss, kind)
            else:
                attempt = await self._attempt(delivery, body, loss, kind)
            if not journey.held:
                self._overtake()
            if attempt.status is not None and 200 <= attempt.status < 300 and attempt.lost is None:
                delivery.state = "acknowledged"
                return
            wait = kind.retry_ms(len(delivery.attempts)) / 1000
            if time.monotonic() + wait > give_up:
                delivery.state = "given_up"
                return
            await asyncio.sleep(wait)

    async def _attempt(self, delivery: Delivery, body: bytes, loss: Loss | None, kind: Mischief) -> Attempt:
        attempt = Attempt(at=time.time(), began=time.monotonic(), lost=loss)
        delivery.attempts.append(attempt)
        if loss is Loss.REQUEST:
            attempt.error = "lost on its way"
            return attempt
        if self.endpoint.url is None:
            attempt.error = "there is no endpoint"
            return attempt
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": USER_AGENT,
            "stripe-signature": signature_header(body, self.endpoint.secrets, int(attempt.at)),
        }
        began = time.perf_counter()
        try:
            async with asyncio.timeout(kind.timeout_ms / 1000):
                attempt.status, answer = await self._carrier.carry(self.endpoint.url, headers, body)
            attempt.answer = answer.decode(errors="replace")[:ANSWER_MAX]
        except UnansweredError as error:
            attempt.error = str(error)
        except TimeoutError:
            attempt.error = f"no answer within {kind.timeout_ms} ms"
        attempt.seconds = time.perf_counter() - began
        return attempt

    async def _be_overtaken(self) -> None:
        """Wait for a later delivery to be made, though not for ever."""
        turn = asyncio.Event()
        self._shelf.append(turn)
        try:
            async with asyncio.timeout(self.mischief.held_ms_max / 1000):
                await turn.wait()
        except TimeoutError:
            if turn in self._shelf:
                self._shelf.remove(turn)

    def _overtake(self) -> None:
        shelf, self._shelf = self._shelf, []
        for turn in shelf:
            turn.set()


def told(deliveries: Sequence[Delivery]) -> list[dict[str, Any]]:
    """As JSON."""
    return [delivery.document() for delivery in deliveries]
