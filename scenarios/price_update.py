"""A writer who is no buyer: sellers change prices while their leads are being bought.

NOWAIT reports any lock as a conflict, and a row lock does not say who holds it: a price update makes a free lead look
sold. And whoever waits for that update while holding the credits of a workspace makes all its purchases wait.
"""

from decimal import Decimal

from harness.marketplace.operations import Buy, CompleteCredit, UpdatePrice, Validate
from harness.marketplace.properties import RACING
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, PurchaseStart, Start

against_validate = Scenario(
    name="price-update-against-validate",
    theory="A lead whose price is being changed is not sold: validate may wait a moment, but must not refuse.",
    start=Start({"A": Decimal(50)}, {"L1": LeadStart(Decimal(10))}),
    sessions={"seller": [UpdatePrice("L1", Decimal(12))], "alice": [Validate("A", ("L1",))]},
    properties=("serializable", "no-deadlock", "no-hang", "fails-fast", "no-false-conflict"),
    happened=("overlap", "ok:UpdatePrice", "ok:Validate"),
)

against_buy = Scenario(
    name="price-update-against-purchase",
    theory="The price changes while the lead is being bought: the buyer pays the old price or the new one.",
    start=Start({"A": Decimal(50)}, {"L1": LeadStart(Decimal(10))}),
    sessions={"seller": [UpdatePrice("L1", Decimal(12))], "alice": [Buy("A", ("L1",), "p")]},
    properties=RACING,
    happened=("overlap", "ok:UpdatePrice", "ok:Buy"),
)

against_completion = Scenario(
    name="price-update-against-completion",
    theory="The price changes after the purchase was made: its total is what its items say.",
    start=Start({"A": Decimal(50)}, {"L1": LeadStart(Decimal(10))}, {"p": PurchaseStart("A", ("L1",))}),
    sessions={"seller": [UpdatePrice("L1", Decimal(12))], "alice": [CompleteCredit("p", "A", Decimal(10))]},
    properties=RACING,
    happened=("overlap", "ok:UpdatePrice", "ok:CompleteCredit"),
)

stalled_workspace = Scenario(
    name="stalled-workspace",
    theory="A seller's open transaction holds L1; to wait for it with A's credits in hand stalls A's purchase of L2.",
    start=Start(
        {"A": Decimal(50)},
        {"L1": LeadStart(Decimal(10)), "L2": LeadStart(Decimal(10))},
        {"p": PurchaseStart("A", ("L1",)), "q": PurchaseStart("A", ("L2",))},
    ),
    sessions={
        "seller": [UpdatePrice("L1", Decimal(12))],
        "first": [CompleteCredit("p", "A", Decimal(10))],
        "unrelated": [CompleteCredit("q", "A", Decimal(10))],
    },
    properties=RACING,
    happened=("overlap", "ok:UpdatePrice", "ok:CompleteCredit", "wait"),
)
