"""What Stripe tells us goes wrong half-way and is delivered again: done once, and never lost."""

from decimal import Decimal

from harness.faults.case import Case
from harness.marketplace.operations import Buy, CompleteStripe, Deliver, Operation, Refund
from harness.marketplace.start import LeadStart, PurchaseStart, Start

PAID, EXPIRED, REFUNDED = "checkout.session.completed", "checkout.session.expired", "charge.refunded"
BUYER = (Buy("B", ("L1",), "q"),)


def stripe(status: str = "pending", *, sold: bool = False, reserved: str | None = None) -> Start:
    """A's Stripe purchase p of L1, in this status; B has credits."""
    return Start(
        {"A": Decimal(0), "B": Decimal(50)},
        {"L1": LeadStart(Decimal(10), status="sold" if sold else "available")},
        {"p": PurchaseStart("A", ("L1",), method="stripe", status=status, reserved=reserved)},
    )


def again(name: str, theory: str, start: Start, operation: Operation) -> Case:
    """An operation that repeats itself until it is answered."""
    return Case(name, theory, start, (operation, operation), BUYER)


paid = again(
    "deliver-paid",
    "A payment is delivered, dies anywhere and is delivered again: the leads are sold once.",
    stripe(reserved="held"),
    Deliver("evt", PAID, "p"),
)
paid_too_late = again(
    "deliver-paid-too-late",
    "The lead is sold to another: the money is owed back, once, though the delivery dies.",
    stripe(sold=True),
    Deliver("evt", PAID, "p"),
)
paid_after_cancel = again(
    "deliver-paid-after-cancellation",
    "A cancelled purchase that is paid is owed back, and never revived half-way.",
    stripe("cancelled"),
    Deliver("evt", PAID, "p"),
)
expired = again(
    "deliver-expired",
    "A session expires: its leads are free and its purchase is cancelled, both or neither.",
    stripe(reserved="held"),
    Deliver("evt", EXPIRED, "p"),
)
refunded = again(
    "deliver-refunded",
    "A refund is noted once, and never undone.",
    stripe("completed", sold=True),
    Deliver("evt", REFUNDED, "p"),
)
complete = again(
    "complete-stripe",
    "The completion itself, without the guard of an event, is repeated.",
    stripe(),
    CompleteStripe("p"),
)
complete_too_late = again(
    "complete-stripe-too-late",
    "A completion that ends in a refund that is due is repeated.",
    stripe(sold=True),
    CompleteStripe("p"),
)
refund_stripe = again(
    "refund-stripe",
    "A refund of a payment dies and is asked for again.",
    stripe("completed", sold=True),
    Refund("p"),
)
