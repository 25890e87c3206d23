"""A market as the sequential model remembers it: values that can be compared, hashed and kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from harness.words.history import Result

K = TypeVar("K")
V = TypeVar("V")


class Table(dict[K, V]):
    """Names, most often, to values. Never changed once made, so that it can be hashed: ``put`` makes a new one."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def put(self, name: K, value: V) -> Table[K, V]:
        return Table({**self, name: value})


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead on sale, or not any more. Without a ``price`` nobody can buy it."""

    price: Decimal | None
    seller: str
    status: str
    sold_count: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """``items`` are the leads in order of name, each with the price at which it was put into the purchase.

    ``reserved`` is None, ``"held"`` or ``"expired"``; ``charged`` what was taken from the workspace's credits;
    ``balance_after`` the balance that the completion answered, which a repeat answers again.
    """

    workspace: str
    items: tuple[tuple[str, Decimal], ...]
    method: str
    status: str = "pending"
    reserved: str | None = None
    charged: Decimal = Decimal(0)
    balance_after: Decimal | None = None

    @property
    def leads(self) -> tuple[str, ...]:
        return tuple(lead for lead, _ in self.items)

    @property
    def total(self) -> Decimal:
        return sum((price for _, price in self.items), Decimal(0))


@dataclass(frozen=True, slots=True)
class TopUpRow:
    """A purchase of credits. ``balance_after`` is what its completion answered, which a repeat answers again."""

    workspace: str
    amount: Decimal
    status: str = "pending"
    balance_after: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What an idempotency key stands for: the body of the request that came with it, and its answer."""

    body: tuple[object, ...]
    answer: Result


@dataclass(frozen=True, slots=True)
class Market:
    """Everything that the marketplace remembers. ``events`` are the webhook events that were claimed, ``keys`` the
    idempotency keys that were answered, each of a workspace and a route.

    ``reserving`` is False for a marketplace that knows no reservations, where a checkout holds nothing.
    """

    balances: Table[str, Decimal]
    leads: Table[str, Lead]
    purchases: Table[str, Purchase]
    top_ups: Table[str, TopUpRow]
    events: frozenset[str] = frozenset()
    reserving: bool = True
    keys: Table[tuple[str, str, str], Answered] = field(default_factory=Table)
