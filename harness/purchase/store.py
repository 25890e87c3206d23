"""The database as the API sees it: one statement for a request, ordinary psycopg code.

Every function of ``sql/reference`` that is called here does its work whole or raises; nothing is left to be put right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, Protocol
from uuid import UUID

from harness.purchase.connections import Connection


@dataclass(frozen=True, slots=True)
class Answer:
    """``response`` is a JSON object, when ``replayed`` the one that the first request with the key got."""

    replayed: bool
    response: str


@dataclass(frozen=True, slots=True)
class Event:
    """What matters of an event of Stripe's. ``captured`` is (amount in cents, currency) where money came in."""

    id: str
    type: str
    kind: str
    """``purchase`` or ``credit_purchase``."""
    about: UUID
    captured: tuple[int, str] | None


class LeadsWanted(NamedTuple):
    """A request for leads, in the order of ``api_purchase_leads``; ``token_hash`` is the token's SHA-256."""

    token_hash: bytes
    purchase: UUID
    leads: Sequence[UUID]
    payment_method: str
    key: str | None
    request_hash: str


class CreditsWanted(NamedTuple):
    """A request for credits, in the order of ``api_buy_credits``."""

    token_hash: bytes
    credit_purchase: UUID
    amount: Decimal
    key: str | None
    request_hash: str


class Store(Protocol):
    """What the routes ask for. Each is for the workspace of the token with this SHA-256.

    Raises what psycopg raises: ``refusals.refusal_of`` says what that means.
    """

    async def purchase_leads(self, connection: Connection, wanted: LeadsWanted) -> Answer:
        """Buy with credits, or make the pending purchase for a checkout."""

    async def read_purchase(self, connection: Connection, token_hash: bytes, purchase: UUID) -> str | None:
        """The purchase as a JSON object; None when it is not the workspace's."""

    async def buy_credits(self, connection: Connection, wanted: CreditsWanted) -> Answer:
        """Make the pending purchase of credits for a checkout."""

    async def apply_event(self, connection: Connection, event: Event) -> bool:
        """Claim the event and do what it says, or neither. True when that had been done before."""


class Functions:
    """The functions ``api_...``."""

    PURCHASE_LEADS = "SELECT replayed, response::text FROM api_purchase_leads(%s, %s, %s, %s, %s, %s)"
    READ_PURCHASE = "SELECT api_read_purchase(%s, %s)::text"
    BUY_CREDITS = "SELECT replayed, response::text FROM api_buy_credits(%s, %s, %s, %s, %s)"
    APPLY_EVENT = "SELECT already_completed FROM api_stripe_event(%s, %s, %s, %s, %s, %s)"

    async def purchase_leads(self, connection: Connection, wanted: LeadsWanted) -> Answer:
        """One transaction."""
        cursor = await connection.execute(self.PURCHASE_LEADS, wanted)
        ((replayed, response),) = await cursor.fetchall()
        return Answer(replayed, response)

    async def read_purchase(self, connection: Connection, token_hash: bytes, purchase: UUID) -> str | None:
        """One statement."""
        cursor = await connection.execute(self.READ_PURCHASE, [token_hash, purchase])
        ((shown,),) = await cursor.fetchall()
        text: str | None = shown
        return text

    async def buy_credits(self, connection: Connection, wanted: CreditsWanted) -> Answer:
        """One transaction."""
        cursor = await connection.execute(self.BUY_CREDITS, wanted)
        ((replayed, response),) = await cursor.fetchall()
        return Answer(replayed, response)

    async def apply_event(self, connection: Connection, event: Event) -> bool:
        """One transaction."""
        amount, currency = event.captured or (None, None)
        parameters = [event.id, event.type, event.kind, event.about, amount, currency]
        cursor = await connection.execute(self.APPLY_EVENT, parameters)
        ((already_completed,),) = await cursor.fetchall()
        return already_completed is True
