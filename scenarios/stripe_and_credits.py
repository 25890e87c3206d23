"""Two ways to pay: what one of them has sold, the other must not sell again.

A Stripe customer pays minutes after choosing. Whatever happens meanwhile, the money is captured: the leads must be kept
for them (a reservation), or the money must be owed back.
"""

from decimal import Decimal

from harness.marketplace.operations import Buy, Checkout, CompleteCredit, CompleteStripe, Deliver
from harness.marketplace.properties import RACING, STRIPE
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, PurchaseStart, Start

PAID = "checkout.session.completed"
ONE_LEAD = {"L1": LeadStart(Decimal(10))}

paid_while_another_buys = Scenario(
    name="credits-against-stripe",
    theory="A is in Stripe checkout, B buys the lead with credits, and A's webhook comes: both think that they own it.",
    start=Start(
        {"A": Decimal(0), "B": Decimal(50)},
        ONE_LEAD,
        {"p": PurchaseStart("A", ("L1",), method="stripe", reserved="held")},
    ),
    sessions={"stripe": [Deliver("evt", PAID, "p")], "bob": [Buy("B", ("L1",), "q")]},
    properties=(*STRIPE, "no-false-conflict"),
    happened=("overlap", "ok:Deliver", "refused:lead_reserved|busy", "refused:lead_unavailable"),
)

# Without a reservation it is a race; the one who loses must be B, or A's money must be owed back.
paid_without_reservation = Scenario(
    name="credits-against-unreserved-stripe",
    theory="Nothing holds the lead for the customer who is paying: the credit buyer may win, and then a refund is due.",
    start=Start(
        {"A": Decimal(0), "B": Decimal(50)},
        ONE_LEAD,
        {"p": PurchaseStart("A", ("L1",), method="stripe")},
    ),
    sessions={"stripe": [Deliver("evt", PAID, "p")], "bob": [Buy("B", ("L1",), "q")]},
    properties=(*STRIPE, "no-false-conflict"),
    happened=("overlap", "ended:completed", "ended:refund_required", "refused:lead_unavailable|busy"),
)

completions_at_once = Scenario(
    name="credit-completion-against-stripe-completion",
    theory="Two pending purchases of one lead, one of each kind, are completed at once: the second finds it sold.",
    start=Start(
        {"A": Decimal(0), "B": Decimal(50)},
        ONE_LEAD,
        {"p": PurchaseStart("A", ("L1",), method="stripe"), "q": PurchaseStart("B", ("L1",))},
    ),
    sessions={"stripe": [CompleteStripe("p")], "bob": [CompleteCredit("q", "B", Decimal(10))]},
    properties=(*STRIPE, "no-false-conflict"),
    happened=("overlap", "ended:completed", "ended:refund_required", "refused:lead_unavailable|busy"),
)

whole_checkout = Scenario(
    name="checkout-and-payment-against-buyer",
    theory="The whole way of a Stripe customer, beside a credit buyer who may come at any moment of it.",
    start=Start({"A": Decimal(0), "B": Decimal(50)}, ONE_LEAD),
    sessions={
        "alice": [Checkout("A", ("L1",), "p"), Deliver("evt", PAID, "p")],
        "bob": [Buy("B", ("L1",), "q")],
    },
    properties=(*STRIPE, "no-false-conflict"),
    happened=("overlap", "ok:Checkout", "ok:Buy", "refused:lead_reserved", "refused:lead_unavailable"),
)

# The one path locks the purchase first, the other the credits: the classic circle.
both_ways = Scenario(
    name="one-purchase-by-stripe-and-by-credits",
    theory="One Stripe purchase is completed by its webhook and, by mistake, with credits, at the same time.",
    start=Start({"A": Decimal(50)}, ONE_LEAD, {"p": PurchaseStart("A", ("L1",), method="stripe")}),
    sessions={"stripe": [CompleteStripe("p")], "credits": [CompleteCredit("p", "A", Decimal(10))]},
    properties=STRIPE,
    happened=("overlap", "ok:CompleteStripe", "refused:CompleteCredit"),
)

two_checkouts = Scenario(
    name="two-checkouts-one-lead",
    theory="Each checkout looks for a reservation, finds none and makes one: write skew, unless a lock or a constraint "
    "forbids it.",
    start=Start({"A": Decimal(0), "B": Decimal(0)}, ONE_LEAD),
    sessions={"alice": [Checkout("A", ("L1",), "p")], "bob": [Checkout("B", ("L1",), "q")]},
    properties=RACING,
    happened=("overlap", "ok:Checkout", "refused:lead_reserved", "wait|busy"),
)

two_paid_checkouts = Scenario(
    name="two-paid-checkouts-one-lead",
    theory="Two customers check out one lead and both pay: one gets it, and nobody pays for nothing.",
    start=Start({"A": Decimal(0), "B": Decimal(0)}, ONE_LEAD),
    sessions={
        "alice": [Checkout("A", ("L1",), "p"), Deliver("evt-a", PAID, "p")],
        "bob": [Checkout("B", ("L1",), "q"), Deliver("evt-b", PAID, "q")],
    },
    properties=(*STRIPE, "no-false-conflict"),
    happened=("overlap", "ok:Checkout", "ok:Deliver", "refused:lead_reserved"),
)
