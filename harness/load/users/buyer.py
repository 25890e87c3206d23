"""What a buyer does, by whatever way its requests go."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

from locust.env import Environment

from harness.load.stock import TOP_UP
from harness.load.users.event import PAID, Event
from harness.load.users.process import Process
from harness.load.users.shelf import Shelf
from harness.load.users.told import Told
from harness.load.users.visitor import Visitor


class Buyer(Visitor):
    """``workspace`` is the number of the one it acts for; many buyers act for one where there are more buyers."""

    abstract = True
    _shelves: dict[Process, Shelf] = {}  # noqa: RUF012  one for each process, whatever the class

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        # The last workspace has no credits.
        self.workspace = self.number % max(1, self.stock.workspaces - 1)

    @property
    def poor(self) -> int:
        """A workspace that can pay for nothing."""
        return self.stock.workspaces - 1

    @property
    def shelf(self) -> Shelf:
        """Of this process."""
        found = self._shelves.get(self.process)
        if found is None:
            found = self._shelves[self.process] = Shelf(self.process)
        return found

    @staticmethod
    def new_key() -> str:
        """An idempotency key: every request that changes something has one, so that it can be asked again."""
        return str(uuid4())

    def buy(self, leads: Sequence[int], workspace: int | None = None) -> Told:
        """Buy these leads of the stock with credits."""
        return self._purchase("buy", leads, self.workspace if workspace is None else workspace)

    def checkout(self, leads: Sequence[int]) -> Told:
        """Make a purchase of these leads that Stripe is to be paid for."""
        return self._purchase("checkout", leads, self.workspace)

    def _purchase(self, operation: str, leads: Sequence[int], workspace: int) -> Told:
        ids = [self.stock.id("lead", lead) for lead in leads]
        key = self.new_key()
        return self.ask(
            self.purchase_request(operation, workspace, ids, key),
            operation,
            workspace=self.stock.id("workspace", workspace),
            leads=tuple(ids),
            key=key,
        )

    def read(self, purchase: str) -> Told:
        """Look at a purchase of this buyer's workspace."""
        return self.ask(
            self.read_request(self.workspace, purchase),
            "read",
            workspace=self.stock.id("workspace", self.workspace),
            purchase=purchase,
        )

    def deliver(self, event: Event, copy: int = 0) -> Told:
        """Deliver a webhook, as Stripe does, until it is acknowledged. Copies at the same moment are numbered."""
        return self.ask(
            self.delivery(event),
            "deliver",
            copy,
            event=event.id,
            kind=event.kind,
            purchase=event.purchase,
        )

    def storm(self, event: Event, copies: int) -> None:
        """So many deliveries of one event at the same moment."""
        self.together(*[lambda copy=copy: self.deliver(event, copy) for copy in range(1, copies + 1)])

    def waiting_checkout(self, number: int) -> Event:
        """The event that pays a Stripe purchase of the stock."""
        cents = int(self.stock.price(self.stock.lead_of_checkout(number)) * 100)
        return Event(PAID, "purchase", self.stock.id("checkout", number), cents)

    def waiting_top_up(self, number: int) -> Event:
        """The event that pays a top-up of the stock."""
        return Event(PAID, "credit_purchase", self.stock.id("top-up", number), int(TOP_UP * 100))

    @staticmethod
    def payment_of(told: Told) -> Event:
        """The event that pays what ``checkout`` has made."""
        answer = told.answer or {}
        return Event(PAID, "purchase", answer["purchase"], int(Decimal(answer["total"]) * 100))

    @abstractmethod
    def purchase_request(self, operation: str, workspace: int, leads: Sequence[str], key: str) -> Any:
        """What ``send`` takes for a purchase."""

    @abstractmethod
    def read_request(self, workspace: int, purchase: str) -> Any:
        """What ``send`` takes to look at a purchase."""

    @abstractmethod
    def delivery(self, event: Event) -> Any:
        """What ``send`` takes for one delivery of a webhook."""
