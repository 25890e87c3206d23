"""A reservation holds leads for whoever is paying, and lets them go in time.

Abandoned carts are the rule. A lead must not stay blocked by one, least of all for the customer who left it behind.
"""

from decimal import Decimal

from harness.marketplace.operations import Buy, Checkout, Deliver, Sweep
from harness.marketplace.properties import RACING, STRIPE
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, PurchaseStart, Start

PAID = "checkout.session.completed"
ONE_LEAD = {"L1": LeadStart(Decimal(10))}


def left_behind(method: str, reserved: str | None) -> Start:
    """A has left purchase p of L1 pending; both A and B have credits."""
    return Start(
        {"A": Decimal(50), "B": Decimal(50)},
        ONE_LEAD,
        {"p": PurchaseStart("A", ("L1",), method=method, reserved=reserved)},
    )


own_pending_purchase = Scenario(
    name="abandoned-purchase-and-the-same-buyer",
    theory="A left a credit purchase pending and wants the lead now: their own leftover is no reason to refuse them.",
    start=left_behind("credits", None),
    sessions={"alice": [Buy("A", ("L1",), "q")]},
    properties=tuple(each for each in RACING if each not in ("no-deadlock", "no-hang")),
    happened=("ok:Buy",),
)

own_pending_purchase_race = Scenario(
    name="abandoned-purchase-and-two-buyers",
    theory="A comes back to a lead that they left pending, while B buys it: one of them gets it.",
    start=left_behind("credits", None),
    sessions={"alice": [Buy("A", ("L1",), "q")], "bob": [Buy("B", ("L1",), "r")]},
    properties=RACING,
    happened=("overlap", "ok:Buy", "refused:lead_unavailable"),
)

own_checkout = Scenario(
    name="own-checkout-then-credits",
    theory="A opened a Stripe checkout and then pays with credits; should Stripe be paid too, that is owed back.",
    start=left_behind("stripe", "held"),
    sessions={"alice": [Buy("A", ("L1",), "q")], "stripe": [Deliver("evt", PAID, "p")]},
    properties=(*STRIPE, "no-false-conflict"),
    happened=("overlap", "ok:Buy", "ok:Deliver", "ended:refund_required"),
)

expired_checkout = Scenario(
    name="expired-reservation-is-no-reservation",
    theory="A reservation that has run out binds nobody, whether or not the sweep has come by.",
    start=left_behind("stripe", "expired"),
    sessions={"sweep": [Sweep()], "bob": [Buy("B", ("L1",), "q")]},
    properties=RACING,
    happened=("overlap", "ok:Sweep", "ok:Buy", "ended:cancelled"),
)

sweep_against_webhook = Scenario(
    name="sweep-against-webhook",
    theory="The sweep cancels what has expired while its payment arrives: it is delivered, or owed back.",
    start=left_behind("stripe", "expired"),
    sessions={"sweep": [Sweep()], "stripe": [Deliver("evt", PAID, "p")]},
    properties=STRIPE,
    happened=("overlap", "ok:Sweep", "ended:completed", "ended:refund_required"),
)

sweep_against_checkout = Scenario(
    name="sweep-against-checkout",
    theory="The sweep frees a lead that somebody is reserving anew: it may not take the new reservation with the old.",
    start=left_behind("stripe", "expired"),
    sessions={"sweep": [Sweep()], "bob": [Checkout("B", ("L1",), "q"), Deliver("evt", PAID, "q")]},
    properties=(*STRIPE, "no-false-conflict"),
    happened=("overlap", "ok:Sweep", "ok:Checkout", "ended:completed"),
)

two_sweeps = Scenario(
    name="two-sweeps-at-once",
    theory="Two sweeps run at once: each purchase is cancelled, and neither waits for the other for ever.",
    start=left_behind("stripe", "expired"),
    sessions={"sweep": [Sweep()], "other": [Sweep()]},
    properties=("terminal-states", "serializable", "no-deadlock", "no-hang"),
    happened=("overlap", "ok:Sweep", "ended:cancelled"),
)
