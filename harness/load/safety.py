"""What the rows of one commit break by themselves, whatever anybody asked for: the safety properties."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from harness.load.books import Books, Change, Entry
from harness.marketplace.market import Purchase

_ZERO = Decimal(0)

_NEXT: Mapping[str, tuple[str, ...]] = {
    "completed": ("refunded",),
    "refund_required": ("refunded",),
    "refunded": (),
    "cancelled": ("refund_required", "refunded"),
    "failed": ("refund_required", "refunded"),
}
"""Where a purchase may go from a status that is final for its buyer. Money may come late to Stripe, or go back."""


class Safety:
    """Judges one change after the other; ``books`` have it already."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._missing: dict[str, Decimal] = {}
        """Workspace to what its balance lacks of its ledger: told when it changes."""
        self._owners: dict[str, str] | None = None
        """Lead to the purchase that got it; made when a lead is first in doubt."""

    def broken(self, change: Change) -> Iterator[tuple[str, str]]:
        """Property and sentence."""
        yield from self._leads(change)
        yield from self._balances(change)
        yield from self._charges(change)
        yield from self._purchases(change)
        for key, before in change.keys.items():
            if before and self._books.key(key) == before and before not in (*change.purchases, *change.top_ups):
                for made in (*change.purchases, *change.top_ups):
                    yield "charged-once", f"key {key} stood for {before}, and {made} was made for it"

    def _purchases(self, change: Change) -> Iterator[tuple[str, str]]:
        for name, before in change.purchases.items():
            now = self._books.purchases.get(name)
            was = before.status if before is not None else "pending"
            if now is None:
                if before is not None:
                    yield "terminal-states", f"purchase {name}, which was {was}, is gone"
                continue
            if now.status != was and was in _NEXT and now.status not in _NEXT[was]:
                yield "terminal-states", f"purchase {name} was {was} and is {now.status}"
            if now.status == "completed" and was != "completed":
                yield from self._completion(name, now, change)
            if name in change.totals and change.totals[name] != now.total and now.items:
                yield "charged-once", f"purchase {name} costs {change.totals[name]}, and its leads {now.total}"

    def _leads(self, change: Change) -> Iterator[tuple[str, str]]:
        for name, before in change.leads.items():
            now = self._books.leads.get(name)
            if now is None or before is None:
                continue
            if now.sold_count > 1 or (before.status == "sold" and now.sold_count > before.sold_count):
                yield "sold-once", f"lead {name} was sold again: sold_count {now.sold_count}"
            elif before.status == "sold" and now.status != "sold":
                yield "terminal-states", f"lead {name} was sold and is {now.status}"

    def _balances(self, change: Change) -> Iterator[tuple[str, str]]:
        for name in change.balances:
            balance = self._books.balances.get(name, _ZERO)
            if balance < 0:
                yield "no-overdraft", f"workspace {name} has {balance} credits"
            if not self._books.has_ledger:
                continue
            entries = self._books.ledger.get(name, _ZERO)
            if entries - balance != self._missing.get(name, _ZERO):
                self._missing[name] = entries - balance
                yield "conservation", f"workspace {name} has {balance} credits, but its ledger sums to {entries}"

    def _charges(self, change: Change) -> Iterator[tuple[str, str]]:
        for entry in change.entries:
            if entry.kind == "top_up":
                yield from self._credit(entry, change)
            elif entry.kind == "purchase":
                yield from self._charge(entry, change)

    def _credit(self, entry: Entry, change: Change) -> Iterator[tuple[str, str]]:
        name, row = entry.top_up, self._books.top_ups.get(entry.top_up)
        if row is None or (row.workspace, row.amount) != (entry.workspace, entry.amount):
            yield "conservation", f"{entry.amount} came to {entry.workspace} for the top-up {name}"
        before = change.top_ups.get(name, row)
        if before is not None and before.status == "completed":
            yield "webhook-idempotent", f"top-up {name} was credited again"

    def _charge(self, entry: Entry, change: Change) -> Iterator[tuple[str, str]]:
        name, purchase, before = entry.purchase, self._books.purchases.get(entry.purchase), None
        if name in change.purchases:
            before = change.purchases[name]
        if purchase is None or purchase.method != "credits":
            paid = "no purchase" if purchase is None else f"paid by {purchase.method}"
            yield "charged-once", f"{name} was charged {-entry.amount}, and it is {paid}"
        elif before is not None and before.charged:
            yield "charged-once", f"purchase {name} was charged again: {-entry.amount}"
        elif purchase.workspace != entry.workspace:
            yield "charged-once", f"purchase {name} of {purchase.workspace} was charged to {entry.workspace}"
        elif purchase.charged != purchase.total:
            yield "charged-once", f"purchase {name} costs {purchase.total} and was charged {purchase.charged}"
        elif purchase.status not in ("completed", "refunded"):
            yield "all-or-nothing", f"purchase {name} was charged, but it is {purchase.status}"

    def _completion(self, name: str, now: Purchase, change: Change) -> Iterator[tuple[str, str]]:
        if self._books.has_ledger and now.method == "credits" and now.charged == 0 and now.total:
            yield "all-or-nothing", f"purchase {name} is completed, but nobody was charged for it"
        for lead in now.leads:
            state = self._books.leads.get(lead)
            if state is None or state.status != "sold":
                yield "all-or-nothing", f"purchase {name} is completed, but its lead {lead} is not sold"
            before = change.leads.get(lead, state)
            if (before is not None and before.status == "sold") or self._owners is not None:
                owner = self._owner(lead, name)
                if owner != name:
                    yield "sold-once", f"lead {lead} was sold to {owner} and {name}"

    def _owner(self, lead: str, name: str) -> str:
        """Who got the lead first."""
        if self._owners is None:
            self._owners = {}
            for other, purchase in self._books.purchases.items():
                if other != name and purchase.status in ("completed", "refunded"):
                    self._owners.update(dict.fromkeys(purchase.leads, other))
        return self._owners.setdefault(lead, name)
