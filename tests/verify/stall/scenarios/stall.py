"""What a stall with one function can be asked."""

from decimal import Decimal

from harness.marketplace.operations import Buy
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, Start

START = Start({"A": Decimal(50), "B": Decimal(50)}, {"L1": LeadStart(Decimal(10))})
BUYERS = {"alice": [Buy("A", ("L1",), "p")], "bob": [Buy("B", ("L1",), "q")]}
PROPERTIES = ("sold-once", "no-overdraft", "serializable", "no-deadlock")

race = Scenario(
    "stall-race",
    "Two buyers want the same contact.",
    START,
    BUYERS,
    PROPERTIES,
    ("overlap", "wait", "ok:Buy", "refused:lead_unavailable"),
)

alone = Scenario(
    "stall-alone",
    "One buyer, who can pay.",
    START,
    {"alice": [Buy("A", ("L1",), "p")]},
    PROPERTIES,
    ("ok:Buy",),
)

never = Scenario(
    "stall-never",
    "It asks for something that never happens.",
    START,
    BUYERS,
    PROPERTIES,
    ("ok:Buy", "refused:out_of_stock"),
)
