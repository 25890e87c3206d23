"""What a function must refuse, and do exactly once, even when nobody else is there.

One client, one call after another: these need no race, and are judged by the sequential model alone.
"""

from collections.abc import Sequence
from decimal import Decimal

from harness.marketplace.operations import (
    Buy,
    CompleteCredit,
    CompleteStripe,
    Deliver,
    MarkSold,
    Operation,
    Refund,
    TopUp,
    Validate,
)
from harness.marketplace.properties import BUYING
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart

PAID, EXPIRED, REFUNDED = "checkout.session.completed", "checkout.session.expired", "charge.refunded"
TEN = Decimal(10)
ONE_LEAD = {"L1": LeadStart(TEN)}
PENDING = Start({"A": Decimal(50), "B": Decimal(50)}, ONE_LEAD, {"p": PurchaseStart("A", ("L1",))})


def contract(
    name: str,
    theory: str,
    start: Start,
    calls: Sequence[Operation],
    happened: tuple[str, ...],
    properties: tuple[str, ...] = (*BUYING, "no-false-conflict"),
) -> Scenario:
    return Scenario(f"contract-{name}", theory, start, {"client": calls}, properties, happened)


unknown_purchase = contract(
    "unknown-purchase",
    "A purchase that does not exist cannot be charged.",
    PENDING,
    [CompleteCredit("nowhere", "A", TEN)],
    ("refused:CompleteCredit",),
)

# Whatever an event says of a purchase that is not there, it is not claimed: it may come again when the row is there.
unknown_names = contract(
    "unknown-names",
    "What does not exist is not delivered, expired or refunded, and nothing else changes.",
    PENDING,
    [
        CompleteStripe("nowhere"),
        *(Deliver("evt", kind, "nowhere") for kind in (PAID, EXPIRED, REFUNDED)),
        Refund("nowhere"),
    ],
    ("refused:CompleteStripe", "refused:Deliver", "refused:Refund"),
    ("serializable", "conservation"),
)

foreign_purchase = contract(
    "foreign-purchase",
    "A purchase is charged to its own workspace, whoever calls.",
    PENDING,
    [CompleteCredit("p", "B", TEN), CompleteCredit("p", "A", TEN)],
    ("refused:CompleteCredit", "ok:CompleteCredit"),
)

wrong_amount = contract(
    "wrong-amount",
    "The amount must be the total, to the last digit: neither a cent for everything nor a cent too much.",
    PENDING,
    [CompleteCredit("p", "A", Decimal(amount)) for amount in ("0.01", "9.99", "10.01", "10")],
    ("refused:CompleteCredit", "ok:CompleteCredit"),
)

negative_amount = contract(
    "negative-amount",
    "A negative amount would add credits, and nothing would be free.",
    PENDING,
    [CompleteCredit("p", "A", Decimal(amount)) for amount in ("-10", "0", "NaN")],
    ("refused:CompleteCredit",),
)

wrong_method = contract(
    "wrong-method",
    "A purchase is completed by the way in which it is paid, and by no other.",
    Start(
        {"A": Decimal(50)},
        {**ONE_LEAD, "L2": LeadStart(TEN)},
        {"p": PurchaseStart("A", ("L1",)), "q": PurchaseStart("A", ("L2",), method="stripe")},
    ),
    [CompleteCredit("q", "A", TEN), CompleteStripe("p"), CompleteStripe("q"), CompleteCredit("q", "A", TEN)],
    ("refused:CompleteCredit", "refused:CompleteStripe", "ok:CompleteStripe"),
)

repeated_completion = contract(
    "repeated-completion",
    "Three calls charge once, and all three get the first answer.",
    PENDING,
    [CompleteCredit("p", "A", TEN)] * 3,
    ("ok:CompleteCredit", "replayed"),
)

insufficient = contract(
    "insufficient-credits",
    "A purchase for more than there is changes nothing; one for exactly what there is leaves zero.",
    Start({"A": Decimal(9), "B": TEN}, {**ONE_LEAD, "L2": LeadStart(TEN)}),
    [Buy("A", ("L1",), "p"), Buy("B", ("L1",), "q"), Buy("A", ("L2",), "r")],
    ("ok:Buy", "refused:insufficient_credits"),
)

# An integer balance would round each of them away.
rounding = contract(
    "rounding",
    "Twenty purchases of 0.05 cost exactly one credit.",
    Start(
        {"A": Decimal(10)},
        {f"L{n}": LeadStart(Decimal("0.05")) for n in range(1, 21)},
        {f"p{n}": PurchaseStart("A", (f"L{n}",)) for n in range(1, 21)},
    ),
    [CompleteCredit(f"p{n}", "A", Decimal("0.05")) for n in range(1, 21)],
    ("ok:CompleteCredit",),
)

not_pending = contract(
    "purchase-not-pending",
    "What was cancelled, failed or refunded cannot be completed.",
    Start(
        {"A": Decimal(50)},
        {"L1": LeadStart(TEN), "L2": LeadStart(TEN), "L3": LeadStart(TEN, status="sold")},
        {
            "p": PurchaseStart("A", ("L1",), status="cancelled"),
            "q": PurchaseStart("A", ("L2",), status="failed"),
            "r": PurchaseStart("A", ("L3",), status="refunded"),
        },
    ),
    [CompleteCredit(name, "A", TEN) for name in ("p", "q", "r")],
    ("refused:CompleteCredit",),
)

malformed_lists = contract(
    "malformed-lead-lists",
    "Nothing, NULL and the same lead twice are no lists of leads to buy.",
    Start({"A": Decimal(50)}, ONE_LEAD),
    [Validate("A", ()), Validate("A", None), Validate("A", ("L1", "L1")), Validate("A", ("L1",))],
    ("refused:Validate", "ok:Validate"),
    ("serializable", "no-false-conflict"),
)

duplicate_leads = contract(
    "duplicate-leads",
    "A lead that is listed twice is not paid for twice.",
    Start({"A": Decimal(50)}, ONE_LEAD),
    [Buy("A", ("L1", "L1"), "p")],
    ("refused:Buy",),
)

not_for_sale = contract(
    "not-for-sale",
    "One's own lead, one without a price, an unlisted, a sold and an unknown one are refused, alone and in company.",
    Start(
        {"A": Decimal(50), "B": Decimal(50)},
        {
            "L1": LeadStart(TEN),
            "own": LeadStart(TEN, seller="A"),
            "unpriced": LeadStart(None),
            "unlisted": LeadStart(TEN, status="unlisted"),
            "sold": LeadStart(TEN, status="sold"),
        },
    ),
    [
        *(Validate("A", (lead,)) for lead in ("own", "unpriced", "unlisted", "sold", "unknown")),
        *(Validate("A", ("L1", lead)) for lead in ("own", "unpriced", "unlisted", "sold", "unknown")),
        Validate("B", ("L1", "own")),
    ],
    ("refused:Validate", "ok:Validate"),
    ("serializable", "no-false-conflict"),
)

reserved_lead = contract(
    "reserved-lead",
    "A lead that somebody is paying for is refused to others, and not to them.",
    Start(
        {"A": Decimal(50), "B": Decimal(50)},
        ONE_LEAD,
        {"p": PurchaseStart("A", ("L1",), method="stripe", reserved="held")},
    ),
    [Validate("B", ("L1",)), Validate("A", ("L1",))],
    ("refused:lead_reserved", "ok:Validate"),
    ("serializable", "no-false-conflict"),
)

bulk_marking = contract(
    "bulk-marking",
    "Unknown, repeated and already sold ids are not counted, and nothing is not an error.",
    Start({"A": Decimal(0)}, {**ONE_LEAD, "L2": LeadStart(TEN, status="sold")}),
    [MarkSold(("L1", "L1", "L2", "unknown")), MarkSold(("L1", "L2")), MarkSold(()), MarkSold(None)],
    ("ok:MarkSold",),
    ("sold-once", "all-or-nothing", "no-lost-acknowledgement", "serializable"),
)

stripe_replay = contract(
    "stripe-replay",
    "Five deliveries of one payment, and a direct call, sell each lead once.",
    Start(
        {"A": Decimal(0)},
        {**ONE_LEAD, "L2": LeadStart(TEN)},
        {"p": PurchaseStart("A", ("L1", "L2"), method="stripe")},
    ),
    [*[Deliver("evt", PAID, "p")] * 5, CompleteStripe("p")],
    ("ok:Deliver", "replayed"),
    (*BUYING, "webhook-idempotent", "paid-is-served"),
)

refunds = contract(
    "refund",
    "A refund gives the money back once; the lead stays sold, and a late completion changes nothing.",
    PENDING,
    [CompleteCredit("p", "A", TEN), Refund("p"), Refund("p"), CompleteCredit("p", "A", TEN), Buy("B", ("L1",), "q")],
    ("ok:Refund", "refused:CompleteCredit", "refused:lead_unavailable"),
)

top_up = contract(
    "top-up",
    "A top-up brings the amount of its pending row, once.",
    Start({"A": Decimal(0)}, ONE_LEAD, top_ups={"t": TopUpStart("A", TEN)}),
    [Buy("A", ("L1",), "p"), TopUp("t"), TopUp("t"), Buy("A", ("L1",), "q")],
    ("ok:TopUp", "replayed", "refused:insufficient_credits", "ok:Buy"),
    (*BUYING, "webhook-idempotent", "no-false-conflict"),
)
