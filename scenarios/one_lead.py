"""One lead, several buyers: at most one of them gets it, and only that one pays.

A check outlives its lock when each call is a transaction of its own: validate says yes to everybody, the completion
believes it, and the lead is sold as often as it was asked for.
"""

from decimal import Decimal

from harness.marketplace.operations import Buy, CompleteCredit
from harness.marketplace.properties import RACING
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, PurchaseStart, Start

two_buyers = Scenario(
    name="two-buyers-one-lead",
    theory="Both buyers validate while the lead is free; if completion does not look again, both are charged.",
    start=Start({"A": Decimal(50), "B": Decimal(50)}, {"L1": LeadStart(Decimal(10))}),
    sessions={"alice": [Buy("A", ("L1",), "p")], "bob": [Buy("B", ("L1",), "q")]},
    properties=RACING,
    # The loser may learn it while the winner is at work (it waits, or is told to try again) and afterwards (refused).
    happened=("overlap", "ok:Buy", "refused:lead_unavailable", "wait|busy"),
)

three_buyers = Scenario(
    name="three-buyers-one-lead",
    theory="With three, two can queue behind the first: each that is woken must look at the lead anew.",
    start=Start({"A": Decimal(50), "B": Decimal(50), "C": Decimal(50)}, {"L1": LeadStart(Decimal(10))}),
    sessions={
        "alice": [Buy("A", ("L1",), "p")],
        "bob": [Buy("B", ("L1",), "q")],
        "carol": [Buy("C", ("L1",), "r")],
    },
    properties=RACING,
    happened=("overlap", "ok:Buy", "refused:lead_unavailable"),
)

# Both purchases were made while the lead was free, so nothing but the completion itself can notice.
two_completions = Scenario(
    name="two-pending-purchases-one-lead",
    theory="Two purchases of one lead are pending already; whoever completes second finds it sold.",
    start=Start(
        {"A": Decimal(50), "B": Decimal(50)},
        {"L1": LeadStart(Decimal(10))},
        {"p": PurchaseStart("A", ("L1",)), "q": PurchaseStart("B", ("L1",))},
    ),
    sessions={
        "alice": [CompleteCredit("p", "A", Decimal(10))],
        "bob": [CompleteCredit("q", "B", Decimal(10))],
    },
    properties=RACING,
    happened=("overlap", "ok:CompleteCredit", "refused:lead_unavailable", "wait|busy"),
)

# The buyers are two tabs of one customer: nobody else is to blame, and still the lead may be paid for only once.
one_customer_twice = Scenario(
    name="one-workspace-buys-one-lead-twice",
    theory="A double click sends the purchase twice: the second must not be charged for the lead that the first got.",
    start=Start({"A": Decimal(50)}, {"L1": LeadStart(Decimal(10))}),
    sessions={"first": [Buy("A", ("L1",), "p")], "second": [Buy("A", ("L1",), "q")]},
    properties=RACING,
    happened=("overlap", "ok:Buy", "refused:lead_unavailable"),
)
