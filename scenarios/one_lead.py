"""One lead, several buyers: at most one of them gets it, and only that one pays.

A check outlives its lock when each call is a transaction of its own: validate says yes to everybody, the completion
believes it, and the lead is sold as often as it was asked for.
"""

from decimal import Decimal

from harness.marketplace.operations import Buy, CompleteCredit
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, PurchaseStart, Start

SALE = ("sold-once", "no-overdraft", "conservation", "charged-once", "all-or-nothing", "terminal-states")
RACE = (*SALE, "no-lost-acknowledgement", "serializable", "no-deadlock", "no-hang", "no-false-conflict")

two_buyers = Scenario(
    name="two-buyers-one-lead",
    theory="Both buyers validate while the lead is free; if completion does not look again, both are charged.",
    start=Start({"A": Decimal(50), "B": Decimal(50)}, {"L1": LeadStart(Decimal(10))}),
    sessions={"alice": [Buy("A", ("L1",), "p")], "bob": [Buy("B", ("L1",), "q")]},
    properties=RACE,
    # The loser learns it before the winner commits (busy) or after (refused): both must have been seen to be tested.
    happened=("overlap", "ok:Buy", "refused:lead_unavailable", "wait|busy"),
)

three_buyers = Scenario(
    name="three-buyers-one-lead",
    theory="With three, two can wait for the first in a queue: each that is woken must look at the lead anew.",
    start=Start({"A": Decimal(50), "B": Decimal(50), "C": Decimal(50)}, {"L1": LeadStart(Decimal(10))}),
    sessions={
        "alice": [Buy("A", ("L1",), "p")],
        "bob": [Buy("B", ("L1",), "q")],
        "carol": [Buy("C", ("L1",), "r")],
    },
    properties=RACE,
    happened=("overlap", "ok:Buy", "refused:lead_unavailable"),
)

# Both purchases were created while the lead was free, so nothing but the completion itself can notice.
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
    properties=RACE,
    happened=("overlap", "ok:CompleteCredit", "refused:lead_unavailable", "wait|busy"),
)
