"""The names that a model may give: what they stand for is made when they are given, and their ids are known before."""

from __future__ import annotations

from decimal import Decimal

from harness.marketplace.names import Names
from harness.marketplace.start import LeadStart, Start, TopUpStart

WORKSPACES = tuple(f"W{number}" for number in range(1, 9))
LEADS = tuple(f"L{number}" for number in range(1, 33))
PURCHASES = tuple(f"p{number}" for number in range(1, 257))
EVENTS = tuple(f"evt{number}" for number in range(1, 257))
TOP_UPS = tuple(f"t{number}" for number in range(1, 17))


def names(ids: str) -> Names:
    """Ids of the type that a subject has (``names.IDS``), in the order in which the names are given."""
    return Names(
        ids,
        Start(
            workspaces=dict.fromkeys(WORKSPACES, Decimal(0)),
            leads=dict.fromkeys(LEADS, LeadStart()),
            top_ups={name: TopUpStart(WORKSPACES[0], Decimal(1)) for name in TOP_UPS},
        ),
        PURCHASES,
    )
