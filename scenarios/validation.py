"""A customer asks whether leads can be bought, and is told at once: yes, no, or that another buyer is at them.

Whoever waits for another buyer waits for as long as that one's purchase takes, and mostly to hear no. The locks of rows
cannot tell buyers from sellers, for whom one does wait (``price_update.py``).
"""

from decimal import Decimal

from harness.marketplace.operations import Buy, CompleteCredit, Validate
from harness.marketplace.properties import WAITING
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, PurchaseStart, Start

RICH = {"A": Decimal(50), "B": Decimal(50)}
ONE = {"L1": LeadStart(Decimal(10))}
ASKING = ("serializable", *WAITING, "fails-fast", "no-false-conflict")

against_purchase = Scenario(
    name="validation-against-purchase",
    theory="Bob asks for a lead that Alice is buying: he is told so at once, and does not wait for her.",
    start=Start(RICH, ONE),
    sessions={"alice": [Buy("A", ("L1",), "p")], "bob": [Validate("B", ("L1",))]},
    properties=ASKING,
    happened=("overlap", "ok:Buy", "ok:Validate", "busy|refused:lead_unavailable"),
)

against_completion = Scenario(
    name="validation-against-completion",
    theory="The same with a purchase that was made before: its completion, too, must show that a buyer is at the lead.",
    start=Start(RICH, ONE, {"p": PurchaseStart("A", ("L1",))}),
    sessions={"alice": [CompleteCredit("p", "A", Decimal(10))], "bob": [Validate("B", ("L1",))]},
    properties=ASKING,
    happened=("overlap", "ok:CompleteCredit", "ok:Validate", "busy|refused:lead_unavailable"),
)
