"""If any step fails, all steps roll back: no money taken, no lead sold, no purchase completed.

The nemesis cancels whatever statement its victim is executing. Explored over all schedules, that fails the purchase at
every one of its statements.
"""

from decimal import Decimal

from harness.marketplace.block import Nemesis
from harness.marketplace.operations import Buy, CompleteCredit, CompleteStripe
from harness.marketplace.properties import BUYING, RACING, STRIPE
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, PurchaseStart, Start
from harness.words.fault import CANCEL

TWO_LEADS = {"L1": LeadStart(Decimal(10)), "L2": LeadStart(Decimal(20))}

buyer_cancelled = Scenario(
    name="purchase-cancelled-anywhere",
    theory="A purchase dies at any of its statements: afterwards it happened whole or not at all.",
    start=Start({"A": Decimal(50)}, TWO_LEADS),
    sessions={"alice": [Buy("A", ("L1", "L2"), "p")], "nemesis": Nemesis("alice", CANCEL)},
    properties=(*BUYING, "no-leak"),
    happened=("cancelled", "failed:57014|failed:try_again", "ok:Buy"),
)

another_buyer = Scenario(
    name="purchase-cancelled-beside-a-buyer",
    theory="Bob waits for a lead that Alice is buying when she is cut off: he gets it, and she pays nothing.",
    start=Start({"A": Decimal(50), "B": Decimal(50)}, {"L1": LeadStart(Decimal(10))}),
    sessions={"alice": [Buy("A", ("L1",), "p")], "bob": [Buy("B", ("L1",), "q")], "nemesis": Nemesis("alice", CANCEL)},
    properties=(*RACING, "no-leak"),
    happened=("overlap", "cancelled", "failed:57014|failed:try_again", "ok:Buy", "refused:lead_unavailable"),
)

completion_retried = Scenario(
    name="completion-cancelled-and-retried",
    theory="A completion is cut off and tried again by its client: charged once, whichever of the two went through.",
    start=Start({"A": Decimal(50)}, TWO_LEADS, {"p": PurchaseStart("A", ("L1", "L2"))}),
    sessions={
        "alice": [CompleteCredit("p", "A", Decimal(30)), CompleteCredit("p", "A", Decimal(30))],
        "nemesis": Nemesis("alice", CANCEL),
    },
    properties=(*BUYING, "no-leak"),
    happened=("cancelled", "failed:57014", "ok:CompleteCredit", "replayed"),
)

stripe_completion_retried = Scenario(
    name="stripe-completion-cancelled-and-retried",
    theory="A Stripe completion is cut off and tried again: the leads are delivered, each counted once.",
    start=Start({"A": Decimal(0)}, TWO_LEADS, {"p": PurchaseStart("A", ("L1", "L2"), method="stripe")}),
    sessions={"stripe": [CompleteStripe("p"), CompleteStripe("p")], "nemesis": Nemesis("stripe", CANCEL)},
    properties=(*[each for each in STRIPE if each not in ("no-deadlock", "no-hang")], "webhook-idempotent"),
    happened=("cancelled", "failed:57014", "ok:CompleteStripe", "replayed"),
)
