"""The operations of the marketplace: what a client can ask for, in names instead of ids.

Scenarios, the sequential model, the properties and the subjects all speak of these. Entities (workspaces ``A``,
leads ``L1``, purchases ``p``, top-ups ``t``, events ``evt``) are short names that a ``Start`` declares; the
harness gives them ids. How an operation is carried out on a subject is said by that subject (``[calls]`` in its
``subject.toml``), so that every scenario runs unchanged on every subject.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Validate:
    """``validate_and_lock_leads_for_purchase``: may this workspace buy these leads now? None stands for SQL NULL."""

    workspace: str
    leads: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Buy:
    """The credit route of the API: validate the leads, create the purchase, complete it with credits."""

    workspace: str
    leads: tuple[str, ...]
    purchase: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """The Stripe route of the API: validate the leads and create the pending purchase that the webhook completes."""

    workspace: str
    leads: tuple[str, ...]
    purchase: str


@dataclass(frozen=True, slots=True)
class Request:
    """The purchase route of the API, called with an idempotency key: as ``Buy`` or ``Checkout``, by ``method``.

    The same ``key`` of the same workspace again is the same request: it has the first one's answer, and ``purchase``,
    the name that its own purchase would have had, stays unused. With other leads or another method it is refused.
    """

    workspace: str
    leads: tuple[str, ...]
    purchase: str
    key: str
    method: str = "credits"

    @property
    def body(self) -> tuple[tuple[str, ...], str]:
        """What tells two requests with one key apart. The order of the leads does not."""
        return tuple(sorted(self.leads)), self.method


@dataclass(frozen=True, slots=True)
class BuyCredits:
    """The credits route of the API, called with an idempotency key: makes the pending top-up that a checkout is for.

    Keys of this route and of the purchase route have nothing to do with one another.
    """

    workspace: str
    amount: Decimal
    top_up: str
    key: str

    @property
    def body(self) -> tuple[Decimal]:
        """What tells two requests with one key apart."""
        return (self.amount,)


@dataclass(frozen=True, slots=True)
class Read:
    """What a client polls: how a purchase of its own stands, and its leads once it is completed."""

    workspace: str
    purchase: str


@dataclass(frozen=True, slots=True)
class CompleteCredit:
    """``complete_credit_lead_purchase`` for a pending purchase. The purchase may be unknown (not in the start)."""

    purchase: str
    workspace: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class CompleteStripe:
    """``complete_stripe_lead_purchase``, called directly."""

    purchase: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """One delivery of a Stripe webhook: the same ``event`` again is a replay.

    ``kind`` is ``checkout.session.completed``, ``checkout.session.expired``, ``charge.refunded``, or one of the
    ``checkout.session.async_payment_...``. ``purchase`` may be a top-up.
    """

    event: str
    kind: str
    purchase: str


@dataclass(frozen=True, slots=True)
class MarkSold:
    """``mark_leads_sold_bulk``. None stands for SQL NULL."""

    leads: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class TopUp:
    """Completes the pending credit top-up (what its webhook does); the amount comes from the pending row."""

    top_up: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """Frees the reservations that have expired and cancels their pending purchases."""


@dataclass(frozen=True, slots=True)
class Refund:
    """Refunds a completed purchase (or one that needs a refund): the money goes back, the leads stay sold."""

    purchase: str


@dataclass(frozen=True, slots=True)
class UpdatePrice:
    """The seller changes the price of a lead: a writer that is no buyer. BEGIN, UPDATE, COMMIT."""

    lead: str
    price: Decimal


Operation = (
    Validate
    | Buy
    | Checkout
    | Request
    | BuyCredits
    | Read
    | CompleteCredit
    | CompleteStripe
    | Deliver
    | MarkSold
    | TopUp
    | Sweep
    | Refund
    | UpdatePrice
)

Keyed = Request | BuyCredits
"""What comes with an idempotency key."""

Purchasing = Buy | Checkout | Request
"""What makes a purchase."""


def method_of(operation: Purchasing) -> str:
    """How the purchase that it makes is paid: ``credits`` or ``stripe``."""
    if isinstance(operation, Request):
        return operation.method
    return "credits" if isinstance(operation, Buy) else "stripe"
