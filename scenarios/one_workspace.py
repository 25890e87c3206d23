"""One workspace's credits: spent once, by whichever purchase comes first, and never below zero.

A balance that is read, compared and written back loses the other's write; a completion that does not look at the status
of its purchase charges as often as it is called.
"""

from decimal import Decimal

from harness.marketplace.operations import Buy, CompleteCredit, Refund
from harness.marketplace.properties import BUYING, RACING, WAITING
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, PurchaseStart, Start

TWO_LEADS = {"L1": LeadStart(Decimal(10)), "L2": LeadStart(Decimal(10))}

credit_for_one = Scenario(
    name="one-workspace-credit-for-one",
    theory="Two purchases, credit for one: if both see the balance before either spends it, it is overdrawn.",
    start=Start({"A": Decimal(15)}, TWO_LEADS),
    sessions={"first": [Buy("A", ("L1",), "p")], "second": [Buy("A", ("L2",), "q")]},
    properties=RACING,
    happened=("overlap", "ok:Buy", "refused:insufficient_credits"),
)

credit_for_both = Scenario(
    name="one-workspace-credit-for-both",
    theory="Two purchases, credit for both: a balance that is written back from an old reading forgets one of them.",
    start=Start({"A": Decimal(50)}, TWO_LEADS),
    sessions={"first": [Buy("A", ("L1",), "p")], "second": [Buy("A", ("L2",), "q")]},
    properties=RACING,
    happened=("overlap", "ok:Buy", "wait"),
)

credit_for_two_of_three = Scenario(
    name="one-workspace-credit-for-two-of-three",
    theory="With three at once the second to be woken must read what the first has just left.",
    start=Start(
        {"A": Decimal(20)},
        {**TWO_LEADS, "L3": LeadStart(Decimal(10))},
        {"p": PurchaseStart("A", ("L1",)), "q": PurchaseStart("A", ("L2",)), "r": PurchaseStart("A", ("L3",))},
    ),
    sessions={
        "first": [CompleteCredit("p", "A", Decimal(10))],
        "second": [CompleteCredit("q", "A", Decimal(10))],
        "third": [CompleteCredit("r", "A", Decimal(10))],
    },
    properties=RACING,
    happened=("overlap", "wait", "ok:CompleteCredit", "refused:insufficient_credits"),
)

same_purchase_twice = Scenario(
    name="same-purchase-completed-twice-at-once",
    theory="A retry overtakes its first attempt: the purchase is charged once, and both are told the same.",
    start=Start({"A": Decimal(50)}, {"L1": LeadStart(Decimal(10))}, {"p": PurchaseStart("A", ("L1",))}),
    sessions={
        "first": [CompleteCredit("p", "A", Decimal(10))],
        "retry": [CompleteCredit("p", "A", Decimal(10))],
    },
    properties=RACING,
    happened=("overlap", "ok:CompleteCredit", "replayed", "wait|busy"),
)

# Leads of a refunded purchase stay sold, so the money is all that moves.
refund_against_purchase = Scenario(
    name="refund-against-purchase",
    theory="A refund and a purchase change one balance at the same time; neither may forget the other.",
    start=Start(
        {"A": Decimal(10)},
        {"L1": LeadStart(Decimal(10), status="sold"), "L2": LeadStart(Decimal(10))},
        {"p": PurchaseStart("A", ("L1",), status="completed")},
    ),
    sessions={"support": [Refund("p")], "buyer": [Buy("A", ("L2",), "q")]},
    properties=RACING,
    happened=("overlap", "ok:Refund", "ok:Buy"),
)

refund_against_completion = Scenario(
    name="refund-against-completion",
    theory="A refund meets the completion of the same purchase: refused before it, final after it, never half of it.",
    start=Start({"A": Decimal(50)}, {"L1": LeadStart(Decimal(10))}, {"p": PurchaseStart("A", ("L1",))}),
    sessions={"support": [Refund("p")], "buyer": [CompleteCredit("p", "A", Decimal(10))]},
    properties=(*BUYING, *WAITING),
    happened=("overlap", "ok:CompleteCredit", "ok:Refund", "refused:Refund"),
)

refunded_twice_at_once = Scenario(
    name="same-purchase-refunded-twice-at-once",
    theory="Two clicks refund one purchase: the credits come back once, and the second is told so, not an error.",
    start=Start(
        {"A": Decimal(10)},
        {"L1": LeadStart(Decimal(10), status="sold")},
        {"p": PurchaseStart("A", ("L1",), status="completed")},
    ),
    sessions={"support": [Refund("p")], "again": [Refund("p")]},
    properties=(*BUYING, *WAITING),
    happened=("overlap", "ok:Refund", "replayed", "wait"),
)
