"""What befalls deliveries on their way: decided beforehand, from a seed, and by nothing that the endpoint answers.

Stripe promises that an event arrives at least once, and nothing else: it may come twice, late, after a newer one, at
the same moment as another, or be lost and sent again. ``Mischief`` says how often each of these happens.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Self

LOSSES_MAX = 5
"""How many attempts of one delivery are lost at most: at-least-once means that one gets through."""


_FROM_ONE = frozenset({"parallel", "copies_max", "timeout_ms", "retry_first_ms"})


class Loss(StrEnum):
    """Where an attempt is lost."""

    REQUEST = "request"
    """Before it reaches the endpoint."""

    ANSWER = "answer"
    """On its way back: the endpoint has done its work, the gateway does not know and sends again."""


@dataclass(frozen=True, slots=True)
class Mischief:
    """How unkind the way is. Shares are between 0 and 1; the default is a kind way: once, at once, one by one.

    ``duplicates``: the share of events that are delivered more than once, ``copies_max`` times at most.
    ``delay_ms_max``: each delivery waits for up to so long. ``reorder``: the share of deliveries that wait for a later
    one to be made first, though no longer than ``held_ms_max``. ``drop``, ``lose_answer``: the shares of attempts whose
    request or answer is lost. ``parallel``: how many deliveries may be under way at once.

    What is not answered with a 2xx within ``timeout_ms`` is sent again ``retry_first_ms`` later, then after twice as
    long, up to every ``retry_ms_max``, until ``give_up_ms`` have passed: Stripe's three days, compressed.

    ``api_busy``, ``api_lost``: the shares of API requests that are refused before anything is done, and whose answer is
    replaced by an error when it was done.
    """

    seed: int = 0
    duplicates: float = 0.0
    copies_max: int = 3
    delay_ms_max: int = 0
    reorder: float = 0.0
    held_ms_max: int = 500
    drop: float = 0.0
    lose_answer: float = 0.0
    parallel: int = 1
    timeout_ms: int = 10_000
    retry_first_ms: int = 50
    retry_ms_max: int = 2_000
    give_up_ms: int = 60_000
    api_busy: float = 0.0
    api_lost: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is int and isinstance(field.default, float):
                object.__setattr__(self, field.name, float(value))
            elif type(value) is not type(field.default):
                raise ValueError(f"{field.name} is {value!r}, not of type {field.type}")
            if isinstance(field.default, float) and not 0 <= value <= 1:
                raise ValueError(f"{field.name} is {value}, not between 0 and 1")
            if isinstance(field.default, int) and field.name != "seed" and value < (field.name in _FROM_ONE):
                raise ValueError(f"{field.name} is {value}: too small")

    def but(self, changes: Mapping[str, Any]) -> Self:
        """The same with other values of some fields. Raises ``ValueError`` for names and values that cannot be."""
        if not isinstance(changes, Mapping):
            raise ValueError("mischief is no object of names and values")  # noqa: TRY004 - it comes from outside
        if unknown := sorted(set(changes) - {field.name for field in fields(self)}):
            raise ValueError(f"no mischief is called {', '.join(unknown)}")
        return replace(self, **changes)

    def document(self) -> dict[str, Any]:
        """Every field, as JSON."""
        return asdict(self)

    def retry_ms(self, attempts: int) -> int:
        """How long to wait after so many attempts."""
        return min(self.retry_first_ms << min(attempts - 1, 30), self.retry_ms_max)


@dataclass(frozen=True, slots=True)
class Journey:
    """What befalls one delivery: its delay, whether a later one overtakes it, what its first attempts meet with."""

    delay_ms: int
    held: bool
    losses: tuple[Loss | None, ...]

    def loss(self, attempt: int) -> Loss | None:
        """What befalls this attempt, counted from 0."""
        return self.losses[attempt] if attempt < len(self.losses) else None


def journeys(mischief: Mischief, number: int) -> tuple[Journey, ...]:
    """The deliveries of event ``number``: the same for the same mischief, whatever else happens."""
    fate = random.Random(f"{mischief.seed} event {number}")
    copies = fate.randint(2, max(2, mischief.copies_max)) if fate.random() < mischief.duplicates else 1
    return tuple(_journey(mischief, fate) for _ in range(copies))


def _journey(mischief: Mischief, fate: random.Random) -> Journey:
    delay_ms, held = fate.randint(0, mischief.delay_ms_max), fate.random() < mischief.reorder
    losses: list[Loss | None] = []
    for _ in range(LOSSES_MAX):
        request, answer = fate.random() < mischief.drop, fate.random() < mischief.lose_answer
        if not (request or answer):
            # The first that gets through may still be refused: what comes after it is not disturbed.
            break
        losses.append(Loss.REQUEST if request else Loss.ANSWER)
    return Journey(delay_ms, held, tuple(losses))


class ApiFate(StrEnum):
    """What befalls a request to the gateway's API."""

    BUSY = "busy"
    LOST = "lost"


def api_fate(mischief: Mischief, number: int) -> ApiFate | None:
    """What befalls API request ``number``."""
    fate = random.Random(f"{mischief.seed} request {number}")
    if fate.random() < mischief.api_busy:
        return ApiFate.BUSY
    return ApiFate.LOST if fate.random() < mischief.api_lost else None
