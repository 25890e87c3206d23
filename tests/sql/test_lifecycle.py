"""A purchase from its creation to its end, and a top-up, when nobody else is there: every answer and every effect.

The same cases run on the functions with scheduling points in them, which must not behave otherwise in anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart
from tests.sql.shop import A, Case, Named, Shop, lead, opened, purchase, workspace

STATUSES = ("pending", "completed", "failed", "cancelled", "refunded", "refund_required")

START = Start(
    {"A": Decimal(50), "B": Decimal(50), "seller": Decimal(0)},
    {
        "L1": LeadStart(Decimal("9999999999.99")),
        "L2": LeadStart(Decimal("0.01")),
        "L3": LeadStart(Decimal(10)),
        "Lheld": LeadStart(Decimal(10)),
        "Llapsed": LeadStart(Decimal(10)),
        "Lsold": LeadStart(Decimal(10), status="sold"),
    },
    {
        **{f"card {status}": PurchaseStart("A", ("L3",), method="stripe", status=status) for status in STATUSES},
        **{f"credits {status}": PurchaseStart("A", ("L3",), status=status) for status in STATUSES},
        "held": PurchaseStart("B", ("Lheld", "L3"), method="stripe", reserved="held"),
        "lapsed": PurchaseStart("B", ("Llapsed",), method="stripe", reserved="expired"),
        "lapsed too": PurchaseStart("A", ("Lheld", "Llapsed"), reserved="expired"),
        "lapsed before": PurchaseStart("A", ("L3",), method="stripe", status="completed", reserved="expired"),
    },
    {"top-up": TopUpStart("A", Decimal("5.05")), "seller's": TopUpStart("seller", Decimal(1))},
)
LAPSED = {"lapsed is": "cancelled", "lapsed too is": "cancelled"}


@pytest.fixture(scope="module")
def filled(session: psycopg.Connection[Any]) -> Iterator[Shop]:
    with opened(session, START) as shop:
        yield shop


@pytest.fixture
def shop(filled: Shop) -> Iterator[Shop]:
    with filled.undone():
        yield filled


CREATE = "create_lead_purchase"
NEW = Named("purchase", "new")

CREATIONS = (
    Case(
        "with credits",
        (CREATE, NEW, A, lead("L2", "L1"), "credits"),
        [{"purchase_id": "new", "total": 10**10}],
        {"new is": "pending", "new buys": "L1 L2"},
    ),
    Case(
        "by card, and the leads are held",
        (CREATE, NEW, A, lead("L2"), "stripe"),
        [{"purchase_id": "new", "total": Decimal("0.01")}],
        {"new is": "pending", "new buys": "L2", "new holds": "L2"},
    ),
    Case(
        "for nobody else",
        (CREATE, NEW, A, lead("L2"), "credits"),
        "lead_reserved",
        first=((CREATE, Named("purchase", "other"), workspace("B"), lead("L2"), "stripe"),),
    ),
    Case(
        "the own reservation is none",
        (CREATE, NEW, A, lead("L2"), "credits"),
        [{"purchase_id": "new", "total": Decimal("0.01")}],
        {"new is": "pending", "new buys": "L2"},
        first=((CREATE, Named("purchase", "other"), A, lead("L2"), "stripe"),),
    ),
    Case("by cash", (CREATE, NEW, A, lead("L2"), "cash"), "wrong_payment_method"),
    Case("by nothing", (CREATE, NEW, A, lead("L2"), None), "wrong_payment_method"),
    Case("of nothing", (CREATE, NEW, A, [], "credits"), "no_leads"),
    Case("of a lead twice", (CREATE, NEW, A, lead("L2", "L2"), "credits"), "duplicate_leads"),
    Case("of a sold lead", (CREATE, NEW, A, lead("L2", "Lsold"), "stripe"), "lead_unavailable"),
    Case("for nobody", (CREATE, NEW, None, lead("L2"), "credits"), "workspace_not_found"),
    Case("for an unknown workspace", (CREATE, NEW, workspace("nobody"), lead("L2"), "credits"), "23503"),
    Case("without an id", (CREATE, None, A, lead("L2"), "credits"), "23502"),
    Case("with an id that is taken", (CREATE, purchase("card pending"), A, lead("L2"), "credits"), "23505"),
)

EXPIRE = "expire_lead_purchase"


def ended(success: bool, already: bool) -> list[dict[str, Any]]:
    return [{"success": success, "already_completed": already}]


DONE, OVER = ended(True, False), ended(False, True)

EXPIRIES = (
    Case("frees the leads", (EXPIRE, purchase("held")), DONE, {"held is": "cancelled", "held holds": None}),
    Case("again", (EXPIRE, purchase("held")), OVER, first=((EXPIRE, purchase("held")),)),
    Case("failed", (EXPIRE, purchase("held"), "failed"), DONE, {"held is": "failed", "held holds": None}),
    Case("with credits", (EXPIRE, purchase("credits pending")), DONE, {"credits pending is": "cancelled"}),
    *(
        Case(f"{status}", (EXPIRE, purchase(f"card {status}")), OVER)
        for status in ("completed", "failed", "cancelled", "refunded", "refund_required")
    ),
    Case("an unknown purchase", (EXPIRE, purchase("nothing")), "purchase_not_found"),
    Case("no purchase", (EXPIRE, None), "purchase_not_found"),
    Case("as completed", (EXPIRE, purchase("held"), "completed"), "wrong_status"),
    Case("as nothing", (EXPIRE, purchase("held"), None), "wrong_status"),
)

SWEEP = "sweep_expired_reservations"

SWEEPS = (
    Case("cancels what has expired", (SWEEP,), [{"purchases_cancelled": 2}], LAPSED),
    Case("again", (SWEEP,), [{"purchases_cancelled": 0}], first=((SWEEP,),)),
    Case(
        "but not what was paid",
        (SWEEP,),
        [{"purchases_cancelled": 1}],
        {"lapsed too is": "cancelled"},
        first=(("complete_stripe_lead_purchase", purchase("lapsed")),),
    ),
)

REFUND = "refund_lead_purchase"

REFUNDS = (
    Case(
        "credits go back",
        (REFUND, purchase("credits completed")),
        DONE,
        {"credits completed is": "refunded", "A has": "60"},
    ),
    Case("once", (REFUND, purchase("credits completed")), OVER, first=((REFUND, purchase("credits completed")),)),
    Case("refunded before", (REFUND, purchase("credits refunded")), OVER),
    *(
        Case(f"credits {status}", (REFUND, purchase(f"credits {status}")), "purchase_not_refundable")
        for status in ("pending", "failed", "cancelled", "refund_required")
    ),
    *(
        Case(f"card {status}", (REFUND, purchase(f"card {status}")), DONE, {f"card {status} is": "refunded"})
        for status in ("pending", "completed", "failed", "cancelled", "refund_required")
    ),
    Case("card refunded", (REFUND, purchase("card refunded")), OVER),
    Case("frees the leads", (REFUND, purchase("held")), DONE, {"held is": "refunded", "held holds": None}),
    Case("an unknown purchase", (REFUND, purchase("nothing")), "purchase_not_found"),
    Case("no purchase", (REFUND, None), "purchase_not_found"),
)

EVENT = "apply_stripe_event"
PAID, EXPIRED, REFUNDED = "checkout.session.completed", "checkout.session.expired", "charge.refunded"
PAID_LATE, FAILED = "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed"


def applied(*leads: str, success: bool = True, already: bool = False) -> list[dict[str, Any]]:
    return [{"success": success, "already_completed": already, "lead_ids_marked": list(leads)}]


REPLAYED = applied(success=False, already=True)

EVENTS = (
    Case(
        "paid",
        (EVENT, "e", PAID, purchase("lapsed"), "https://files/1"),
        applied("Llapsed"),
        {"lapsed is": "completed", "Llapsed is": "sold 1"},
    ),
    Case(
        "paid late",
        (EVENT, "e", PAID_LATE, purchase("lapsed")),
        applied("Llapsed"),
        {"lapsed is": "completed", "Llapsed is": "sold 1"},
    ),
    Case(
        "paid, with nothing to deliver",
        (EVENT, "e", PAID, purchase("card cancelled")),
        applied(success=False),
        {"card cancelled is": "refund_required"},
    ),
    Case("expired", (EVENT, "e", EXPIRED, purchase("held")), applied(), {"held is": "cancelled", "held holds": None}),
    Case("failed", (EVENT, "e", FAILED, purchase("held")), applied(), {"held is": "failed", "held holds": None}),
    Case("expired after the payment", (EVENT, "e", EXPIRED, purchase("card completed")), REPLAYED),
    Case("refunded", (EVENT, "e", REFUNDED, purchase("card completed")), applied(), {"card completed is": "refunded"}),
    Case("refunded again", (EVENT, "e", REFUNDED, purchase("card refunded")), REPLAYED),
    Case(
        "the same event again",
        (EVENT, "e", PAID, purchase("lapsed")),
        REPLAYED,
        first=((EVENT, "e", PAID, purchase("lapsed")),),
    ),
    Case(
        "the same event, whatever it says now",
        (EVENT, "e", "nonsense", purchase("held")),
        REPLAYED,
        first=((EVENT, "e", PAID, purchase("lapsed")),),
    ),
    Case(
        "another event of the same payment",
        (EVENT, "f", PAID, purchase("lapsed")),
        REPLAYED,
        first=((EVENT, "e", PAID, purchase("lapsed")),),
    ),
    Case("an unknown purchase", (EVENT, "e", PAID, purchase("nothing")), "purchase_not_found"),
    Case("not with credits", (EVENT, "e", PAID, purchase("credits pending")), "wrong_payment_method"),
    Case("nothing to refund", (EVENT, "e", REFUNDED, purchase("credits pending")), "purchase_not_refundable"),
    Case("an unknown type", (EVENT, "e", "charge.succeeded", purchase("held")), "unknown_event_type"),
    Case("no event", (EVENT, None, PAID, purchase("held")), "23502"),
    Case("no type", (EVENT, "e", None, purchase("held")), "23502"),
)

TOP_UP = "complete_credit_top_up"


def credited(balance: Any, *, already: bool = False) -> list[dict[str, Any]]:
    answer = {"success": True, "already_completed": already, "new_credit_balance": balance, "error_message": None}
    return [answer]


UNKNOWN = {
    "success": False,
    "already_completed": False,
    "new_credit_balance": None,
    "error_message": "top_up_not_found",
}

TOP_UPS = (
    Case(
        "credits the amount of its row",
        (TOP_UP, Named("top_up", "top-up")),
        credited(Decimal("55.05")),
        {"A has": "55.05", "top-up is": "completed"},
    ),
    Case(
        "to its own workspace",
        (TOP_UP, Named("top_up", "seller's")),
        credited(1),
        {"seller has": "1", "seller's is": "completed"},
    ),
    Case(
        "again",
        (TOP_UP, Named("top_up", "top-up")),
        credited(Decimal("55.05"), already=True),
        first=((TOP_UP, Named("top_up", "top-up")), (REFUND, purchase("credits completed"))),
    ),
    Case("an unknown one", (TOP_UP, Named("top_up", "nothing")), [UNKNOWN]),
    Case("none", (TOP_UP, None), [UNKNOWN]),
)


@pytest.mark.parametrize("case", CREATIONS, ids=lambda case: case.what)
def test_create(shop: Shop, case: Case) -> None:
    case.check(shop)


@pytest.mark.parametrize("case", EXPIRIES, ids=lambda case: case.what)
def test_expire(shop: Shop, case: Case) -> None:
    case.check(shop)


@pytest.mark.parametrize("case", SWEEPS, ids=lambda case: case.what)
def test_sweep(shop: Shop, case: Case) -> None:
    case.check(shop)


@pytest.mark.parametrize("case", REFUNDS, ids=lambda case: case.what)
def test_refund(shop: Shop, case: Case) -> None:
    case.check(shop)


@pytest.mark.parametrize("case", EVENTS, ids=lambda case: case.what)
def test_event(shop: Shop, case: Case) -> None:
    case.check(shop)


@pytest.mark.parametrize("case", TOP_UPS, ids=lambda case: case.what)
def test_top_up(shop: Shop, case: Case) -> None:
    case.check(shop)


def test_a_refused_event_is_not_claimed(shop: Shop) -> None:
    Case("refused", (EVENT, "e", PAID, purchase("new")), "purchase_not_found").check(shop)
    shop.ask(CREATE, NEW, A, lead("L2"), "stripe")
    assert shop.ask(EVENT, "e", PAID, NEW) == applied("L2")
