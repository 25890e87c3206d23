"""Credits, reservations, bulk marking and prices: what repeats itself has its effect once."""

from decimal import Decimal

from harness.faults.case import Case
from harness.marketplace.operations import Buy, BuyCredits, MarkSold, Refund, Sweep, TopUp, UpdatePrice
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart

TEN = Decimal(10)

top_up = Case(
    "top-up",
    "A top-up is credited once, though its webhook dies anywhere and comes again.",
    Start({"A": Decimal(10)}, {"L1": LeadStart(TEN)}, top_ups={"t": TopUpStart("A", Decimal(40))}),
    (TopUp("t"), TopUp("t")),
    (Buy("A", ("L1",), "q"),),
)

buy_credits = Case(
    "buy-credits",
    "An order of credits dies anywhere and is sent again with its key: one pending top-up, and no key is stuck.",
    Start({"A": Decimal(10)}, {"L1": LeadStart(TEN)}),
    (BuyCredits("A", Decimal(20), "t", "k"), BuyCredits("A", Decimal(20), "u", "k")),
    (Buy("A", ("L1",), "q"),),
)

refund_credits = Case(
    "refund-credits",
    "A purchase with credits is refunded once: the money goes back whole, the lead stays sold.",
    Start(
        {"A": Decimal(40)},
        {"L1": LeadStart(TEN, status="sold"), "L2": LeadStart(TEN)},
        {"p": PurchaseStart("A", ("L1",), status="completed")},
    ),
    (Refund("p"), Refund("p")),
    (Buy("A", ("L2",), "q"),),
)

sweep = Case(
    "sweep",
    "A sweep dies anywhere: each purchase is cancelled with its reservations freed, or as it was.",
    Start(
        {"A": Decimal(0), "B": Decimal(50)},
        {"L1": LeadStart(TEN), "L2": LeadStart(TEN)},
        {
            "p": PurchaseStart("A", ("L1",), method="stripe", reserved="expired"),
            "o": PurchaseStart("A", ("L2",), method="stripe", reserved="expired"),
        },
    ),
    (Sweep(), Sweep()),
    (Buy("B", ("L1",), "q"),),
)

mark_sold = Case(
    "mark-sold",
    "A bulk marking dies half-way: it has marked nothing, and can be done again.",
    Start({"A": Decimal(0), "B": Decimal(50)}, {"L1": LeadStart(TEN), "L2": LeadStart(TEN)}),
    (MarkSold(("L1", "L2")), MarkSold(("L1", "L2"))),
    (Buy("B", ("L2",), "q"),),
)

update_price = Case(
    "update-price",
    "A price is changed, or not.",
    Start({"A": Decimal(0), "B": Decimal(50)}, {"L1": LeadStart(TEN)}),
    (UpdatePrice("L1", Decimal(12)), UpdatePrice("L1", Decimal(12))),
    (Buy("B", ("L1",), "q"),),
)
