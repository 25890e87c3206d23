"""The published functions where clients wait for each other: defects 9 and 10 of docs/published.md.

Who holds what is decided by transactions that the tests keep open, so each of these races has one outcome.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal

import psycopg
import pytest
from psycopg.rows import DictRow

from harness.db.any_server import AnyServer
from harness.marketplace.operations import CompleteCredit, CompleteStripe, Operation, UpdatePrice, Validate
from harness.marketplace.start import LeadStart, PurchaseStart, Start

from .market import Answer, Market, connect, installed

TEN = Decimal(10)
PATIENCE_S = 60.0
"""How long a session may take to run into a lock before the test gives up."""


@dataclass
class Waiter:
    """A client in the middle of an operation."""

    answer: Future[Answer]
    pid: int
    market: Market

    def blocked(self) -> None:
        """Until it waits for a lock. A lock that was given to it is none that it waits for, even if it still sleeps."""
        deadline = time.monotonic() + PATIENCE_S
        asked = "SELECT cardinality(pg_blocking_pids(%s)) > 0 AS blocked"
        while not self.market.owner.execute(asked, [self.pid]).fetchall()[0]["blocked"]:
            assert not self.answer.done(), self.answer
            assert time.monotonic() < deadline, "the session never waited"
            time.sleep(0.002)

    def deadlocked(self) -> bool:
        """Whether the server broke it off. Any other error is raised."""
        error = self.answer.exception()
        if error is None or isinstance(error, psycopg.errors.DeadlockDetected):
            return error is not None
        raise error


class Clients:
    """Clients with connections and threads of their own."""

    def __init__(self, market: Market, dsn: str, exits: ExitStack) -> None:
        self.market = market
        self._dsn = dsn
        self._exits = exits
        self._pool = exits.enter_context(ThreadPoolExecutor(4))

    def connect(self) -> psycopg.Connection[DictRow]:
        return self._exits.enter_context(connect(self.market.subject, self._dsn))

    @contextmanager
    def holding(self, lead: str) -> Iterator[None]:
        """A transaction of somebody who buys nothing has the lead locked until the end of the block.

        Locked and not updated: whoever waits first gets the row first only where no new version of it appears.
        """
        other = self.connect()
        with other.transaction():
            other.execute("SELECT FROM leads WHERE id = %s FOR UPDATE", [self.market.id("lead", lead)])
            yield

    def start(self, operation: Operation) -> Waiter:
        """Begin an operation; it waits for a lock when this returns."""
        client = self.connect()
        answer = self._pool.submit(replace(self.market, client=client).perform, operation)
        waiter = Waiter(answer, client.info.backend_pid, self.market)
        waiter.blocked()
        return waiter


@pytest.fixture(scope="module")
def market(server: AnyServer, module_database: str) -> Iterator[Market]:
    with installed("published", server, module_database) as market:
        yield market


@pytest.fixture
def clients(market: Market, module_database: str) -> Iterator[Clients]:
    with ExitStack() as exits:
        yield Clients(market, module_database, exits)


def two_purchases(first: PurchaseStart, second: PurchaseStart) -> Start:
    leads = {"L1": LeadStart(TEN), "L2": LeadStart(TEN)}
    return Start({"A": Decimal(50), "B": Decimal(50)}, leads, {"p": first, "q": second})


def test_9_overlapping_leads_in_opposite_order(market: Market, clients: Clients) -> None:
    market.fill(two_purchases(PurchaseStart("A", ("L1", "L2")), PurchaseStart("B", ("L2", "L1"))))
    with clients.holding("L2"):
        with clients.holding("L1"):
            alice = clients.start(CompleteCredit("p", "A", Decimal(20)))
            bob = clients.start(CompleteCredit("q", "B", Decimal(20)))
        # Alice gets L1 and goes on to L2, for which Bob stands before her.
        alice.blocked()
    assert alice.deadlocked() != bob.deadlocked()


def test_9_the_credit_path_and_the_stripe_path(market: Market, clients: Clients) -> None:
    stripe = PurchaseStart("A", ("L1",), method="stripe")
    market.fill(two_purchases(stripe, PurchaseStart("B", ("L2",))))
    # The credit path gets the lead and wants the purchase; the Stripe path has the purchase and wants the lead.
    with clients.holding("L1"):
        credit, webhook = clients.start(CompleteCredit("p", "A", TEN)), clients.start(CompleteStripe("p"))
    assert credit.deadlocked() != webhook.deadlocked()


def test_10_a_completion_that_waits_stalls_its_workspace(market: Market, clients: Clients) -> None:
    market.fill(two_purchases(PurchaseStart("A", ("L1",)), PurchaseStart("A", ("L2",))))
    with clients.holding("L1"):
        first, unrelated = (clients.start(CompleteCredit(name, "A", TEN)) for name in ("p", "q"))
        assert market.sold_count("L2") == 0
    assert (first.answer.result()["balance"], unrelated.answer.result()["balance"]) == (40, 30)


def test_10_a_price_update_looks_like_a_sale(market: Market, clients: Clients) -> None:
    market.fill(Start({"A": Decimal(50)}, {"L1": LeadStart(TEN)}))
    update = replace(market, client=clients.connect()).steps(UpdatePrice("L1", Decimal(12)))
    next(update), next(update)  # all but the COMMIT
    with pytest.raises(psycopg.errors.RaiseException, match="no longer available"):
        market.perform(Validate("A", ("L1",)))
    assert list(update) == [None]
    assert len(market.perform(Validate("A", ("L1",)))["lead_ids"]) == 1


def test_10_so_does_somebody_who_puts_the_lead_into_a_purchase(market: Market, clients: Clients) -> None:
    market.fill(Start({"A": Decimal(50)}, {"L1": LeadStart(TEN)}, {"p": PurchaseStart("A", ())}))
    other = clients.connect()
    with other.transaction():
        insert = "INSERT INTO marketplace_purchase_items (purchase_id, lead_id) VALUES (%s, %s)"
        other.execute(insert, [market.id("purchase", "p"), market.id("lead", "L1")])
        with pytest.raises(psycopg.errors.RaiseException, match="no longer available"):
            market.perform(Validate("B", ("L1",)))
