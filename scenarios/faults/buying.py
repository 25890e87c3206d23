"""A buyer whose purchase goes wrong half-way tries again, under a new purchase: paid and served once, or not at all."""

from decimal import Decimal

from harness.faults.case import Case
from harness.marketplace.operations import Buy, Checkout, CompleteCredit, Read, Request, UpdatePrice, Validate
from harness.marketplace.start import LeadStart, PurchaseStart, Start

TEN = Decimal(10)
TWO_LEADS = {"L1": LeadStart(TEN), "L2": LeadStart(Decimal(20))}
RICH = Start({"A": Decimal(50), "B": Decimal(50)}, TWO_LEADS)
PENDING = Start({"A": Decimal(50), "B": Decimal(50)}, TWO_LEADS, {"p": PurchaseStart("A", ("L1", "L2"))})

validate = Case(
    "validate",
    "A validation keeps nothing, however it ends.",
    RICH,
    (Validate("A", ("L1", "L2")), Validate("A", ("L1", "L2"))),
    (UpdatePrice("L2", Decimal(20)),),
)

buy = Case(
    "buy",
    "A purchase of two leads dies anywhere: charged and served whole or not at all, also when it is tried again.",
    RICH,
    (Buy("A", ("L1", "L2"), "p"), Buy("A", ("L1", "L2"), "q")),
    (Buy("B", ("L2",), "r"),),
)

buy_poor = Case(
    "buy-without-credits",
    "A purchase that is refused leaves nothing, wherever it dies.",
    Start({"A": Decimal(25), "B": Decimal(50)}, TWO_LEADS),
    (Buy("A", ("L1", "L2"), "p"), Buy("A", ("L1",), "q")),
    (Buy("B", ("L2",), "r"),),
)

checkout = Case(
    "checkout",
    "A checkout dies anywhere: its leads are held by one purchase of this buyer, or free.",
    RICH,
    (Checkout("A", ("L1",), "p"), Checkout("A", ("L1",), "q")),
    (Buy("B", ("L1",), "r"),),
)

request = Case(
    "request",
    "A request with an idempotency key dies anywhere and is sent again: one purchase, and the key is never stuck.",
    RICH,
    (Request("A", ("L1",), "p", "k"), Request("A", ("L1",), "q", "k")),
    (Buy("B", ("L1",), "r"),),
)

read = Case(
    "read",
    "A purchase is shown as it is, or not at all.",
    PENDING,
    (Read("A", "p"), Read("A", "p")),
    (CompleteCredit("p", "A", Decimal(30)),),
)

complete_credit = Case(
    "complete-credit",
    "A pending purchase is completed and the client asks again: charged once, whatever it was told.",
    PENDING,
    (CompleteCredit("p", "A", Decimal(30)), CompleteCredit("p", "A", Decimal(30))),
    (Buy("B", ("L1",), "r"),),
)
