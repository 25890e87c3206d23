"""What the API's role is given: for a token, one statement does all of a request, a refusal nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from harness.db.any_server import AnyServer
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart
from tests.sql.shop import A, Named, Refused, Shop, installed, lead, opened, purchase, workspace

START = Start(
    {"A": Decimal(50), "B": Decimal(50), "poor": Decimal("9.99"), "empty": Decimal(0)},
    {
        "L1": LeadStart(Decimal("12.5")),
        "L2": LeadStart(Decimal(30)),
        "L3": LeadStart(Decimal("0.25")),
        "sold": LeadStart(status="sold"),
        "unlisted": LeadStart(status="unlisted"),
        "unpriced": LeadStart(None),
        "own": LeadStart(seller="A"),
        "held": LeadStart(Decimal(10)),
    },
    {
        "mine": PurchaseStart("A", ("L1",), status="pending"),
        "theirs": PurchaseStart("B", ("held",), method="stripe", reserved="held"),
        "old": PurchaseStart("A", ("sold",), status="completed"),
    },
    {"t": TopUpStart("A", Decimal("7.50"))},
)


def hashed(token: str) -> bytes:
    return sha256(token.encode()).digest()


TOKENS = {
    "A": ("A", ["read", "purchase"], None),
    "B": ("B", ["read", "purchase"], None),
    "poor": ("poor", ["purchase"], None),
    "empty": ("empty", ["purchase"], None),
    "reader": ("A", ["read"], None),
    "nothing": ("A", [], None),
    "revoked": ("A", ["read", "purchase"], "2026-02-05"),
}


@pytest.fixture(scope="module")
def filled(session: psycopg.Connection[Any]) -> Iterator[Shop]:
    with opened(session, START, "marketplace_api") as shop:
        for token, (owner, scopes, revoked) in TOKENS.items():
            session.execute(
                "INSERT INTO api_tokens (token_hash, workspace_id, scopes, revoked_at) VALUES (%s, %s, %s, %s)",
                [hashed(token), shop.id_of(workspace(owner)), scopes, revoked],
            )
        session.execute("""UPDATE leads SET contact = '{"phone": "555"}'""")
        yield shop


@pytest.fixture
def shop(filled: Shop) -> Iterator[Shop]:
    with filled.undone():
        yield filled


def buy(shop: Shop, token: str, *leads: str, method: str = "credits", key: str | None = None, hash_: str = "h") -> Any:
    (row,) = shop.ask("api_purchase_leads", hashed(token), purchase("new"), lead(*leads), method, key, hash_)
    return row


def top_up(shop: Shop, token: str, amount: object, key: str | None = None, hash_: str = "h") -> Any:
    (row,) = shop.ask("api_buy_credits", hashed(token), Named("top_up", "new"), amount, key, hash_)
    return row


def read(shop: Shop, token: str, name: str) -> Any:
    (row,) = shop.ask("api_read_purchase", hashed(token), purchase(name))
    return row["api_read_purchase"]


def told(
    shop: Shop, type_: str, about: Named, cents: int | None = None, currency: str | None = "usd", id_: str = "evt"
) -> bool:
    """Is the event said to have been done before?"""
    kind = "credit_purchase" if about.kind == "top_up" else "purchase"
    (row,) = shop.ask("api_stripe_event", id_, type_, kind, about, cents, currency)
    answer: bool = row["already_completed"]
    return answer


PAID, LATER_PAID = "checkout.session.completed", "checkout.session.async_payment_succeeded"
EXPIRED, FAILED = "checkout.session.expired", "checkout.session.async_payment_failed"
REFUNDED = "charge.refunded"
TOP_UP = Named("top_up", "t")


def refused(shop: Shop, code: str, ask: Callable[[], Any]) -> Any:
    """The detail of the refusal, which left nothing behind: no row, and no key."""
    kept = "SELECT (SELECT count(*) FROM api_idempotency_keys), (SELECT count(*) FROM processed_webhook_events)"
    before = shop.connection.execute(kept).fetchone()
    with shop.changes() as changes, pytest.raises(Refused) as refusal:
        ask()
    assert refusal.value.code == code
    assert changes == {}
    assert shop.connection.execute(kept).fetchone() == before
    return refusal.value.detail


def test_a_purchase_with_credits_is_made_paid_and_shown_in_one_statement(shop: Shop) -> None:
    contact = {"phone": "555"}
    with shop.changes() as changes:
        answer = buy(shop, "A", "L2", "L1")
    shown = {"id": "new", "status": "completed", "payment_method": "credits", "total": "42.50"}
    leads = [{"id": "L1", "price": "12.50", "contact": contact}, {"id": "L2", "price": "30.00", "contact": contact}]
    bought = {"purchase": shown | {"lead_ids": ["L1", "L2"]}, "leads": leads}
    assert answer == {"replayed": False, "response": bought | {"remaining_credits": "7.50"}}
    assert changes == {
        "A has": "7.5",
        "L1 is": "sold 1",
        "L2 is": "sold 1",
        "new is": "completed",
        "new buys": "L1 L2",
        "new paid": "A 42.5",
    }
    assert read(shop, "A", "new") == bought


def test_a_checkout_is_a_pending_purchase_that_shows_no_contact(shop: Shop) -> None:
    with shop.changes() as changes:
        answer = buy(shop, "A", "L2", method="stripe")["response"]
    shown = {"id": "new", "status": "pending", "payment_method": "stripe", "total": "30.00", "lead_ids": ["L2"]}
    assert (answer["purchase"], answer["leads"]) == (shown, [])
    assert changes == {"new is": "pending", "new buys": "L2", "new holds": "L2"}
    assert read(shop, "A", "new") == {"purchase": shown, "leads": []}
    # The checkout ends before the leads are free again, and Stripe wants half an hour.
    lives = (
        "SELECT %s - extract(epoch FROM clock_timestamp()), min(expires_at) >= to_timestamp(%s) FROM lead_reservations"
    )
    ends = answer["checkout_expires_at"]
    ((left, covered),) = shop.connection.execute(f"{lives} WHERE workspace_id = %s", [ends, ends, shop.id_of(A)])
    assert 30 * 60 < left <= 35 * 60
    assert covered


@pytest.mark.parametrize(
    ("token", "lead_name", "code", "detail"),
    [
        ("nobody's", "L1", "unauthorized", None),
        ("revoked", "L1", "unauthorized", None),
        ("reader", "L1", "missing_scope", {"scope": "purchase"}),
        ("nothing", "L1", "missing_scope", {"scope": "purchase"}),
        ("A", "sold", "lead_sold", {"lead_id": "sold"}),
        ("A", "unlisted", "lead_not_found", {"lead_id": "unlisted"}),
        ("A", "unpriced", "lead_not_found", {"lead_id": "unpriced"}),
        ("A", "unheard-of", "lead_not_found", {"lead_id": "unheard-of"}),
        ("A", "own", "own_lead", None),
        ("A", "held", "lead_reserved", None),
        ("poor", "L1", "insufficient_credits", {"required": "12.50", "available": "9.99"}),
        ("empty", "L1", "insufficient_credits", {"required": "12.50", "available": "0.00"}),
    ],
)
def test_a_refusal_leaves_nothing_not_even_its_key(
    shop: Shop, token: str, lead_name: str, code: str, detail: dict[str, str] | None
) -> None:
    assert refused(shop, code, lambda: buy(shop, token, lead_name, key="k")) == detail


def test_of_many_leads_the_first_that_cannot_be_had_is_named(shop: Shop) -> None:
    first = min(["unlisted", "sold", "unpriced"], key=lambda name: str(shop.id_of(Named("lead", name))))
    code = "lead_sold" if first == "sold" else "lead_not_found"
    asked = ["unpriced", "L1", "sold", "unlisted"]
    assert refused(shop, code, lambda: buy(shop, "A", *asked)) == {"lead_id": first}


def test_what_stripe_cannot_take_is_not_held_for_it(shop: Shop) -> None:
    assert refused(shop, "amount_not_payable", lambda: buy(shop, "A", "L3", method="stripe")) == {"total": "0.25"}
    refused(shop, "wrong_payment_method", lambda: buy(shop, "A", "L3", method="cash"))
    assert buy(shop, "A", "L3")["response"]["remaining_credits"] == "49.75"


def test_a_key_gets_its_first_answer_and_takes_no_other_request(shop: Shop) -> None:
    first = buy(shop, "A", "L1", key="k")
    with shop.changes() as changes:
        assert buy(shop, "A", "L1", key="k") == {"replayed": True, "response": first["response"]}
    assert changes == {}
    refused(shop, "key_reused", lambda: buy(shop, "A", "L2", key="k", hash_="other"))
    # Another workspace's key is another key, and so is that of another route.
    assert refused(shop, "lead_sold", lambda: buy(shop, "B", "L1", key="k")) == {"lead_id": "L1"}
    assert not top_up(shop, "A", 5, key="k")["replayed"]
    # Without the right to buy there is no looking at what was bought.
    refused(shop, "missing_scope", lambda: buy(shop, "reader", "L1", key="k"))


def test_a_key_that_was_refused_may_be_used_again(shop: Shop) -> None:
    refused(shop, "insufficient_credits", lambda: buy(shop, "poor", "L1", key="k"))
    assert buy(shop, "poor", "L3", key="k", hash_="other")["response"]["remaining_credits"] == "9.74"


def test_a_purchase_is_shown_to_its_workspace_alone(shop: Shop) -> None:
    assert read(shop, "reader", "mine")["purchase"]["status"] == "pending"
    assert read(shop, "A", "old")["leads"] == [{"id": "sold", "price": "10.00", "contact": {"phone": "555"}}]
    assert read(shop, "A", "theirs") is read(shop, "A", "unheard-of") is None
    for token in ("nobody's", "revoked"):
        refused(shop, "unauthorized", partial(read, shop, token, "mine"))
    for token in ("poor", "nothing"):
        assert refused(shop, "missing_scope", partial(read, shop, token, "mine")) == {"scope": "read"}


def test_a_refund_takes_the_contact_back(shop: Shop) -> None:
    shop.connection.execute("SELECT refund_lead_purchase(%s)", [shop.id_of(purchase("old"))])
    assert (read(shop, "A", "old")["purchase"]["status"], read(shop, "A", "old")["leads"]) == ("refunded", [])


@pytest.mark.parametrize("amount", ["0.50", "50", "1e2", "999999.99"])
def test_credits_are_ordered_and_not_given_yet(shop: Shop, amount: str) -> None:
    with shop.changes() as changes:
        answer = top_up(shop, "B", Decimal(amount))
    ordered = {"id": "new", "status": "pending", "amount": f"{Decimal(amount):.2f}"}
    assert (answer["replayed"], answer["response"]["credit_purchase"]) == (False, ordered)
    assert changes == {"new is": "pending"}


@pytest.mark.parametrize("amount", ["0", "-5", "0.49", "1000000", "0.505", "NaN", "Infinity", "-Infinity", None])
def test_no_other_amount_can_be_ordered(shop: Shop, amount: str | None) -> None:
    refused(shop, "amount_not_payable", lambda: top_up(shop, "A", amount and Decimal(amount), key="k"))


def test_credits_are_ordered_once_for_a_key_and_for_a_token_that_may(shop: Shop) -> None:
    first = top_up(shop, "A", 5, key="k")
    assert top_up(shop, "A", 5, key="k") == first | {"replayed": True}
    refused(shop, "key_reused", lambda: top_up(shop, "A", 6, key="k", hash_="other"))
    refused(shop, "missing_scope", lambda: top_up(shop, "reader", 5))
    refused(shop, "unauthorized", lambda: top_up(shop, "revoked", 5))


@pytest.mark.parametrize("type_", [PAID, LATER_PAID])
def test_what_was_paid_is_delivered_once(shop: Shop, type_: str) -> None:
    with shop.changes() as changes:
        assert not told(shop, type_, purchase("theirs"), 1000)
        assert told(shop, type_, purchase("theirs"), 1000)
        assert told(shop, PAID, purchase("theirs"), 1000, id_="another")
    assert changes == {"held is": "sold 1", "theirs is": "completed", "theirs holds": None}


@pytest.mark.parametrize("type_", [PAID, LATER_PAID])
def test_credits_that_were_paid_are_given_once(shop: Shop, type_: str) -> None:
    with shop.changes() as changes:
        assert not told(shop, type_, TOP_UP, 750)
        assert told(shop, type_, TOP_UP, 750)
        assert told(shop, PAID, TOP_UP, 750, id_="another")
        assert told(shop, EXPIRED, TOP_UP, id_="late")
    assert changes == {"A has": "57.5", "t is": "completed"}


@pytest.mark.parametrize("about", [purchase("theirs"), TOP_UP], ids=str)
@pytest.mark.parametrize(
    ("cents", "currency"), [(999, "usd"), (1001, "usd"), (1000, "eur"), (None, "usd"), (1000, None), (-1000, "usd")]
)
def test_another_amount_or_currency_buys_nothing(
    shop: Shop, about: Named, cents: int | None, currency: str | None
) -> None:
    asked = cents if about != TOP_UP or cents is None else cents - 250
    refused(shop, "amount_mismatch", lambda: told(shop, PAID, about, asked, currency))


@pytest.mark.parametrize(
    ("type_", "about", "code"),
    [
        (PAID, purchase("unheard-of"), "purchase_not_found"),
        (PAID, Named("top_up", "unheard-of"), "top_up_not_found"),
        (EXPIRED, Named("top_up", "unheard-of"), "top_up_not_found"),
        (REFUNDED, purchase("mine"), "purchase_not_refundable"),
        (REFUNDED, TOP_UP, "top_up_not_refundable"),
        ("invoice.paid", purchase("theirs"), "unknown_event_type"),
        ("invoice.paid", TOP_UP, "unknown_event_type"),
    ],
)
def test_an_event_that_is_refused_is_not_claimed(shop: Shop, type_: str, about: Named, code: str) -> None:
    refused(shop, code, lambda: told(shop, type_, about))


def test_an_event_is_about_something_that_we_sell(shop: Shop) -> None:
    refused(shop, "unknown_kind", lambda: shop.ask("api_stripe_event", "evt", PAID, "gift", purchase("mine"), 1, "usd"))


@pytest.mark.parametrize(("type_", "after"), [(EXPIRED, "cancelled"), (FAILED, "failed")])
def test_a_checkout_that_came_to_nothing(shop: Shop, type_: str, after: str) -> None:
    with shop.changes() as changes:
        assert not told(shop, type_, purchase("theirs"))
        assert not told(shop, type_, TOP_UP, id_="another")
        assert told(shop, type_, TOP_UP, id_="another")
    assert changes == {"theirs is": after, "theirs holds": None}


@pytest.fixture
def dsn(server: AnyServer) -> Iterator[str]:
    with installed(server, instrumented=False) as dsn, psycopg.connect(dsn) as owner:
        owner.execute("INSERT INTO workspaces (id, name) VALUES (%s, 'A'), (%s, 'seller')", [UUID(int=1), UUID(int=2)])
        owner.execute("INSERT INTO workspace_credits VALUES (%s, 50)", [UUID(int=1)])
        owner.execute("INSERT INTO leads (id, workspace_id, price) VALUES (%s, %s, 60)", [UUID(int=3), UUID(int=2)])
        token = "INSERT INTO api_tokens (token_hash, workspace_id, scopes) VALUES (%s, %s, ARRAY['purchase'])"
        owner.execute(token, [hashed("A"), UUID(int=1)])
        owner.commit()
        yield dsn


def test_who_comes_with_a_key_that_is_in_use_is_told_without_waiting(dsn: str) -> None:
    ask = "SELECT replayed FROM api_purchase_leads(%s, gen_random_uuid(), %s, 'stripe', 'k', 'h')"
    request = [hashed("A"), [UUID(int=3)]]
    options = "-c role=marketplace_api -c lock_timeout=5s"
    with psycopg.connect(dsn, options=options) as one, psycopg.connect(dsn, autocommit=True, options=options) as two:
        assert one.execute(ask, request).fetchone() == (False,)
        with pytest.raises(errors.RaiseException, match="key_in_progress"):
            two.execute(ask, request)
        with pytest.raises(errors.LockNotAvailable, match="lead_busy"):
            two.execute(ask.replace("'k'", "'another'"), request)
        one.commit()
        assert two.execute(ask, request).fetchone() == (True,)
