"""The starting state of a scenario, and the state that the probes read back, in names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class LeadStart:
    """A lead on sale: ``price`` None is an unpriced one, ``status`` ``available``, ``unlisted`` or ``sold``."""

    price: Decimal | None = Decimal(10)
    seller: str = "seller"
    status: str = "available"


@dataclass(frozen=True, slots=True)
class PurchaseStart:
    """A purchase with its items. ``method`` is ``credits`` or ``stripe``; ``status`` as in the subject's contract:
    pending, completed, failed, cancelled, refunded, refund_required.

    ``reserved`` is ``None`` (no reservation), ``"held"`` or ``"expired"`` for the reservations of its leads.
    """

    workspace: str
    leads: tuple[str, ...]
    method: str = "credits"
    status: str = "pending"
    reserved: str | None = None


@dataclass(frozen=True, slots=True)
class TopUpStart:
    """A pending purchase of credits."""

    workspace: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Start:
    """Everything that is there before the first step."""

    workspaces: Mapping[str, Decimal]
    """Name to opening balance. The workspace ``seller`` is always there."""
    leads: Mapping[str, LeadStart]
    purchases: Mapping[str, PurchaseStart] = field(default_factory=dict)
    top_ups: Mapping[str, TopUpStart] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeadState:
    """What is read back of a lead."""

    status: str
    """``available`` or ``sold`` (or another word of the subject's)."""
    sold_count: int


@dataclass(frozen=True, slots=True)
class State:
    """What the probes read back. A part that the subject has no probe for is None, and what needs it not applicable.

    ``charges`` are the (purchase, workspace, amount) entries of the ledger, amounts positive; ``reservations`` the
    leads held by each purchase now; all mappings are sorted tuples of pairs so that a state can be a dictionary key.
    """

    balances: tuple[tuple[str, Decimal], ...]
    leads: tuple[tuple[str, LeadState], ...]
    purchases: tuple[tuple[str, str], ...]
    """Purchase to status."""
    items: tuple[tuple[str, tuple[str, ...]], ...]
    """Purchase to its leads, sorted."""
    ledger: tuple[tuple[str, Decimal], ...] | None = None
    """Workspace to the sum of its ledger entries."""
    charges: tuple[tuple[str, str, Decimal], ...] | None = None
    reservations: tuple[tuple[str, tuple[str, ...]], ...] | None = None
    top_ups: tuple[tuple[str, str], ...] | None = None
    """Top-up to status: pending or completed."""
    keys: tuple[tuple[str, str, str], ...] | None = None
    """The idempotency keys that bind somebody now: workspace, key, and processing or completed."""
