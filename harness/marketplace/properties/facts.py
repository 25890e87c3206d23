"""A history with what follows from it: who asked for which leads, what they cost, what changed.

The properties share these facts, so that a term such as "its total" means one thing in all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import product

from harness.marketplace.operations import (
    Buy,
    Checkout,
    CompleteCredit,
    CompleteStripe,
    Deliver,
    MarkSold,
    Purchasing,
    Read,
    Refund,
    Request,
    TopUp,
    UpdatePrice,
    Validate,
    method_of,
)
from harness.marketplace.start import LeadState, Start, State
from harness.words.history import Call, History, Status

PAID = "checkout.session.completed"
CAPTURED = (PAID, "checkout.session.async_payment_succeeded")
"""The events that say that money came."""
EXPIRED = "checkout.session.expired"
REFUNDED = "charge.refunded"

POSSIBLE = (Status.OK, Status.UNKNOWN)
"""The answers after which an operation may have had its effect."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A purchase that exists from the start or that an operation asked for.

    ``totals`` are the sums that it may rightly cost: more than one when a price changed while it was being made.
    """

    workspace: str
    leads: tuple[str, ...]
    method: str
    totals: frozenset[Decimal]


def brief(operation: object) -> str:
    """An operation in one short phrase for people: ``Buy A L1+L2 p``."""

    def word(value: object) -> str:
        if isinstance(value, tuple):
            return "+".join(map(str, value)) or "nothing"
        return "NULL" if value is None else str(value)

    values = (getattr(operation, name) for name in getattr(operation, "__match_args__", ()))
    return " ".join([type(operation).__name__, *map(word, values)])


class Facts:
    """Derived once a history, on demand."""

    def __init__(self, history: History) -> None:
        self.calls: Sequence[Call] = history.calls
        self.start: Start = history.start
        self.final: State = history.final
        self.events = history.events
        self.leaks = history.leaks
        self._attempts: dict[tuple[type, ...], list[Call]] = {}

    @cached_property
    def claims(self) -> dict[str, Claim]:
        found = {
            name: Claim(row.workspace, row.leads, row.method, frozenset({self._cost_at_start(row.leads)}))
            for name, row in self.start.purchases.items()
        }
        for call in self.calls:
            operation = call.operation
            if isinstance(operation, Purchasing):
                totals = self._costs_during(call, operation.leads)
                found[operation.purchase] = Claim(operation.workspace, operation.leads, method_of(operation), totals)
        return found

    @cached_property
    def status(self) -> dict[str, str]:
        """Purchase to its final status; a purchase that was never made is not in it."""
        return dict(self.final.purchases)

    @cached_property
    def started(self) -> dict[str, str]:
        return {name: row.status for name, row in self.start.purchases.items()}

    @cached_property
    def leads(self) -> dict[str, LeadState]:
        return dict(self.final.leads)

    @cached_property
    def items(self) -> dict[str, tuple[str, ...]]:
        """Purchase to its leads: as read back, else as asked for."""
        asked = {name: claim.leads for name, claim in self.claims.items()}
        return asked | {name: leads for name, leads in self.final.items if leads}

    @cached_property
    def balances(self) -> dict[str, Decimal]:
        return dict(self.final.balances)

    @cached_property
    def completed(self) -> tuple[str, ...]:
        """The purchases that are completed in the end, in order of name."""
        return tuple(sorted(name for name, status in self.status.items() if status == "completed"))

    @cached_property
    def topped_up(self) -> frozenset[str]:
        """The top-ups that are completed in the end: as read back, else as acknowledged."""
        if self.final.top_ups is not None:
            return frozenset(name for name, status in self.final.top_ups if status == "completed")
        return frozenset(name for name, call in self._payments_of_top_ups if call.result.status is Status.OK)

    @cached_property
    def _payments_of_top_ups(self) -> list[tuple[str, Call]]:
        """Top-up and operation that said it was paid."""
        told = [(call.operation.top_up, call) for call in self.attempts(TopUp)]
        events = [(call.operation.purchase, call) for call in self.attempts(Deliver) if call.operation.kind in CAPTURED]
        return told + [(name, call) for name, call in events if name in self.start.top_ups]

    @cached_property
    def accounted(self) -> tuple[str, ...]:
        """The workspaces of which everything that came in is known, in order of name.

        It is not, where a top-up may or may not have arrived and there is no probe to tell.
        """
        doubtful = {
            self.start.top_ups[name].workspace
            for name, call in self._payments_of_top_ups
            if self.final.top_ups is None and call.result.status is Status.UNKNOWN
        }
        return tuple(sorted(self.start.workspaces.keys() & self.balances.keys() - doubtful))

    def bought(self, workspace: str) -> list[Claim]:
        """The credit purchases of a workspace that were completed between the start and the end."""
        return [
            claim
            for name, claim in sorted(self.claims.items())
            if claim.workspace == workspace
            and claim.method == "credits"
            and self.status.get(name) == "completed"
            and self.started.get(name) != "completed"
        ]

    def returned(self, workspace: str) -> Decimal:
        """What went back to a workspace for purchases that were charged before the start and refunded since."""
        return sum(
            (
                min(claim.totals)
                for name, claim in self.claims.items()
                if claim.workspace == workspace
                and claim.method == "credits"
                and self.started.get(name) == "completed"
                and self.status.get(name) == "refunded"
            ),
            Decimal(0),
        )

    def taken(self, workspace: str) -> Decimal:
        """What left a workspace's balance for purchases: opening, plus what came in, minus what is there now."""
        credited = sum(
            (
                row.amount
                for name, row in self.start.top_ups.items()
                if name in self.topped_up and row.workspace == workspace
            ),
            self.returned(workspace),
        )
        return self.start.workspaces[workspace] + credited - self.balances[workspace]

    def attempts(self, *kinds: type) -> list[Call]:
        if kinds not in self._attempts:
            self._attempts[kinds] = [call for call in self.calls if isinstance(call.operation, kinds)]
        return self._attempts[kinds]

    @cached_property
    def made(self) -> frozenset[str]:
        """The purchases that there were at some time: from the start, or made by an operation.

        One whose client never learned of it was made if it is there, or if anybody was told anything about it.
        """
        acknowledged = {
            call.result.get("purchase", call.operation.purchase)
            for call in self.calls
            if call.result.status is Status.OK and hasattr(call.operation, "purchase")
        }
        makers = self.attempts(Buy, Checkout, Request)
        asked = {call.operation.purchase for call in makers if call.result.status in POSSIBLE}
        return frozenset(self.started) | asked & (acknowledged | self.status.keys())

    @cached_property
    def payments(self) -> dict[str, list[Call]]:
        """Stripe purchase to the operations that said it was paid."""
        found: dict[str, list[Call]] = {}
        for call in self.attempts(Deliver, CompleteStripe):
            operation = call.operation
            if isinstance(operation, Deliver) and operation.kind != PAID:
                continue
            claim = self.claims.get(operation.purchase)
            if claim is not None and claim.method == "stripe":
                found.setdefault(operation.purchase, []).append(call)
        return found

    @cached_property
    def refunds(self) -> dict[str, list[Call]]:
        """Purchase to the operations that asked for its refund."""
        found: dict[str, list[Call]] = {}
        for call in self.attempts(Deliver, Refund):
            operation = call.operation
            if isinstance(operation, Refund) or operation.kind == REFUNDED:
                found.setdefault(operation.purchase, []).append(call)
        return found

    def marked(self, lead: str) -> int:
        """How many bulk markings may rightly have sold this lead."""
        return sum(
            call.result.status in POSSIBLE and lead in (call.operation.leads or ()) for call in self.attempts(MarkSold)
        )

    def leads_of(self, call: Call) -> tuple[str, ...]:
        """The leads that an operation is about."""
        match call.operation:
            case Validate(_, leads) | MarkSold(leads):
                return leads or ()
            case Buy(_, leads, _) | Checkout(_, leads, _) | Request(_, leads, _, _, _):
                return leads
            case UpdatePrice(lead, _):
                return (lead,)
            case (
                CompleteCredit(purchase)
                | CompleteStripe(purchase)
                | Refund(purchase)
                | Deliver(_, _, purchase)
                | Read(_, purchase)
            ):
                return self.claims[purchase].leads if purchase in self.claims else ()
        return ()

    def sums(self, claims: Iterable[Claim]) -> set[Decimal]:
        """Every sum that these purchases may rightly have cost together."""
        reached = {Decimal(0)}
        for claim in claims:
            reached = {so_far + total for so_far in reached for total in claim.totals}
        return reached

    def _cost_at_start(self, leads: Iterable[str]) -> Decimal:
        return sum((self.start.leads[lead].price or Decimal(0) for lead in leads), Decimal(0))

    def _costs_during(self, call: Call, leads: tuple[str, ...]) -> frozenset[Decimal]:
        """The totals that an operation may have seen, each lead at its opening price or at one set meanwhile."""
        prices = {
            lead: {self.start.leads[lead].price or Decimal(0)} if lead in self.start.leads else {Decimal(0)}
            for lead in leads
        }
        for other in self.attempts(UpdatePrice):
            update = other.operation
            if update.lead in prices and not call.precedes(other):
                prices[update.lead].add(update.price)
        return frozenset(sum(combination, Decimal(0)) for combination in product(*prices.values()))
