"""Whole lives of a marketplace: whatever its clients may do, in any order, alone and at once.

The rules say what can be asked for; what must be answered is said by the sequential model
(harness/marketplace/model.py), and what must hold after every step by the properties (harness/marketplace/properties/).
Hypothesis makes up the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, initialize, multiple, precondition, rule

from harness.interleave.drawing import schedules
from harness.marketplace.names import NOWHERE
from harness.marketplace.operations import (
    Buy,
    Checkout,
    CompleteCredit,
    CompleteStripe,
    Deliver,
    MarkSold,
    Operation,
    Refund,
    Sweep,
    TopUp,
    UpdatePrice,
    Validate,
)
from harness.marketplace.start import LeadStart, PurchaseStart, TopUpStart
from harness.stateful.machine import LifeMachine
from harness.words.fault import CANCEL, CUT_AFTER_SEND, CUT_BEFORE_SEND, TERMINATE, Fault, error
from harness.words.schedule import Schedule

PAID, EXPIRED, REFUNDED = "checkout.session.completed", "checkout.session.expired", "charge.refunded"
UNNAMED = ""
"""Of a purchase that is about to be made: it gets its name when it is asked for."""

MONEY = st.sampled_from([Decimal(amount) for amount in ("0", "10", "20", "50", "0.05", "1000")])
PRICES = st.sampled_from([Decimal(10), Decimal(20), Decimal("0.05"), Decimal("9.99")])
AMOUNTS = PRICES | st.sampled_from([Decimal(30), Decimal(0), Decimal(-10)])


class Marketplace(LifeMachine):
    """One marketplace, from its opening on."""

    workspaces = Bundle[str]("workspaces")
    leads = Bundle[str]("leads")
    purchases = Bundle[str]("purchases")
    top_ups = Bundle[str]("top_ups")
    events = Bundle[Deliver]("events")

    # -- what there is ----------------------------------------------------------------------------------------

    @initialize(target=workspaces, balances=st.tuples(MONEY, MONEY))
    def open_two_workspaces(self, balances: Sequence[Decimal]) -> MultipleResults[str]:
        return multiple(*map(self.opened, balances))

    @initialize(target=leads, prices=st.tuples(PRICES, PRICES))
    def list_two_leads(self, prices: Sequence[Decimal]) -> MultipleResults[str]:
        return multiple(*(self.listed(LeadStart(price)) for price in prices))

    @precondition(lambda self: self.left("WORKSPACES"))
    @rule(target=workspaces, balance=MONEY)
    def open_workspace(self, balance: Decimal) -> str:
        return self.opened(balance)

    @precondition(lambda self: self.left("LEADS"))
    @rule(target=leads, price=PRICES | st.none(), seller=workspaces | st.just("seller"))
    def list_lead(self, price: Decimal | None, seller: str) -> str:
        return self.listed(LeadStart(price, seller))

    @precondition(lambda self: self.left("TOP_UPS") and self.can(TopUp))
    @rule(target=top_ups, workspace=workspaces, amount=PRICES)
    def order_top_up(self, workspace: str, amount: Decimal) -> str:
        name = self.name("TOP_UPS")
        self.declare(top_ups={name: TopUpStart(workspace, amount)})
        return name

    @precondition(lambda self: self.left("PURCHASES"))
    @rule(
        target=purchases,
        workspace=workspaces,
        wanted=st.lists(leads, min_size=1, max_size=2, unique=True),
        method=st.sampled_from(["credits", "stripe"]),
        lapsed=st.booleans(),
    )
    def leave_purchase_pending(self, workspace: str, wanted: Sequence[str], method: str, lapsed: bool) -> str:
        """Made while the leads were free and never completed; with Stripe perhaps so long ago that it has lapsed."""
        reserved = "expired" if lapsed and method == "stripe" and self.can(Sweep) and not self.swept else None
        name = self.name("PURCHASES")
        self.declare(purchases={name: PurchaseStart(workspace, tuple(wanted), method, reserved=reserved)})
        return name

    @precondition(lambda self: self.left("EVENTS"))
    @rule(target=events, purchase=purchases, kind=st.sampled_from([PAID, PAID, EXPIRED, REFUNDED]))
    def stripe_has_news(self, purchase: str, kind: str) -> Deliver:
        """An event that can be delivered from now on: soon or late, in any order, and again."""
        return Deliver(self.name("EVENTS"), kind, purchase)

    @precondition(lambda self: self.left("EVENTS"))
    @rule(target=events, kind=st.sampled_from([PAID, EXPIRED, REFUNDED]))
    def event_is_forged(self, kind: str) -> Deliver:
        """An event about a purchase that nobody has made."""
        return Deliver(self.name("EVENTS"), kind, NOWHERE)

    # -- one after the other ----------------------------------------------------------------------------------

    asked = st.one_of(
        st.builds(Validate, workspaces, st.lists(leads, max_size=3).map(tuple)),
        st.builds(Buy, workspaces, st.lists(leads, min_size=1, max_size=3).map(tuple), st.just(UNNAMED)),
        st.builds(Buy, workspaces, st.tuples(leads), st.just(UNNAMED)),
        st.builds(Checkout, workspaces, st.lists(leads, min_size=1, max_size=2).map(tuple), st.just(UNNAMED)),
        st.builds(MarkSold, st.lists(leads, max_size=3).map(tuple)),
        st.builds(UpdatePrice, leads, PRICES),
        st.just(Sweep()),
    )
    """What needs workspaces and leads alone."""

    @rule(target=purchases, operation=asked)
    def ask_for(self, operation: Operation) -> MultipleResults[str]:
        return self.ask(operation)

    @rule(purchase=purchases, workspace=workspaces, amount=AMOUNTS)
    def complete_with_credits(self, purchase: str, workspace: str, amount: Decimal) -> None:
        """Whoever it belongs to, and whatever it costs."""
        self.ask(CompleteCredit(purchase, workspace, amount))

    @rule(purchase=purchases, how=st.sampled_from([None, CompleteStripe, Refund]))
    def settle(self, purchase: str, how: type[CompleteStripe | Refund] | None) -> None:
        """As its owner would complete it, as a webhook would, or the money goes back."""
        self.ask(how(purchase) if how else self.due(purchase))

    @rule(event=events)
    def deliver(self, event: Deliver) -> None:
        self.ask(event)

    @rule(top_up=top_ups)
    def top_up(self, top_up: str) -> None:
        self.ask(TopUp(top_up))

    @rule(
        target=purchases,
        operation=asked | events,
        fault=st.sampled_from([CANCEL, TERMINATE, CUT_BEFORE_SEND, CUT_AFTER_SEND, error("53100")]),
        step=st.integers(0, 12),
    )
    def fail_and_roll_back(self, operation: Operation, fault: Fault, step: int) -> MultipleResults[str]:
        """It is struck at a step. What was done before is undone, or nobody knows whether it is."""
        if not self.can(type(operation)):
            return multiple()
        (named,) = self.numbered([operation])
        self.struck(named, fault, step)
        return self.made(named)

    # -- at once ----------------------------------------------------------------------------------------------

    @rule(
        target=purchases,
        lead=leads,
        others=st.lists(leads, max_size=1),
        buyers=st.lists(workspaces, min_size=2, max_size=5),
        schedule=schedules(5),
    )
    def race_for_a_lead(
        self, lead: str, others: Sequence[str], buyers: Sequence[str], schedule: Schedule
    ) -> MultipleResults[str]:
        """Everybody wants the same lead; every second one wants another one with it, in the other order."""
        lists = [(lead, *others), (*others, lead)]
        return self.ask_at_once([Buy(buyer, lists[n % 2], UNNAMED) for n, buyer in enumerate(buyers)], schedule)

    @rule(event=events, others=st.lists(events, min_size=1, max_size=4), schedule=schedules(5))
    def deliver_at_once(self, event: Deliver, others: Sequence[Deliver], schedule: Schedule) -> None:
        """Deliveries overtake one another, and most of them are the same."""
        self.ask_at_once([event, *(other if n % 2 else event for n, other in enumerate(others))], schedule)

    @rule(
        target=purchases,
        purchase=purchases,
        others=st.lists(purchases, max_size=2),
        beside=st.lists(asked | events, min_size=1, max_size=2),
        schedule=schedules(5),
    )
    def settle_beside_others(
        self, purchase: str, others: Sequence[str], beside: Sequence[Operation], schedule: Schedule
    ) -> MultipleResults[str]:
        """Purchases are completed, each in its own way, while somebody else is at work."""
        return self.ask_at_once([*map(self.due, (purchase, *others)), *beside], schedule)

    @rule(target=purchases, operations=st.lists(asked, min_size=2, max_size=5), schedule=schedules(5))
    def all_at_once(self, operations: Sequence[Operation], schedule: Schedule) -> MultipleResults[str]:
        return self.ask_at_once(operations, schedule)

    @rule(
        target=purchases,
        wanted=st.lists(leads, min_size=1, max_size=2),
        buyers=st.lists(workspaces, min_size=2, max_size=4),
        schedule=schedules(4),
    )
    def credits_against_stripe(
        self, wanted: Sequence[str], buyers: Sequence[str], schedule: Schedule
    ) -> MultipleResults[str]:
        """Some want to pay at once and some open a checkout, all for the same leads."""
        kinds = (Buy, Checkout)
        return self.ask_at_once([kinds[n % 2](each, tuple(wanted), UNNAMED) for n, each in enumerate(buyers)], schedule)

    @rule(purchase=purchases, others=st.lists(purchases, max_size=2), times=st.integers(2, 3), schedule=schedules(5))
    def settle_again_and_again(self, purchase: str, others: Sequence[str], times: int, schedule: Schedule) -> None:
        """The same purchase is completed several times at once, and others with it."""
        self.ask_at_once([*[self.due(purchase)] * times, *map(self.due, others)], schedule)

    @rule(
        target=purchases,
        top_up=top_ups,
        again=st.booleans(),
        beside=st.lists(asked, min_size=1, max_size=3),
        schedule=schedules(5),
    )
    def top_up_beside_others(
        self, top_up: str, again: bool, beside: Sequence[Operation], schedule: Schedule
    ) -> MultipleResults[str]:
        return self.ask_at_once([*[TopUp(top_up)] * (1 + again), *beside], schedule)

    @rule(purchase=purchases, event=events, schedule=schedules(4))
    def refund_beside_payment(self, purchase: str, event: Deliver, schedule: Schedule) -> None:
        operations: list[Operation] = [Refund(purchase), self.due(purchase), event, Refund(event.purchase)]
        self.ask_at_once(operations[: 3 + (event.purchase != NOWHERE)], schedule)

    # -- how that is said -------------------------------------------------------------------------------------

    def opened(self, balance: Decimal) -> str:
        name = self.name("WORKSPACES")
        self.declare(workspaces={name: balance})
        return name

    def listed(self, lead: LeadStart) -> str:
        name = self.name("LEADS")
        self.declare(leads={name: lead})
        return name

    def due(self, purchase: str) -> CompleteCredit | CompleteStripe:
        """What completes a purchase that was asked for: its own way to pay, its own workspace, its own total."""
        asked = self.purchase_of.get(purchase)
        if asked is None or asked.method == "stripe":
            return CompleteStripe(purchase)
        prices = [self.life.start.leads[lead].price or Decimal(0) for lead in asked.leads]
        return CompleteCredit(purchase, asked.workspace, sum(prices, Decimal(0)))

    def ask(self, operation: Operation) -> MultipleResults[str]:
        """One operation; the purchase that it makes, if any."""
        if not self.can(type(operation)):
            return multiple()
        (named,) = self.numbered([operation])
        self.alone(named)
        return self.made(named)

    def ask_at_once(self, operations: Sequence[Operation], schedule: Schedule) -> MultipleResults[str]:
        able = [operation for operation in operations if self.can(type(operation))][:5]
        if len(able) < 2:
            return multiple()
        named = self.numbered(able)
        self.at_once(named, schedule)
        return self.made(*named)
