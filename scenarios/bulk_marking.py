"""Bulk marking sells without a buyer: it may take only what is free, and count it once.

An update that does not look at the lead's status marks again what a buyer has just bought.
"""

from decimal import Decimal

from harness.marketplace.block import Nemesis
from harness.marketplace.operations import Buy, CompleteCredit, MarkSold
from harness.marketplace.properties import RACING, WAITING
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, PurchaseStart, Start
from harness.words.fault import CANCEL

TWO_LEADS = {"L1": LeadStart(Decimal(10)), "L2": LeadStart(Decimal(20))}

against_purchase = Scenario(
    name="bulk-marking-against-purchase",
    theory="A bulk marking takes in a lead that somebody is buying: it goes to one of them, and is counted once.",
    start=Start({"A": Decimal(50)}, TWO_LEADS),
    sessions={"admin": [MarkSold(("L1", "L2"))], "alice": [Buy("A", ("L1",), "p")]},
    properties=RACING,
    happened=("overlap", "ok:MarkSold", "ok:Buy", "refused:lead_unavailable|busy"),
)

against_completion = Scenario(
    name="bulk-marking-against-completion",
    theory="Marking and completion lock several leads each: in different orders they lock each other out.",
    start=Start({"A": Decimal(50)}, TWO_LEADS, {"p": PurchaseStart("A", ("L1", "L2"))}),
    sessions={"admin": [MarkSold(("L2", "L1"))], "alice": [CompleteCredit("p", "A", Decimal(30))]},
    properties=RACING,
    happened=("overlap", "ok:MarkSold", "ok:CompleteCredit", "refused:lead_unavailable|busy"),
)

twice_at_once = Scenario(
    name="two-bulk-markings-at-once",
    theory="Two markings with overlapping lists, in opposite order: each lead is counted once.",
    start=Start({"A": Decimal(0)}, TWO_LEADS),
    sessions={"admin": [MarkSold(("L1", "L2"))], "other": [MarkSold(("L2", "L1"))]},
    properties=("sold-once", "no-lost-acknowledgement", "serializable", *WAITING),
    happened=("overlap", "ok:MarkSold", "wait|busy"),
)

cancelled = Scenario(
    name="bulk-marking-cancelled",
    theory="A marking that is cut off half-way marks nothing, and can be done again.",
    start=Start({"A": Decimal(0)}, TWO_LEADS),
    sessions={"admin": [MarkSold(("L1", "L2")), MarkSold(("L1", "L2"))], "nemesis": Nemesis("admin", CANCEL)},
    properties=("sold-once", "all-or-nothing", "no-lost-acknowledgement", "serializable"),
    happened=("cancelled", "failed:57014", "ok:MarkSold"),
)
