"""The books: the state of the marketplace as the rows of its commits make it, kept for as long as a history is.

The sequential model judges whole markets, and copies what it changes; so it is shown the part that an operation can see
(``market``): the leads and workspaces that it names, the purchase, and who holds those leads. The model does with the
part what it does with the whole, and that costs the same however much else there is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import chain
from math import inf
from typing import NamedTuple

from harness.load.rows import Row
from harness.load.sample import identity_of_key
from harness.marketplace.market import Lead, Market, Purchase, Table, TopUpRow
from harness.marketplace.operations import (
    Buy,
    BuyCredits,
    Checkout,
    CompleteCredit,
    CompleteStripe,
    Deliver,
    MarkSold,
    Operation,
    Read,
    Refund,
    Request,
    Sweep,
    TopUp,
    UpdatePrice,
    Validate,
)

_ZERO = Decimal(0)
_NONE: frozenset[str] = frozenset()
_SETTLED = ("completed", "refunded")


class Part(NamedTuple):
    """A part of the market, by ids."""

    workspaces: frozenset[str] = _NONE
    leads: frozenset[str] = _NONE
    purchases: frozenset[str] = _NONE
    top_ups: frozenset[str] = _NONE
    events: frozenset[str] = _NONE

    def __or__(self, other: Part) -> Part:
        return Part(*(mine | others for mine, others in zip(self, other, strict=True)))

    def ids(self) -> Iterable[str]:
        """All of them. No two things of a marketplace share an id."""
        return self.workspaces | self.leads | self.purchases | self.top_ups | self.events


class Entry(NamedTuple):
    """A line of the ledger."""

    workspace: str
    kind: str
    amount: Decimal
    purchase: str
    top_up: str


class Change:
    """What the rows of one commit changed: everything as it was before, None for what was not there."""

    __slots__ = ("balances", "entries", "events", "keys", "leads", "purchases", "top_ups", "totals")

    def __init__(self) -> None:
        self.balances: dict[str, Decimal | None] = {}
        self.leads: dict[str, Lead | None] = {}
        self.purchases: dict[str, Purchase | None] = {}
        self.top_ups: dict[str, TopUpRow | None] = {}
        self.events: dict[str, bool] = {}
        """Whether they had been claimed before."""
        self.keys: dict[str, str] = {}
        """To the purchase for which they stood before, empty for none."""
        self.entries: list[Entry] = []
        self.totals: dict[str, Decimal] = {}
        """Purchase to the total that its row states."""

    def ids(self) -> Iterable[str]:
        """Of all that was changed, but for the keys."""
        return chain(self.balances, self.leads, self.purchases, self.top_ups, self.events)


class Books:
    """``words`` are the kinds of rows that the subject has (``rows.TABLES``). Times are seconds since 1970."""

    def __init__(self, words: frozenset[str]) -> None:
        self.balances: dict[str, Decimal] = {}
        self.leads: dict[str, Lead] = {}
        self.purchases: dict[str, Purchase] = {}
        self.top_ups: dict[str, TopUpRow] = {}
        self.events: set[str] = set()
        self._keys: dict[int, str] = {}
        self._alike: dict[tuple[str, str, str, str], Lead] = {}
        self.ledger: dict[str, Decimal] = {}
        """Workspace to the sum of its entries."""
        self.has_ledger = "entry" in words
        self._reserving = "reservation" in words
        self._holders: dict[str, set[str]] = {}
        """Lead to the purchases that hold it."""
        self._held: dict[str, tuple[str, ...]] = {}
        """Purchase to the leads that it holds."""
        self._expiry: dict[str, float] = {}
        """Purchase to the end of its reservations."""
        self._prices: dict[str, Decimal] = {}
        self._words: dict[str, str] = {}
        """One object for all copies: prices, words and workspaces are few, and there are millions of them."""

    def market(self, part: Part, now: float) -> Market:
        """The part as it is now. Leads come in the order of their ids, as they do in the database."""
        leads = self.leads
        purchases = part.purchases
        for lead in part.leads & self._holders.keys():
            purchases = purchases | self._holders[lead]
        return Market(
            Table({name: self.balances[name] for name in part.workspaces if name in self.balances}),
            Table({name: leads[name] for name in sorted(part.leads) if name in leads}),
            Table({name: self._shown(name, now) for name in purchases if name in self.purchases}),
            Table({name: self.top_ups[name] for name in part.top_ups if name in self.top_ups}),
            part.events & self.events,
            self._reserving,
        )

    def part(self, operation: Operation) -> Part:
        """All that the model looks at for this operation, and all that it may change."""
        match operation:
            case Buy(workspace, leads, name) | Checkout(workspace, leads, name) | Request(workspace, leads, name):
                return Part(frozenset((workspace,)), frozenset(leads), frozenset((name,)))
            case Validate(workspace, some):
                return Part(frozenset((workspace,)), frozenset(some or ()))
            case CompleteCredit(name) | CompleteStripe(name) | Refund(name):
                return self.about(name)
            case Read(workspace, name):
                return self.about(name) | Part(frozenset((workspace,)))
            case Deliver(event, _, name):
                return self.about(name)._replace(events=frozenset((event,)))
            case TopUp(name) | Read(_, name):
                return self.about(name)
            case BuyCredits(workspace, _, name):
                return Part(frozenset((workspace,)), top_ups=frozenset((name,)))
            case MarkSold(some):
                return Part(leads=frozenset(some or ()))
            case UpdatePrice(lead):
                return Part(leads=frozenset((lead,)))
            case Sweep():
                return Part()

    def put(self, rows: Iterable[Row]) -> Change:
        """Write the rows of a commit."""
        change, purchases, items = Change(), dict[str, Row](), dict[str, list[tuple[str, Decimal]]]()
        for row in rows:
            word, name = row[0], row[2]
            if word == "lead":
                change.leads.setdefault(name, self.leads.get(name))
                self._put_lead(row)
            elif word == "purchase":
                change.purchases.setdefault(name, self.purchases.get(name))
                purchases[name] = row
            elif word == "item":
                change.purchases.setdefault(name, self.purchases.get(name))
                items.setdefault(name, []).append((row[3], self.price(row[4] or "0")))
            elif word == "balance":
                change.balances.setdefault(name, self.balances.get(name))
                if row[1] == "D":
                    self.balances.pop(name, None)
                else:
                    self.balances[name] = Decimal(row[3])
            elif word == "entry":
                self._put_entry(row, change)
            elif word == "key":
                key = identity_of_key(name, row[4])
                change.keys[key] = self.key(key) or ""
            elif word == "event":
                change.events.setdefault(name, name in self.events)
                if row[1] == "D":
                    self.events.discard(name)
                else:
                    self.events.add(name)
            elif word == "reservation":
                change.purchases.setdefault(name, self.purchases.get(name))
                change.leads.setdefault(row[3], self.leads.get(row[3]))
                self._put_reservation(row)
            elif word == "top_up":
                change.top_ups.setdefault(name, self.top_ups.get(name))
                self._put_top_up(row)
        for name, before in change.purchases.items():
            self._put_purchase(name, before, purchases.get(name), items.get(name), change)
        for key in change.keys:
            if not self.key(key):
                self.put_key(key, next(iter((*change.purchases, *change.top_ups)), ""))
        return change

    def _put_lead(self, row: Row) -> None:
        _, kind, name, seller, price, status, sold_count = row
        if kind == "D":
            self.leads.pop(name, None)
        else:
            self.leads[name] = self.lead(price, seller, status, sold_count)

    def _put_entry(self, row: Row, change: Change) -> None:
        _, _, workspace, kind, amount, purchase, top_up = row
        entry = Entry(workspace, kind, self.price(amount), purchase, top_up)
        change.entries.append(entry)
        change.balances.setdefault(workspace, self.balances.get(workspace))
        self.ledger[workspace] = self.ledger.get(workspace, _ZERO) + entry.amount
        if purchase:
            change.purchases.setdefault(purchase, self.purchases.get(purchase))

    def _put_top_up(self, row: Row) -> None:
        _, kind, name, workspace, amount, status, balance_after = row
        if kind == "D":
            self.top_ups.pop(name, None)
        else:
            words = self._words
            workspace, status = words.setdefault(workspace, workspace), words.setdefault(status, status)
            balance = Decimal(balance_after) if balance_after else None
            self.top_ups[name] = TopUpRow(workspace, self.price(amount), status, balance)

    def _put_reservation(self, row: Row) -> None:
        _, kind, purchase, lead, expires_at = row
        if kind == "D":
            left = tuple(each for each in self._held.pop(purchase, ()) if each != lead)
            self._holders.get(lead, set()).discard(purchase)
            if not self._holders.get(lead):
                self._holders.pop(lead, None)
            if left:
                self._held[purchase] = left
            else:
                self._expiry.pop(purchase, None)
        else:
            self._holders.setdefault(lead, set()).add(purchase)
            self._held[purchase] = tuple(sorted({*self._held.get(purchase, ()), lead}))
            self._expiry[purchase] = inf if expires_at == "infinity" else datetime.fromisoformat(expires_at).timestamp()

    def _put_purchase(
        self,
        name: str,
        before: Purchase | None,
        row: Row | None,
        items: list[tuple[str, Decimal]] | None,
        change: Change,
    ) -> None:
        """A purchase from its row, its items and its charges, as far as the commit wrote them."""
        if row is not None and row[1] == "D":
            self.purchases.pop(name, None)
            return
        if before is not None:
            workspace, method, status = before.workspace, before.method, before.status
            held, charged, balance_after = before.items, before.charged, before.balance_after
        elif row is not None:
            workspace, method = self._words.setdefault(row[3], row[3]), self._words.setdefault(row[4], row[4])
            status, held, charged, balance_after = "pending", (), _ZERO, None
        else:
            return
        if items:
            held = tuple(sorted((*held, *items)))
        if row is not None:
            status = self._words.setdefault(row[5], row[5])
            change.totals[name] = self.price(row[6])
            if row[7]:
                # The balance is the same amount, and one object is enough.
                balance = self.balances.get(workspace)
                balance_after = balance if balance is not None and str(balance) == row[7] else Decimal(row[7])
        for entry in change.entries:
            if entry.purchase == name and entry.kind == "purchase":
                charged -= entry.amount
        if not self.has_ledger and method == "credits" and status in _SETTLED:
            # A subject that notes neither: what it should be, and what the balance was when it was completed.
            charged = sum((price for _, price in held), _ZERO)
            balance_after = self.balances.get(workspace) if balance_after is None else balance_after
        self.purchases[name] = Purchase(workspace, held, method, status, None, charged, balance_after)

    def _shown(self, name: str, now: float) -> Purchase:
        purchase = self.purchases[name]
        expiry = self._expiry.get(name)
        if expiry is None:
            return purchase
        return replace(purchase, reserved="held" if expiry > now else "expired")

    def about(self, name: str) -> Part:
        """A purchase, or one of credits, with all that it is about."""
        purchase = self.purchases.get(name)
        if purchase is not None:
            return Part(frozenset((purchase.workspace,)), frozenset(purchase.leads), frozenset((name,)))
        top_up = self.top_ups.get(name)
        if top_up is not None:
            return Part(frozenset((top_up.workspace,)), top_ups=frozenset((name,)))
        return Part(purchases=frozenset((name,)))

    def lead(self, price: str, seller: str, status: str, sold_count: str) -> Lead:
        """A lead as a row has it. Most are like others: one object stands for all that are alike."""
        alike = (price, seller, status, sold_count)
        known = self._alike.get(alike)
        if known is None:
            known = self._alike[alike] = Lead(
                self.price(price) if price else None, seller, status, int(sold_count or 0)
            )
        return known

    def key(self, identity: str) -> str | None:
        """The purchase that the request with this idempotency key made, empty for none; None for a key not seen."""
        return self._keys.get(hash(identity))

    def put_key(self, identity: str, purchase: str) -> None:
        """The key stands for this purchase. Kept by 64 bits of a keyed hash: there are as many keys as purchases."""
        self._keys[hash(identity)] = purchase

    def holders(self, lead: str) -> Collection[str]:
        """The purchases that have reserved it, at any time."""
        return self._holders.get(lead, _NONE)

    def held_by(self, purchase: str) -> Collection[str]:
        """The leads that it has reserved, in order."""
        return self._held.get(purchase, ())

    def release(self, purchase: str) -> None:
        """Its reservations are gone."""
        for lead in self._held.pop(purchase, ()):
            self._holders[lead].discard(purchase)
            if not self._holders[lead]:
                del self._holders[lead]
        self._expiry.pop(purchase, None)

    def same(self, text: str) -> str:
        """One object for all copies of a word or an id that returns."""
        return self._words.setdefault(text, text)

    def price(self, text: str) -> Decimal:
        """An amount of which there are few, read once."""
        known = self._prices.get(text)
        if known is None:
            known = self._prices[text] = Decimal(text or "NaN")
        return known

    def _same(self, text: str) -> str:
        return self._words.setdefault(text, text)
