"""What the functions of the reference subject answer and change when nobody else is there: every refusal, every limit.

The same cases run on the functions with scheduling points in them, which must not behave otherwise in anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.marketplace.start import LeadStart, PurchaseStart, Start
from tests.sql.shop import A, B, Case, Shop, lead, opened, purchase, workspace

START = Start(
    {"A": Decimal(50), "B": Decimal(50), "seller": Decimal(0)},
    {
        "L1": LeadStart(Decimal(10)),
        "L2": LeadStart(Decimal("20.05")),
        "L3": LeadStart(Decimal(50)),
        "L4": LeadStart(Decimal("50.01")),
        "Lfree": LeadStart(Decimal(0)),
        "Lheld": LeadStart(Decimal(10)),
        "Llapsed": LeadStart(Decimal(10)),
        "Lmine": LeadStart(Decimal(10)),
        "Lown": LeadStart(Decimal(10), seller="A"),
        "Lsold": LeadStart(Decimal(10), status="sold"),
        "Lunlisted": LeadStart(Decimal(10), status="unlisted"),
        "Lunpriced": LeadStart(None),
    },
    {
        "one": PurchaseStart("A", ("L1",)),
        "two": PurchaseStart("A", ("L1", "L2")),
        "all": PurchaseStart("A", ("L2", "Lfree", "L1")),
        "free": PurchaseStart("A", ("Lfree",)),
        "dear": PurchaseStart("A", ("L3",)),
        "dearer": PurchaseStart("A", ("L4",)),
        "empty": PurchaseStart("A", ()),
        "done": PurchaseStart("A", ("Lsold",), status="completed"),
        "back": PurchaseStart("A", ("Lsold",), status="refunded"),
        "failed": PurchaseStart("A", ("L1",), status="failed"),
        "cancelled": PurchaseStart("A", ("L1",), status="cancelled"),
        "half": PurchaseStart("A", ("L1", "Lsold")),
        "mine": PurchaseStart("A", ("Lmine",)),
        "late": PurchaseStart("A", ("Llapsed",)),
        **{f"of {lead}": PurchaseStart("A", (lead,)) for lead in ("Lsold", "Lunlisted", "Lown", "Lunpriced", "Lheld")},
        "card": PurchaseStart("A", ("L1", "L2"), method="stripe"),
        "card none": PurchaseStart("A", (), method="stripe"),
        "card Lheld": PurchaseStart("A", ("Lheld",), method="stripe"),
        "card Lsold": PurchaseStart("A", ("L1", "Lsold"), method="stripe"),
        "card Lmine": PurchaseStart("A", ("Lmine",), method="stripe", reserved="held"),
        "B holds": PurchaseStart("B", ("Lheld",), method="stripe", reserved="held"),
        "B held": PurchaseStart("B", ("Llapsed",), method="stripe", reserved="expired"),
        **{
            f"card {status}": PurchaseStart("A", ("L1",), method="stripe", status=status)
            for status in ("completed", "refunded", "refund_required", "failed", "cancelled")
        },
    },
)


@pytest.fixture(scope="module")
def filled(session: psycopg.Connection[Any]) -> Iterator[Shop]:
    with opened(session, START) as shop:
        yield shop


@pytest.fixture
def shop(filled: Shop) -> Iterator[Shop]:
    with filled.undone():
        yield filled


VALIDATE = "validate_and_lock_leads_for_purchase"


def locked(**prices: Any) -> list[dict[str, Any]]:
    return [{"id": name, "price": price, "seller_workspace_id": "seller"} for name, price in prices.items()]


VALIDATIONS = (
    Case("one lead", (VALIDATE, lead("L1"), A), locked(L1=10)),
    Case(
        "in the order of ids, not of the request", (VALIDATE, lead("L2", "L1"), A), locked(L1=10, L2=Decimal("20.05"))
    ),
    Case("again in the same transaction", (VALIDATE, lead("L1"), A), locked(L1=10), first=((VALIDATE, lead("L1"), A),)),
    Case("a lead for nothing has a price", (VALIDATE, lead("Lfree"), A), locked(Lfree=0)),
    Case("an expired reservation is none", (VALIDATE, lead("Llapsed"), A), locked(Llapsed=10)),
    Case("the own reservation is none", (VALIDATE, lead("Lmine"), A), locked(Lmine=10)),
    Case("no list", (VALIDATE, None, A), "no_leads"),
    Case("an empty list", (VALIDATE, [], A), "no_leads"),
    Case("a lead twice", (VALIDATE, lead("L1", "L2", "L1"), A), "duplicate_leads"),
    Case("an unknown lead twice", (VALIDATE, lead("L8", "L8"), A), "duplicate_leads"),
    Case("NULL twice", (VALIDATE, [None, None], A), "duplicate_leads"),
    Case("NULL in the list", (VALIDATE, [*lead("L1"), None], A), "lead_unavailable"),
    Case("an unknown lead", (VALIDATE, lead("L1", "L8"), A), "lead_unavailable"),
    Case("a sold lead", (VALIDATE, lead("L1", "Lsold"), A), "lead_unavailable"),
    Case("an unlisted lead", (VALIDATE, lead("Lunlisted"), A), "lead_unavailable"),
    Case("an own lead", (VALIDATE, lead("Lown"), A), "own_lead"),
    Case(
        "an own lead of another", (VALIDATE, lead("Lown"), B), [{"id": "Lown", "price": 10, "seller_workspace_id": "A"}]
    ),
    Case("a lead without a price", (VALIDATE, lead("Lunpriced"), A), "lead_unpriced"),
    Case("a lead that another has reserved", (VALIDATE, lead("Lheld"), A), "lead_reserved"),
    Case("a lead that the buyer has reserved", (VALIDATE, lead("Lheld"), B), locked(Lheld=10)),
    Case("the first lead's reason is told", (VALIDATE, lead("Lunpriced", "Lheld"), A), "lead_reserved"),
    Case("no buyer", (VALIDATE, lead("L1"), None), "workspace_not_found"),
)

CREDIT = "complete_credit_lead_purchase"


def paid(balance: Any, *, already: bool = False) -> list[dict[str, Any]]:
    answer = {"success": True, "new_credit_balance": balance, "error_message": None, "already_completed": already}
    return [answer]


def unpaid(code: str) -> list[dict[str, Any]]:
    return [{"success": False, "new_credit_balance": None, "error_message": code, "already_completed": False}]


ONE = {"A has": "40", "L1 is": "sold 1", "one is": "completed", "one paid": "A 10"}

CREDIT_COMPLETIONS = (
    Case("charges, marks and completes", (CREDIT, purchase("one"), A, 10), paid(40), ONE),
    Case(
        "several leads at once, to the last cent",
        (CREDIT, purchase("all"), A, Decimal("30.05")),
        paid(Decimal("19.95")),
        {
            "A has": "19.95",
            **{f"{name} is": "sold 1" for name in ("L1", "L2", "Lfree")},
            "all is": "completed",
            "all paid": "A 30.05",
        },
    ),
    Case("for nothing", (CREDIT, purchase("free"), A, 0), paid(50), {"Lfree is": "sold 1", "free is": "completed"}),
    Case(
        "the own reservation is none",
        (CREDIT, purchase("mine"), A, 10),
        paid(40),
        {"A has": "40", "Lmine is": "sold 1", "mine is": "completed", "mine paid": "A 10"},
    ),
    Case(
        "an expired reservation is none",
        (CREDIT, purchase("late"), A, 10),
        paid(40),
        {"A has": "40", "Llapsed is": "sold 1", "late is": "completed", "late paid": "A 10"},
    ),
    Case("ten is ten, however it is written", (CREDIT, purchase("one"), A, Decimal("10.000")), paid(40), ONE),
    Case(
        "a repeat costs nothing",
        (CREDIT, purchase("one"), A, 10),
        paid(40, already=True),
        first=((CREDIT, purchase("one"), A, 10),),
    ),
    Case(
        "a repeat is told the first balance",
        (CREDIT, purchase("one"), A, 10),
        paid(40, already=True),
        first=(
            (CREDIT, purchase("one"), A, 10),
            (CREDIT, purchase("free"), A, 0),
            ("refund_lead_purchase", purchase("done")),
        ),
    ),
    Case("a repeat must ask for the same", (CREDIT, purchase("done"), A, 9), unpaid("amount_mismatch")),
    Case("an unknown purchase", (CREDIT, purchase("nothing"), A, 10), unpaid("purchase_not_found")),
    Case("no purchase", (CREDIT, None, A, 10), unpaid("purchase_not_found")),
    Case("another's purchase", (CREDIT, purchase("one"), B, 10), unpaid("purchase_not_found")),
    Case("nobody's purchase", (CREDIT, purchase("one"), workspace("nobody"), 10), unpaid("purchase_not_found")),
    Case("no workspace", (CREDIT, purchase("one"), None, 10), unpaid("purchase_not_found")),
    Case("a purchase by card", (CREDIT, purchase("card"), A, Decimal("30.05")), unpaid("wrong_payment_method")),
    Case("a purchase by card at another price", (CREDIT, purchase("card"), A, 1), unpaid("wrong_payment_method")),
    *(
        Case(f"{amount} for 10", (CREDIT, purchase("one"), A, amount), unpaid("amount_mismatch"))
        for amount in (
            None,
            0,
            -10,
            9,
            Decimal("9.99"),
            Decimal("10.001"),
            Decimal("10.01"),
            11,
            Decimal("NaN"),
            Decimal("Infinity"),
        )
    ),
    Case("nothing bought for nothing", (CREDIT, purchase("empty"), A, 0), unpaid("amount_mismatch")),
    *(
        Case(f"a purchase that is {status}", (CREDIT, purchase(status), A, 10), unpaid("purchase_not_pending"))
        for status in ("failed", "cancelled", "back")
    ),
    Case("the amount is looked at before the status", (CREDIT, purchase("back"), A, 9), unpaid("amount_mismatch")),
    *(
        Case(f"of {name}", (CREDIT, purchase(f"of {name}"), A, price), unpaid(code))
        for name, price, code in (
            ("Lsold", 10, "lead_unavailable"),
            ("Lunlisted", 10, "lead_unavailable"),
            ("Lown", 10, "own_lead"),
            ("Lunpriced", 0, "lead_unpriced"),
            ("Lheld", 10, "lead_reserved"),
        )
    ),
    Case("one of two leads is sold", (CREDIT, purchase("half"), A, 20), unpaid("lead_unavailable")),
    Case(
        "sold meanwhile",
        (CREDIT, purchase("two"), A, Decimal("30.05")),
        unpaid("lead_unavailable"),
        first=((CREDIT, purchase("one"), A, 10),),
    ),
    Case("a cent too much", (CREDIT, purchase("dearer"), A, Decimal("50.01")), unpaid("insufficient_credits")),
    Case(
        "the last cent",
        (CREDIT, purchase("dear"), A, 50),
        paid(0),
        {"A has": "0", "L3 is": "sold 1", "dear is": "completed", "dear paid": "A 50"},
    ),
)

STRIPE = "complete_stripe_lead_purchase"


def delivered(*leads: str, success: bool = True, already: bool = False) -> list[dict[str, Any]]:
    return [{"success": success, "already_completed": already, "lead_ids_marked": list(leads)}]


OWED = delivered(success=False)
CARD = {"L1 is": "sold 1", "L2 is": "sold 1", "card is": "completed"}

STRIPE_COMPLETIONS = (
    Case("delivers", (STRIPE, purchase("card"), "https://files/1"), delivered("L1", "L2"), CARD),
    Case("without a file", (STRIPE, purchase("card")), delivered("L1", "L2"), CARD),
    Case(
        "a replay",
        (STRIPE, purchase("card")),
        delivered(success=False, already=True),
        first=((STRIPE, purchase("card")),),
    ),
    Case(
        "frees its reservation",
        (STRIPE, purchase("card Lmine")),
        delivered("Lmine"),
        {"Lmine is": "sold 1", "card Lmine is": "completed", "card Lmine holds": None},
    ),
    Case(
        "an expired reservation is good enough",
        (STRIPE, purchase("B held")),
        delivered("Llapsed"),
        {"Llapsed is": "sold 1", "B held is": "completed"},
    ),
    Case("no leads", (STRIPE, purchase("card none")), delivered(), {"card none is": "completed"}),
    Case("a lead is sold", (STRIPE, purchase("card Lsold")), OWED, {"card Lsold is": "refund_required"}),
    Case("a lead is reserved", (STRIPE, purchase("card Lheld")), OWED, {"card Lheld is": "refund_required"}),
    Case(
        "sold meanwhile, and its reservation ends",
        (STRIPE, purchase("card Lmine")),
        OWED,
        {"card Lmine is": "refund_required", "card Lmine holds": None},
        first=((CREDIT, purchase("mine"), A, 10),),
    ),
    Case("failed", (STRIPE, purchase("card failed")), OWED, {"card failed is": "refund_required"}),
    Case("cancelled", (STRIPE, purchase("card cancelled")), OWED, {"card cancelled is": "refund_required"}),
    Case("owed already", (STRIPE, purchase("card refund_required")), OWED),
    Case("refunded", (STRIPE, purchase("card refunded")), OWED),
    Case("completed", (STRIPE, purchase("card completed")), delivered(success=False, already=True)),
    Case("an unknown purchase", (STRIPE, purchase("nothing")), "purchase_not_found"),
    Case("no purchase", (STRIPE, None), "purchase_not_found"),
    Case("a purchase with credits", (STRIPE, purchase("one")), "wrong_payment_method"),
    Case("a completed purchase with credits", (STRIPE, purchase("done")), "wrong_payment_method"),
)

MARK = "mark_leads_sold_bulk"


def marked(leads: str, skipped: str = "") -> list[dict[str, Any]]:
    names = leads.split()
    return [{"leads_marked": len(names), "lead_ids_marked": names, "lead_ids_skipped": skipped.split()}]


MARKINGS = (
    Case("marks all", (MARK, lead("L2", "L1")), marked("L1 L2"), {"L1 is": "sold 1", "L2 is": "sold 1"}),
    Case("again", (MARK, lead("L1", "L2")), marked("L2", "L1"), {"L2 is": "sold 1"}, first=((MARK, lead("L1")),)),
    Case("a lead twice", (MARK, lead("L1", "L1")), marked("L1", "L1"), {"L1 is": "sold 1"}),
    Case(
        "sold, unlisted, unknown",
        (MARK, lead("Lsold", "Lunlisted", "L8", "L1")),
        marked("L1", "Lsold Lunlisted L8"),
        {"L1 is": "sold 1"},
    ),
    Case(
        "whatever its price, seller and reservation",
        (MARK, lead("Lunpriced", "Lown", "Lheld")),
        marked("Lheld Lown Lunpriced"),
        {f"{name} is": "sold 1" for name in ("Lheld", "Lown", "Lunpriced")},
    ),
    Case("no list", (MARK, None), marked("")),
    Case("an empty list", (MARK, []), marked("")),
    Case(
        "NULL in the list",
        (MARK, [None, *lead("L1"), None]),
        [{"leads_marked": 1, "lead_ids_marked": ["L1"], "lead_ids_skipped": [None, None]}],
        {"L1 is": "sold 1"},
    ),
)


@pytest.mark.parametrize("case", VALIDATIONS, ids=lambda case: case.what)
def test_validate(shop: Shop, case: Case) -> None:
    case.check(shop)


@pytest.mark.parametrize("case", CREDIT_COMPLETIONS, ids=lambda case: case.what)
def test_complete_with_credits(shop: Shop, case: Case) -> None:
    case.check(shop)


@pytest.mark.parametrize("case", STRIPE_COMPLETIONS, ids=lambda case: case.what)
def test_complete_with_stripe(shop: Shop, case: Case) -> None:
    case.check(shop)


@pytest.mark.parametrize("case", MARKINGS, ids=lambda case: case.what)
def test_mark(shop: Shop, case: Case) -> None:
    case.check(shop)


def test_the_file_of_the_first_delivery_stays(shop: Shop) -> None:
    for file in ("https://files/1", "https://files/2"):
        shop.ask(STRIPE, purchase("card"), file)
    query = sql.SQL("SELECT download_url FROM marketplace_purchases WHERE id = %s")
    assert shop.execute(query, [purchase("card")]) == [{"download_url": "https://files/1"}]


def test_points_are_announced(session: psycopg.Connection[Any], shop: Shop, request: pytest.FixtureRequest) -> None:
    announced = []
    session.add_notice_handler(lambda notice: announced.append(notice.sqlstate))
    shop.ask(VALIDATE, lead("L1"), A)
    assert bool(announced) == ("instrumented" in request.node.callspec.id)
    assert set(announced) <= {"HP001"}
