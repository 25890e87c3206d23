"""Credits come in by a webhook while others go out: no money is lost and none is made."""

from decimal import Decimal

from harness.marketplace.block import Nemesis
from harness.marketplace.operations import Buy, Deliver, TopUp
from harness.marketplace.properties import RACING, WAITING
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, Start, TopUpStart
from harness.words.fault import CANCEL

against_purchase = Scenario(
    name="top-up-against-purchase",
    theory="A top-up and a purchase read the same balance; whoever writes last forgets the other.",
    start=Start({"A": Decimal(5)}, {"L1": LeadStart(Decimal(10))}, top_ups={"t": TopUpStart("A", Decimal(10))}),
    sessions={"stripe": [TopUp("t")], "buyer": [Buy("A", ("L1",), "p")]},
    properties=RACING,
    happened=("overlap", "ok:TopUp", "ok:Buy", "refused:insufficient_credits"),
)

delivered_twice = Scenario(
    name="top-up-delivered-twice",
    theory="The webhook of a top-up arrives twice at once: the credits come once.",
    start=Start({"A": Decimal(5)}, {}, top_ups={"t": TopUpStart("A", Decimal(10))}),
    sessions={"delivery": [TopUp("t")], "again": [TopUp("t")]},
    properties=("conservation", "webhook-idempotent", "no-lost-acknowledgement", "serializable", *WAITING),
    happened=("overlap", "ok:TopUp", "replayed", "wait|busy"),
)

two_top_ups = Scenario(
    name="two-top-ups-at-once",
    theory="Two different top-ups of one workspace: both arrive.",
    start=Start(
        {"A": Decimal(0)}, {}, top_ups={"t": TopUpStart("A", Decimal(10)), "u": TopUpStart("A", Decimal("0.05"))}
    ),
    sessions={"first": [TopUp("t")], "second": [TopUp("u")]},
    properties=("conservation", "no-lost-acknowledgement", "serializable", *WAITING),
    happened=("overlap", "ok:TopUp", "wait"),
)

cancelled = Scenario(
    name="top-up-cancelled-and-redelivered",
    theory="A top-up that dies on the way is delivered again: it is credited then, and once.",
    start=Start({"A": Decimal(5)}, {}, top_ups={"t": TopUpStart("A", Decimal(10))}),
    sessions={"stripe": [TopUp("t"), TopUp("t")], "nemesis": Nemesis("stripe", CANCEL)},
    properties=("conservation", "webhook-idempotent", "no-lost-acknowledgement", "serializable"),
    happened=("cancelled", "failed:57014|failed:try_again", "ok:TopUp", "replayed"),
)

told_in_every_way = Scenario(
    name="all-that-stripe-says-of-a-top-up",
    theory="Its session is over, and yet it was paid, as two events say at once; then the money is to go back.",
    start=Start({"A": Decimal(5)}, {}, top_ups={"t": TopUpStart("A", Decimal(10))}),
    sessions={
        "stripe": [
            Deliver("evt-1", "checkout.session.expired", "t"),
            Deliver("evt-2", "checkout.session.completed", "t"),
        ],
        "again": [
            Deliver("evt-3", "checkout.session.async_payment_succeeded", "t"),
            Deliver("evt-2", "checkout.session.completed", "t"),
            Deliver("evt-4", "charge.refunded", "t"),
        ],
    },
    properties=("conservation", "webhook-idempotent", "no-lost-acknowledgement", "serializable", *WAITING),
    happened=("overlap", "ok:Deliver", "replayed", "refused:top_up_not_refundable"),
)
