"""What is called, and with what: for each operation of both subjects the same calls in the same order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.compare.stock import PRICE, TOP_UP, WORKSPACES, Lot, Stock
from harness.marketplace.names import Id
from harness.marketplace.subject import Subject

CALLS = 8
"""In a batch: what one side does at a stretch before it is the other's turn. Fewer where a call takes long, for many
short rounds tell more than few long ones."""
ROUNDS_MAX = 600
"""For so many rounds there are leads and purchases in stock."""
LEADS = 50_000

BURSTS = 16
"""Calls of an operation after its rounds, each by all sessions of a side at one moment."""
SPARE = 20 + BURSTS
"""Calls of an operation before and after its rounds."""

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Need:
    """What an operation of ``[calls]`` finds in stock (see ``Lot``), and what it is asked for.

    ``asks`` makes the parameters from the stock, the number of a row in the operation's lot, and its buyer.
    """

    asks: Callable[[Stock, int, Id], Values]
    rows: str = ""
    method: str = ""
    status: str = "pending"
    without: tuple[str, ...] = ()
    """Words of ``subject.WITHOUT``: a subject without one of these has no such rows."""
    consumes: bool = True
    calls: int = CALLS
    before: int = 0
    """Calls that belong to the stock: they fill the tables that only calls write. Of a table that was empty when its
    plans were made, every call would read all that the calls before it wrote."""


def _lead(stock: Stock, number: int) -> list[Id]:
    return [stock.id("lead", number)]


NEEDS: Mapping[str, Need] = {
    "validate": Need(
        lambda stock, number, buyer: {
            "workspace": buyer, "leads": [stock.id("lead", number + each) for each in range(3)],
        },
        rows="leads", consumes=False,
    ),
    "complete_credit": Need(
        lambda stock, number, buyer: {"workspace": buyer, "purchase": stock.id("purchase", number), "amount": PRICE},
        rows="purchases", method="credits", calls=6,
    ),
    "complete_stripe": Need(
        lambda stock, number, _: {"purchase": stock.id("purchase", number)},
        rows="purchases", method="stripe", without=("stripe",), calls=6,
    ),
    "mark_sold": Need(lambda stock, number, _: {"leads": _lead(stock, number)}, rows="leads"),
    "top_up": Need(lambda stock, number, _: {"top_up": stock.id("top_up", number)}, rows="top_ups"),
    "buy": Need(
        lambda stock, number, buyer: {
            "workspace": buyer, "leads": _lead(stock, number), "purchase": stock.made("purchase", number),
        },
        rows="leads", calls=3,
    ),
    "checkout": Need(
        lambda stock, number, buyer: {
            "workspace": buyer, "leads": _lead(stock, number), "purchase": stock.made("purchase", number),
        },
        rows="leads", without=("stripe",), calls=4,
    ),
    "request": Need(
        lambda stock, number, buyer: {
            "workspace": buyer, "leads": _lead(stock, number), "purchase": stock.made("purchase", number),
            "key": str(stock.made("key", number)), "method": "credits",
        },
        rows="leads", calls=3,
    ),
    "buy_credits": Need(
        lambda stock, number, buyer: {
            "workspace": buyer, "amount": TOP_UP, "top_up": stock.made("top_up", number),
            "key": str(stock.made("key", number)),
        },
        before=600,
    ),
    "read": Need(
        lambda stock, number, buyer: {"workspace": buyer, "purchase": stock.id("purchase", number)},
        rows="purchases", method="credits", status="completed", without=("completed",), consumes=False,
    ),
    "deliver": Need(
        lambda stock, number, _: {
            "event": f"evt_{number}", "kind": "checkout.session.completed", "purchase": stock.id("purchase", number),
        },
        rows="purchases", method="stripe", without=("stripe",), calls=5,
    ),
    "refund": Need(
        lambda stock, number, _: {"purchase": stock.id("purchase", number)},
        rows="purchases", method="credits", status="completed", without=("completed",),
    ),
    "sweep": Need(lambda _stock, _number, _buyer: {}, consumes=False, calls=1),
}  # fmt: skip
"""Every operation that calls a function. A change of price is a statement of the client's own."""

REUSED = 600
"""Rows of an operation that consumes none: its calls take them in turn."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``operations`` in the order of the report; every call of one follows from its number."""

    stock: Stock
    operations: tuple[str, ...]
    rounds: int = ROUNDS_MAX

    @property
    def seed(self) -> int:
        """Decides the order of the rounds, too."""
        return self.stock.seed

    def ask(self, operation: str, number: int) -> Values:
        """The parameters of the call of this number, from 0: the same on every side."""
        lot = next(lot for lot in self.stock.lots if lot.operation == operation)
        need = NEEDS[operation]
        row = lot.first + number % (lot.size - 2)
        return need.asks(self.stock, row, self.stock.id("workspace", row % WORKSPACES))

    def calls(self, operation: str) -> int:
        """How many a batch has."""
        return NEEDS[operation].calls

    def batches(self, operation: str) -> int:
        """How many batches its lot is enough for."""
        return self.rounds if NEEDS[operation].consumes else 100 * self.rounds


def plan_for(
    subjects: Sequence[Subject],
    seed: int,
    *,
    leads: int = LEADS,
    only: Sequence[str] = (),
    rounds: int = ROUNDS_MAX,
    spare: int = SPARE,
) -> Plan:
    """What all of these subjects can be asked for, in so many rounds at most, with so many calls to ``spare``."""
    # What is in the tables is the same whichever operations are measured.
    able = [name for name in NEEDS if all(_can(subject, name) for subject in subjects)]
    chosen = [name for name in able if not only or name in only]
    lots, at = [], 0
    for name in sorted(able, key=lambda name: NEEDS[name].rows in ("", "top_ups")):
        need = NEEDS[name]
        size = need.before + need.calls * rounds + spare if need.consumes else REUSED
        if need.rows in ("", "top_ups"):
            at = max(at, leads)
        lots.append(Lot(name, at, size, need.rows, need.method, need.status))
        at += size
    with_leads = max((lot.end for lot in lots if lot.rows in ("leads", "purchases")), default=1)
    return Plan(Stock(seed, subjects[0].ids, max(leads, with_leads), tuple(lots)), tuple(chosen), rounds)


def _can(subject: Subject, name: str) -> bool:
    need = NEEDS[name]
    has_rows = need.rows != "top_ups" or "top_up" in subject.fixtures
    return name in subject.calls and has_rows and not set(need.without) & set(subject.without)
