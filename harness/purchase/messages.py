"""What clients send and are sent. Money is an exact decimal in a string, so that no client reads it as a float."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LEADS_MAX = 100

Money = Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]{2}$", examples=["12.50"])]
Payable = Annotated[
    str,
    Field(
        # What Stripe takes in one payment: 0.50 to 999999.99.
        pattern=r"^(0\.[5-9][0-9]?|[1-9][0-9]{0,5}(\.[0-9]{1,2})?)$",
        examples=["50.00"],
    ),
]


def no_lead_twice(leads: list[UUID]) -> list[UUID]:
    """Raises ``ValueError`` when one is."""
    if len(set(leads)) != len(leads):
        raise ValueError("a lead is listed twice")
    return leads


class Message(BaseModel):
    """Nothing but what is named here."""

    model_config = ConfigDict(extra="forbid")


class PurchaseRequest(Message):
    """Leads to be bought, all or none. With an idempotency key the request may be sent again and is done once."""

    lead_ids: Annotated[
        list[UUID],
        Field(min_length=1, max_length=LEADS_MAX, json_schema_extra={"uniqueItems": True}),
        AfterValidator(no_lead_twice),
    ]
    payment_method: Literal["credits", "stripe"]
    idempotency_key: UUID | None = None


class CreditsRequest(Message):
    """Credits to be bought through a Stripe checkout."""

    amount: Payable
    idempotency_key: UUID | None = None


class Purchase(Message):
    """A purchase as it is now."""

    id: UUID
    status: Literal["pending", "completed", "failed", "cancelled", "refunded", "refund_required"]
    payment_method: Literal["credits", "stripe"]
    total: Money
    lead_ids: list[UUID]


class Lead(Message):
    """What was bought. ``contact`` is whatever the seller gave."""

    id: UUID
    price: Money
    contact: Any


class PurchaseAnswer(Message):
    """A completed purchase, or a pending one and where to pay for it by when (a Unix time)."""

    purchase: Purchase
    leads: list[Lead]
    remaining_credits: Money | None = None
    checkout_url: str | None = None
    checkout_expires_at: int | None = None


class PurchaseShown(Message):
    """A purchase; its leads only when it is completed."""

    purchase: Purchase
    leads: list[Lead]


class CreditPurchase(Message):
    """A purchase of credits."""

    id: UUID
    status: Literal["pending"]
    amount: Money


class CreditsAnswer(Message):
    """Where to pay for the credits, and by when (a Unix time)."""

    credit_purchase: CreditPurchase
    checkout_url: str
    checkout_expires_at: int


class Received(Message):
    """The event is taken care of."""

    received: Literal[True]


class Healthy(Message):
    """The database answers."""

    status: Literal["ok"]


class Problem(Message):
    """Why not: a code for programs, a sentence for people."""

    error: str
    message: str
    details: dict[str, Any] | None = None
