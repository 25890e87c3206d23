"""Stripe delivers at least once, in any order, for up to three days.

An event must be claimed in the same transaction as its effect: claimed before, a crash loses the effect; claimed after,
a replay has it twice. And what is over stays over: no late payment revives a purchase that was refunded or cancelled.
"""

from decimal import Decimal

from harness.marketplace.block import Nemesis
from harness.marketplace.operations import Buy, CompleteStripe, Deliver, Read
from harness.marketplace.properties import RACING, STRIPE
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, PurchaseStart, Start
from harness.words.fault import CANCEL

PAID, EXPIRED, REFUNDED = "checkout.session.completed", "checkout.session.expired", "charge.refunded"
DELIVERY = (*STRIPE, "webhook-idempotent")


def awaiting_payment(*leads: str, reserved: str | None = None) -> Start:
    """A's Stripe purchase p of these leads is pending; B has credits."""
    return Start(
        {"A": Decimal(0), "B": Decimal(50)},
        {lead: LeadStart(Decimal(10)) for lead in leads},
        {"p": PurchaseStart("A", leads, method="stripe", reserved=reserved)},
    )


replayed_at_once = Scenario(
    name="webhook-replayed-while-the-first-runs",
    theory="The same event arrives again before its first delivery is through: two leads are sold once each.",
    start=awaiting_payment("L1", "L2"),
    sessions={"delivery": [Deliver("evt", PAID, "p")], "again": [Deliver("evt", PAID, "p")]},
    properties=DELIVERY,
    happened=("overlap", "ok:Deliver", "replayed", "wait|busy"),
)

two_events = Scenario(
    name="two-events-for-one-payment",
    theory="Two different events say that one purchase was paid: the claim of the event cannot help, the status must.",
    start=awaiting_payment("L1"),
    sessions={"completed": [Deliver("evt-1", PAID, "p")], "succeeded": [Deliver("evt-2", PAID, "p")]},
    properties=DELIVERY,
    happened=("overlap", "ok:Deliver", "replayed", "wait|busy"),
)

direct_completions = Scenario(
    name="stripe-completion-called-twice-at-once",
    theory="The completion itself, without the guard of an event, is called by two workers.",
    start=awaiting_payment("L1"),
    sessions={"one": [CompleteStripe("p")], "other": [CompleteStripe("p")]},
    properties=DELIVERY,
    happened=("overlap", "ok:CompleteStripe", "replayed", "wait|busy"),
)

polled = Scenario(
    name="webhook-against-the-poll",
    theory="The customer polls while the webhook is at work: never completed without leads, and never back again.",
    start=awaiting_payment("L1", "L2", reserved="held"),
    sessions={"stripe": [Deliver("evt", PAID, "p")], "customer": [Read("A", "p"), Read("B", "p"), Read("A", "p")]},
    properties=STRIPE,
    happened=("overlap", "ok:Deliver", "ok:Read", "refused:purchase_not_found", "ended:completed"),
)

# Explored over all schedules, the cancel hits every statement: also the one between the claim and the effect.
cancelled_and_redelivered = Scenario(
    name="webhook-cancelled-and-redelivered",
    theory="A delivery dies between the claim of its event and the effect; the next delivery must do the work.",
    start=awaiting_payment("L1"),
    sessions={
        "stripe": [Deliver("evt", PAID, "p"), Deliver("evt", PAID, "p")],
        "nemesis": Nemesis("stripe", CANCEL),
    },
    properties=DELIVERY,
    happened=("cancelled", "failed:57014|failed:try_again", "ok:Deliver", "replayed"),
)

after_resale = Scenario(
    name="webhook-after-expiry-and-resale",
    theory="The reservation has run out, the lead is for sale again, and then the first customer pays after all.",
    start=awaiting_payment("L1", reserved="expired"),
    sessions={"bob": [Buy("B", ("L1",), "q")], "stripe": [Deliver("evt", PAID, "p")]},
    properties=(*STRIPE, "no-false-conflict"),
    happened=("overlap", "ok:Buy", "ok:Deliver", "ended:refund_required", "refused:lead_unavailable|busy"),
)

expired_session = Scenario(
    name="expired-session-against-payment",
    theory="Stripe reports the session as expired and as paid at the same time; the money may not vanish in between.",
    start=awaiting_payment("L1"),
    sessions={"expired": [Deliver("evt-1", EXPIRED, "p")], "paid": [Deliver("evt-2", PAID, "p")]},
    properties=STRIPE,
    happened=("overlap", "ended:completed", "ended:refund_required", "wait|busy"),
)

resold_after_expiry = Scenario(
    name="expired-session-frees-the-lead",
    theory="The session expires while somebody else asks for its lead: refused before, sold after, never both held.",
    start=awaiting_payment("L1", reserved="held"),
    sessions={"stripe": [Deliver("evt", EXPIRED, "p")], "bob": [Buy("B", ("L1",), "q")]},
    properties=RACING,
    happened=("overlap", "ended:cancelled", "ok:Buy", "refused:lead_reserved|busy"),
)

refund_against_payment = Scenario(
    name="refund-against-webhook",
    theory="Events come in any order: a refund that overtakes its payment is final, and the payment does not undo it.",
    start=awaiting_payment("L1"),
    sessions={"paid": [Deliver("evt-1", PAID, "p")], "refunded": [Deliver("evt-2", REFUNDED, "p")]},
    properties=STRIPE,
    happened=("overlap", "ok:Deliver", "ended:refunded", "wait|busy"),
)


def late(name: str, status: str, theory: str) -> Scenario:
    """The payment of a purchase that is over arrives twice."""
    return Scenario(
        name=name,
        theory=theory,
        start=Start(
            {"A": Decimal(0)},
            {"L1": LeadStart(Decimal(10), status="sold" if status == "completed" else "available")},
            {"p": PurchaseStart("A", ("L1",), method="stripe", status=status)},
        ),
        sessions={"delivery": [Deliver("evt", PAID, "p")], "again": [Deliver("evt", PAID, "p")]},
        properties=DELIVERY,
        happened=("overlap", "ok:Deliver"),
    )


after_refund = late(
    "webhook-after-refund", "refunded", "A refunded purchase stays refunded when its payment comes late."
)
after_cancellation = late(
    "webhook-after-cancellation",
    "cancelled",
    "A cancelled purchase is not revived by its payment; the money is owed back.",
)
after_failure = late(
    "webhook-after-failure", "failed", "A failed purchase is not revived by its payment; the money is owed back."
)
after_completion = late(
    "webhook-after-completion", "completed", "A completed purchase is not completed again: its lead is counted once."
)
