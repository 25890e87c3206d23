"""What the marketplace does when nobody else is there: the sequential model, which is its specification.

Plain Python, one operation at a time, no clock, no locks. Every concurrent history of a correct implementation
equals some serial order of its operations in this model (Herlihy and Wing, "Linearizability", TOPLAS 1990).
Money is exact; a state is a value that can be compared, hashed and remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from harness.marketplace.market import Answered, Lead, Market, Purchase, Table, TopUpRow
from harness.marketplace.operations import (
    Buy,
    BuyCredits,
    Checkout,
    CompleteCredit,
    CompleteStripe,
    Deliver,
    Keyed,
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
from harness.marketplace.start import LeadState, Start, State
from harness.words.history import Result, Status

PAYABLE = Decimal("0.50"), Decimal("999999.99")
"""The least and the most that Stripe takes in one payment."""


def initial(start: Start, *, reserving: bool = True) -> Market:
    """The market at the first step. Items carry the prices that the leads have then."""

    def purchase(name: str) -> Purchase:
        row = start.purchases[name]
        items = tuple((lead, start.leads[lead].price or Decimal(0)) for lead in sorted(row.leads))
        settled = Purchase(row.workspace, items, row.method, row.status, row.reserved if reserving else None)
        if row.method == "credits" and row.status in ("completed", "refunded"):
            return replace(settled, charged=settled.total, balance_after=start.workspaces[row.workspace])
        return settled

    return Market(
        balances=Table(start.workspaces),
        leads=Table(
            {
                name: Lead(row.price, row.seller, row.status, int(row.status == "sold"))
                for name, row in start.leads.items()
            }
        ),
        purchases=Table({name: purchase(name) for name in start.purchases}),
        top_ups=Table({name: TopUpRow(row.workspace, row.amount) for name, row in start.top_ups.items()}),
        reserving=reserving,
    )


def grown(market: Market, start: Start) -> Market:
    """The same market with what ``start`` declares and it does not know yet, as if that had been there all along."""
    whole = initial(start, reserving=market.reserving)
    return replace(
        market,
        balances=Table({**whole.balances, **market.balances}),
        leads=Table({**whole.leads, **market.leads}),
        purchases=Table({**whole.purchases, **market.purchases}),
        top_ups=Table({**whole.top_ups, **market.top_ups}),
    )


def apply(market: Market, operation: Operation) -> tuple[Result, Market]:
    """What the client is told, and the market afterwards. A refusal changes nothing."""
    match operation:
        case Validate(workspace, leads):
            return validate(market, workspace, leads)
        case Buy(workspace, leads, name):
            return buy(market, workspace, leads, name)
        case Checkout(workspace, leads, name):
            return checkout(market, workspace, leads, name)
        case Request():
            return request(market, operation)
        case BuyCredits():
            return buy_credits(market, operation)
        case Read(workspace, name):
            return read(market, workspace, name)
        case CompleteCredit(name, workspace, amount):
            return complete_credit(market, name, workspace, amount)
        case CompleteStripe(name):
            return complete_stripe(market, name)
        case Deliver(event, kind, name):
            return deliver(market, event, kind, name)
        case MarkSold(leads):
            return mark_sold(market, leads)
        case TopUp(name):
            return top_up(market, name)
        case Sweep():
            return sweep(market)
        case Refund(name):
            return refund(market, name)
        case UpdatePrice(lead, price):
            return update_price(market, lead, price)


def validate(market: Market, workspace: str, leads: tuple[str, ...] | None) -> tuple[Result, Market]:
    """May this workspace buy these leads now? All or nothing, and nothing is kept."""
    if code := malformed(leads) or unsaleable(market, workspace, leads or ()):
        return refused(code), market
    return ok(leads=tuple(sorted(leads or ()))), market


def buy(market: Market, workspace: str, leads: tuple[str, ...], name: str) -> tuple[Result, Market]:
    """Validate, create the purchase, complete it with credits: one decision, taken at one moment."""
    if code := malformed(leads) or unsaleable(market, workspace, leads):
        return refused(code), market
    opened = put_purchase(market, name, Purchase(workspace, priced(market, leads), "credits"))
    result, bought = complete_credit(opened, name, workspace, opened.purchases[name].total)
    return (result, bought) if result.status is Status.OK else (result, market)


def checkout(market: Market, workspace: str, leads: tuple[str, ...], name: str) -> tuple[Result, Market]:
    """Validate and create the pending Stripe purchase, which holds its leads until it is paid or expires."""
    if code := malformed(leads) or unsaleable(market, workspace, leads):
        return refused(code), market
    opened = Purchase(workspace, priced(market, leads), "stripe", reserved="held" if market.reserving else None)
    return ok(), put_purchase(market, name, opened)


def request(market: Market, asked: Request) -> tuple[Result, Market]:
    """A purchase under a key: done once, and answered the same ever after."""

    def work() -> tuple[Result, Market]:
        make = buy if asked.method == "credits" else checkout
        result, after = make(market, asked.workspace, asked.leads, asked.purchase)
        if result.status is not Status.OK:
            return result, market
        if asked.method == "stripe" and not payable(after.purchases[asked.purchase].total):
            return refused("amount_not_payable"), market
        told = [(name, value) for name, value in result.value if name == "balance"]
        return ok(purchase=asked.purchase, **dict(told)), after

    return once(market, "purchase", asked, work)


def buy_credits(market: Market, asked: BuyCredits) -> tuple[Result, Market]:
    """A pending top-up under a key."""
    if not payable(asked.amount):
        return refused("amount_not_payable"), market
    made = market.top_ups.put(asked.top_up, TopUpRow(asked.workspace, asked.amount))
    return once(market, "credits", asked, lambda: (ok(top_up=asked.top_up), replace(market, top_ups=made)))


def once(market: Market, route: str, asked: Keyed, work: Callable[[], tuple[Result, Market]]) -> tuple[Result, Market]:
    """Do the work, or answer what was answered before. A refused request leaves no key behind."""
    known = market.keys.get((asked.workspace, route, asked.key))
    if known is not None and known.body != asked.body:
        return refused("key_reused"), market
    if known is not None:
        return replace(known.answer, value=(("replayed", True), *known.answer.value)), market
    answer, after = work()
    if answer.status is not Status.OK:
        return answer, market
    kept = after.keys.put((asked.workspace, route, asked.key), Answered(asked.body, answer))
    return replace(answer, value=(("replayed", False), *answer.value)), replace(after, keys=kept)


def payable(amount: Decimal) -> bool:
    """Whether Stripe takes it in one payment."""
    return PAYABLE[0] <= amount <= PAYABLE[1] and amount == round(amount, 2)


def read(market: Market, workspace: str, name: str) -> tuple[Result, Market]:
    """A purchase of this workspace's; another's is not there. What is paid for is shown to who has paid."""
    purchase = market.purchases.get(name)
    if purchase is None or purchase.workspace != workspace:
        return refused("purchase_not_found"), market
    return ok(status=purchase.status, leads=purchase.leads if purchase.status == "completed" else ()), market


def complete_credit(market: Market, name: str, workspace: str, amount: Decimal) -> tuple[Result, Market]:
    """Charge, mark and complete, or none of the three. A repeat gets the first answer and costs nothing."""
    purchase = market.purchases.get(name)
    if purchase is None or purchase.workspace != workspace:
        return refused("purchase_not_found"), market
    if purchase.method != "credits":
        return refused("wrong_payment_method"), market
    if not purchase.items or amount != purchase.total:
        return refused("amount_mismatch"), market
    if purchase.status == "completed":
        return ok(already_completed=True, balance=purchase.balance_after), market
    if purchase.status != "pending":
        return refused("purchase_not_pending"), market
    if code := unsaleable(market, workspace, purchase.leads):
        return refused(code), market
    balance = market.balances[workspace] - purchase.total
    if balance < 0:
        return refused("insufficient_credits"), market
    done = replace(purchase, status="completed", charged=purchase.total, balance_after=balance)
    paid = replace(market, balances=market.balances.put(workspace, balance))
    return ok(already_completed=False, balance=balance), put_purchase(sell(paid, purchase.leads), name, done)


def complete_stripe(market: Market, name: str) -> tuple[Result, Market]:
    """The money is captured already. Deliver the leads once, or owe a refund; nothing final ever revives."""
    purchase = market.purchases.get(name)
    if purchase is None:
        return refused("purchase_not_found"), market
    if purchase.method != "stripe":
        return refused("wrong_payment_method"), market
    if purchase.status in ("completed", "refunded", "refund_required"):
        return ok(already_completed=purchase.status == "completed", marked=()), market
    if purchase.status != "pending" or unsaleable(market, purchase.workspace, purchase.leads):
        return ok(already_completed=False, marked=()), put_purchase(
            market, name, replace(purchase, status="refund_required", reserved=None)
        )
    done = replace(purchase, status="completed", reserved=None)
    return ok(already_completed=False, marked=purchase.leads), put_purchase(sell(market, purchase.leads), name, done)


def deliver(market: Market, event: str, kind: str, name: str) -> tuple[Result, Market]:
    """One delivery of a webhook: the event is claimed in the same transaction as its effect, so a replay is a no-op."""
    if event in market.events:
        return ok(already_completed=True), market
    if name in market.top_ups:
        result, after = told_of_top_up(market, kind, name)
    else:
        result, after = EFFECTS[kind](market, name)
    if result.status is not Status.OK:
        return result, market
    return ok(already_completed=bool(result.get("already_completed"))), replace(after, events=after.events | {event})


def told_of_top_up(market: Market, kind: str, name: str) -> tuple[Result, Market]:
    """A webhook about a purchase of credits. Only a payment has an effect: a late one is still served."""
    if EFFECTS[kind] is complete_stripe:
        return top_up(market, name)
    if EFFECTS[kind] is refund:
        return refused("top_up_not_refundable"), market
    return ok(already_completed=market.top_ups[name].status == "completed"), market


def expire(market: Market, name: str, status: str = "cancelled") -> tuple[Result, Market]:
    """The checkout came to nothing: a pending purchase ends and its leads are free again."""
    purchase = market.purchases.get(name)
    if purchase is None:
        return refused("purchase_not_found"), market
    if purchase.status != "pending":
        return ok(already_completed=True), market
    return ok(), put_purchase(market, name, replace(purchase, status=status, reserved=None))


def fail(market: Market, name: str) -> tuple[Result, Market]:
    """The customer's payment failed after the checkout."""
    return expire(market, name, "failed")


def refund(market: Market, name: str) -> tuple[Result, Market]:
    """The money goes back (credits to the balance), the leads stay sold. A refund is final."""
    purchase = market.purchases.get(name)
    if purchase is None:
        return refused("purchase_not_found"), market
    if purchase.status == "refunded":
        return ok(already_completed=True), market
    if purchase.method == "credits" and purchase.status != "completed":
        return refused("purchase_not_refundable"), market
    back = market.balances.get(purchase.workspace, Decimal(0)) + purchase.charged
    returned = replace(market, balances=market.balances.put(purchase.workspace, back))
    return ok(), put_purchase(returned, name, replace(purchase, status="refunded", reserved=None))


EFFECTS: Mapping[str, Callable[[Market, str], tuple[Result, Market]]] = {
    "checkout.session.completed": complete_stripe,
    "checkout.session.async_payment_succeeded": complete_stripe,
    "checkout.session.async_payment_failed": fail,
    "checkout.session.expired": expire,
    "charge.refunded": refund,
}
"""Kind of event to what it does to a purchase."""


def mark_sold(market: Market, leads: tuple[str, ...] | None) -> tuple[Result, Market]:
    """Marks the leads that are available, each once, and says which."""
    marked = tuple(
        name for name in sorted(set(leads or ())) if (lead := market.leads.get(name)) and lead.status == "available"
    )
    return ok(marked=marked), sell(market, marked)


def top_up(market: Market, name: str) -> tuple[Result, Market]:
    """Credits the amount of the pending row, once."""
    row = market.top_ups.get(name)
    if row is None:
        return refused("top_up_not_found"), market
    if row.status == "completed":
        return ok(already_completed=True, balance=row.balance_after), market
    balance = market.balances[row.workspace] + row.amount
    done = replace(row, status="completed", balance_after=balance)
    credited = replace(market, balances=market.balances.put(row.workspace, balance))
    return ok(already_completed=False, balance=balance), replace(credited, top_ups=market.top_ups.put(name, done))


def sweep(market: Market) -> tuple[Result, Market]:
    """Cancels the pending purchases whose reservations have expired and frees their leads."""
    for name, purchase in market.purchases.items():
        if purchase.status == "pending" and purchase.reserved == "expired":
            market = put_purchase(market, name, replace(purchase, status="cancelled", reserved=None))
    return ok(), market


def update_price(market: Market, name: str, price: Decimal) -> tuple[Result, Market]:
    """The seller's own write. Purchases that exist keep the prices of their items."""
    lead = replace(market.leads[name], price=price)
    return ok(), replace(market, leads=market.leads.put(name, lead))


def malformed(leads: tuple[str, ...] | None) -> str:
    """Why this is no list of leads to buy, whatever the leads; empty when it is."""
    if not leads:
        return "no_leads"
    return "duplicate_leads" if len(set(leads)) < len(leads) else ""


def unsaleable(market: Market, workspace: str, leads: Iterable[str]) -> str:
    """Why these leads cannot be sold to this workspace now; empty when they can.

    Of several reasons that of the first lead: ids follow the order in which the start declares the leads.
    """
    place = {name: number for number, name in enumerate(market.leads)}
    for name in sorted(leads, key=lambda name: place.get(name, len(place))):
        lead = market.leads.get(name)
        if lead is None or lead.status != "available":
            return "lead_unavailable"
        if lead.seller == workspace:
            return "own_lead"
        if lead.price is None:
            return "lead_unpriced"
        if any(
            other.reserved == "held" and name in other.leads and other.workspace != workspace
            for other in market.purchases.values()
        ):
            return "lead_reserved"
    return ""


def priced(market: Market, leads: Iterable[str]) -> tuple[tuple[str, Decimal], ...]:
    return tuple((name, market.leads[name].price or Decimal(0)) for name in sorted(leads))


def sell(market: Market, leads: Iterable[str]) -> Market:
    table = market.leads
    for name in leads:
        table = table.put(name, replace(table[name], status="sold", sold_count=table[name].sold_count + 1))
    return replace(market, leads=table)


def put_purchase(market: Market, name: str, purchase: Purchase) -> Market:
    return replace(market, purchases=market.purchases.put(name, purchase))


def ok(**value: Any) -> Result:
    """It was done, and the client is told these values."""
    return Result(Status.OK, value=tuple(value.items()))


def refused(code: str) -> Result:
    return Result(Status.REFUSED, code)


def state_of(market: Market) -> State:
    """The market as the probes would read it back."""
    purchases = sorted(market.purchases.items())
    return State(
        balances=tuple(sorted(market.balances.items())),
        leads=tuple((name, LeadState(lead.status, lead.sold_count)) for name, lead in sorted(market.leads.items())),
        purchases=tuple((name, purchase.status) for name, purchase in purchases),
        items=tuple((name, purchase.leads) for name, purchase in purchases),
        ledger=tuple(sorted(market.balances.items())),
        charges=tuple((name, row.workspace, row.charged) for name, row in purchases if row.charged),
        reservations=tuple((name, row.leads) for name, row in purchases if row.reserved == "held"),
        top_ups=tuple((name, row.status) for name, row in sorted(market.top_ups.items())),
        keys=tuple(
            (workspace, key, "completed") for workspace, key in sorted((each[0], each[2]) for each in market.keys)
        ),
    )
