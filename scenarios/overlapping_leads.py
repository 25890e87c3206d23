"""Several leads at once: all of them or none, and never two buyers waiting for each other.

Locks taken in the order in which a client happens to list its leads form a circle as soon as two clients list them
differently.
"""

from decimal import Decimal

from harness.marketplace.operations import Buy, CompleteCredit
from harness.marketplace.properties import RACING
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, PurchaseStart, Start

TWO_LEADS = {"L1": LeadStart(Decimal(10)), "L2": LeadStart(Decimal(20))}

opposite_order = Scenario(
    name="overlapping-leads-opposite-order",
    theory="Alice asks for L1 and L2, Bob for L2 and L1: each may hold what the other wants next.",
    start=Start({"A": Decimal(50), "B": Decimal(50)}, TWO_LEADS),
    sessions={"alice": [Buy("A", ("L1", "L2"), "p")], "bob": [Buy("B", ("L2", "L1"), "q")]},
    properties=RACING,
    happened=("overlap", "ok:Buy", "refused:lead_unavailable"),
)

completions_opposite_order = Scenario(
    name="overlapping-completions-opposite-order",
    theory="Completion locks the leads of its purchase; in the order of the items, two can lock each other out.",
    start=Start(
        {"A": Decimal(50), "B": Decimal(50)},
        TWO_LEADS,
        {"p": PurchaseStart("A", ("L1", "L2")), "q": PurchaseStart("B", ("L2", "L1"))},
    ),
    sessions={
        "alice": [CompleteCredit("p", "A", Decimal(30))],
        "bob": [CompleteCredit("q", "B", Decimal(30))],
    },
    properties=RACING,
    happened=("overlap", "ok:CompleteCredit", "refused:lead_unavailable", "wait|busy"),
)

# Neither L1 nor L3 may be sold to the one who does not get L2.
one_in_common = Scenario(
    name="one-lead-in-common",
    theory="The sets share one lead: the loser must get none of its leads, and pay for none.",
    start=Start({"A": Decimal(50), "B": Decimal(50)}, {**TWO_LEADS, "L3": LeadStart(Decimal(5))}),
    sessions={"alice": [Buy("A", ("L1", "L2"), "p")], "bob": [Buy("B", ("L2", "L3"), "q")]},
    properties=RACING,
    happened=("overlap", "ok:Buy", "refused:lead_unavailable"),
)

strangers = Scenario(
    name="two-buyers-two-leads",
    theory="Buyers who share nothing must not notice each other.",
    start=Start({"A": Decimal(50), "B": Decimal(50)}, TWO_LEADS),
    sessions={"alice": [Buy("A", ("L1",), "p")], "bob": [Buy("B", ("L2",), "q")]},
    properties=RACING,
    happened=("overlap", "ok:Buy"),
)
