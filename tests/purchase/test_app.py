"""The routes: what each answers and changes, and that whatever is wrong is a clear refusal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from benchmarks.api import Canned
from harness.db.any_server import AnyServer
from harness.purchase.app import create_app
from harness.purchase.refusals import REFUSALS, Refusal
from harness.purchase.settings import Settings
from harness.requests.exchange import exchange
from tests.purchase.counter import Counter, NotedCheckout, counter
from tests.purchase.stripe_side import SECRET, event, sign

PURCHASE, CREDITS, WEBHOOK = "/api/marketplace/purchase", "/api/credits/purchase", "/api/webhooks/stripe"
KEY = str(UUID(int=7))


@pytest.fixture(scope="module")
def opened(server: AnyServer, module_database: str) -> Iterator[Counter]:
    with counter(server, module_database) as opened:
        yield opened


@pytest.fixture
def api(opened: Counter) -> Counter:
    opened.reset()
    return opened


def test_leads_are_bought_with_credits(api: Counter) -> None:
    answer = api.buy("L2", "L1")
    ids = [api.id("lead", "L1"), api.id("lead", "L2")]
    told = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert told == {
        "purchase": told["purchase"]
        | {"status": "completed", "payment_method": "credits", "total": "42.50", "lead_ids": ids},
        "leads": [
            {"id": ids[0], "price": "12.50", "contact": "secret contact"},
            {"id": ids[1], "price": "30.00", "contact": "secret contact"},
        ],
        "remaining_credits": "57.50",
    }
    state = api.state()
    assert (dict(state.balances)["A"], dict(state.leads)["L1"].status) == (Decimal("57.5"), "sold")
    shown = api.request("GET", f"/api/marketplace/purchases/{told['purchase']['id']}", "reader").json()
    assert shown == {name: told[name] for name in ("purchase", "leads")}


def test_a_key_gets_its_first_answer_again_and_takes_no_other_request(api: Counter) -> None:
    first = api.buy("L1", "L2", idempotency_key=KEY)
    after = api.state()
    again = api.buy("L2", "L1", idempotency_key=KEY)
    assert again.json() == first.json()
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert api.buy("cheap", idempotency_key=KEY).json()["error"] == "key_reused"
    assert api.buy("L2", "L1", idempotency_key=KEY, token="B").json()["error"] == "lead_sold"
    assert api.state() == after


@pytest.mark.parametrize(
    ("token", "leads", "more", "status", "code", "details"),
    [
        (None, ["L1"], {}, 401, "unauthorized", None),
        ("", ["L1"], {}, 401, "unauthorized", None),
        ("nobody's", ["L1"], {}, 401, "unauthorized", None),
        ("ünknown", ["L1"], {}, 401, "unauthorized", None),
        ("B", ["L1"], {}, 402, "insufficient_credits", {"required": "12.50", "available": "5.00"}),
        ("reader", ["L1"], {}, 403, "missing_scope", {"scope": "purchase"}),
        ("A", ["L1", "own"], {}, 403, "own_lead", None),
        ("A", ["nowhere"], {}, 404, "lead_not_found", {"lead_id": "nowhere"}),
        ("A", ["unlisted"], {}, 404, "lead_not_found", {"lead_id": "unlisted"}),
        ("A", ["L1", "sold"], {}, 409, "lead_sold", {"lead_id": "sold"}),
        ("A", ["held"], {}, 409, "lead_reserved", None),
        ("A", ["cheap"], {"method": "stripe"}, 400, "amount_not_payable", {"total": "0.25"}),
    ],
)
def test_a_refusal_says_why_and_changes_nothing(
    api: Counter, token: str | None, leads: list[str], more: dict[str, str], status: int, code: str, details: Any
) -> None:
    before = api.state()
    headers = {"Authorization": f"Bearer {token}".encode()} if token is not None else {}
    body = {"lead_ids": [api.id("lead", lead) for lead in leads], "payment_method": more.get("method", "credits")}
    answer = api.send("POST", PURCHASE, headers=headers, json=body | {"idempotency_key": KEY})
    told = answer.json()
    if details and "lead_id" in details:
        details = {"lead_id": api.id("lead", details["lead_id"])}
    assert (answer.status_code, told["error"], told.get("details")) == (status, code, details)
    assert told["message"] == REFUSALS[code][1]
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
    assert api.state() == before
    assert api.owner.execute("SELECT count(*) FROM api_idempotency_keys").fetchone() == (0,)


def body_of(api: Counter, **changes: Any) -> bytes:
    return json.dumps({"lead_ids": [api.id("lead", "L1")], "payment_method": "credits"} | changes).encode()


INVALID: dict[str, Callable[[Counter], bytes]] = {
    "nothing": lambda _: b"",
    "no JSON": lambda _: b"{lead_ids",
    "no text": lambda _: b"\xff\xfe{}",
    "too deep": lambda _: b"[" * 9_000,
    "a number without end": lambda _: b'{"lead_ids": ' + b"9" * 9_000 + b"}",
    "a list": lambda _: b"[]",
    "null": lambda _: b"null",
    "no leads": lambda api: body_of(api, lead_ids=[]),
    "leads that are none": lambda api: body_of(api, lead_ids="L1"),
    "a bad UUID": lambda api: body_of(api, lead_ids=["secret-lead"]),
    "a number for a UUID": lambda api: body_of(api, lead_ids=[1]),
    "a lead twice": lambda api: body_of(api, lead_ids=[api.id("lead", "L1")] * 2),
    "a hundred and one": lambda api: body_of(api, lead_ids=[str(uuid4()) for _ in range(101)]),
    "another way to pay": lambda api: body_of(api, payment_method="secret-way"),
    "no way to pay": lambda api: body_of(api, payment_method=None),
    "a bad key": lambda api: body_of(api, idempotency_key="secret-key"),
    "a key that is a number": lambda api: body_of(api, idempotency_key=7),
    "something else": lambda api: body_of(api, total="0.01"),
    "half of a surrogate pair": lambda api: body_of(api).replace(b"}", b', "secret\\ud800": "\\ud800"}'),
}


@pytest.mark.parametrize("what", INVALID)
def test_what_cannot_be_understood_is_refused_and_not_repeated(api: Counter, what: str) -> None:
    before = api.state()
    headers = {"Content-Type": "application/json"}
    answer = api.request("POST", PURCHASE, content=INVALID[what](api), headers=headers)
    told = answer.json()
    assert (answer.status_code, told["error"]) == (400, "invalid_request")
    assert "secret-" not in answer.text
    assert api.state() == before


@pytest.mark.parametrize("type_", ["text/plain", "application/x-www-form-urlencoded", "nonsense", ""])
def test_what_is_not_said_to_be_json_is_none(api: Counter, type_: str) -> None:
    answer = api.request("POST", PURCHASE, content=body_of(api), headers={"Content-Type": type_})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "amount", [5, 5.0, "5.001", "0.49", "0", "-5", "1e3", "NaN", "1000000", " 5", "\uff15", "", None, ["5"], "9" * 5000]
)
def test_no_other_amount_buys_credits(api: Counter, amount: Any) -> None:
    answer = api.request("POST", CREDITS, json={"amount": amount})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert api.checkout.bills == []


def test_credits_are_ordered_and_paid_for_elsewhere(api: Counter) -> None:
    first = api.request("POST", CREDITS, json={"amount": "50.5", "idempotency_key": KEY})
    again = api.request("POST", CREDITS, json={"amount": "50.50", "idempotency_key": KEY})
    told = first.json()
    assert told["credit_purchase"]["amount"] == "50.50"
    assert again.json() == told
    assert again.headers["idempotent-replayed"] == "true"
    bill, same = api.checkout.bills
    assert bill == same
    assert (bill.kind, str(bill.about), bill.cents) == ("credit_purchase", told["credit_purchase"]["id"], 5050)
    assert told["checkout_url"] == f"https://pay.example/{bill.about}"
    assert api.request("POST", CREDITS, json={"amount": "51", "idempotency_key": KEY}).status_code == 422


def test_a_checkout_that_could_not_be_opened_is_opened_with_the_same_key(api: Counter) -> None:
    api.checkout.refusal = Refusal("try_again", {"outcome": "unknown"})
    failed = api.buy("L1", method="stripe", idempotency_key=KEY)
    assert (failed.status_code, failed.headers["retry-after"]) == (503, "1")
    api.checkout.refusal = None
    made = api.buy("L1", method="stripe", idempotency_key=KEY)
    bill, same = api.checkout.bills
    assert bill == same
    assert (bill.kind, bill.cents, bill.what) == ("purchase", 1250, "Leads")
    told = made.json()
    assert (told["purchase"]["status"], told["leads"], told["checkout_expires_at"]) == ("pending", [], bill.expires_at)
    assert "secret contact" not in made.text
    body = event("evt_1", "checkout.session.completed", bill.about, Decimal("12.5"))
    for _ in range(2):
        paid = api.request("POST", WEBHOOK, None, content=body, headers={"Stripe-Signature": sign(body)})
        assert (paid.status_code, paid.json()) == (200, {"received": True})
    shown = api.request("GET", f"/api/marketplace/purchases/{bill.about}").json()
    assert (shown["purchase"]["status"], shown["leads"][0]["contact"]) == ("completed", "secret contact")


def test_a_purchase_is_there_for_its_workspace_alone(api: Counter) -> None:
    path = f"/api/marketplace/purchases/{api.id('purchase', 'theirs')}"
    foreign, unknown = api.request("GET", path), api.request("GET", f"/api/marketplace/purchases/{uuid4()}")
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content == unknown.content
    theirs = api.request("GET", path, "B").json()
    assert (theirs["purchase"]["status"], theirs["leads"]) == ("pending", [])
    assert api.request("GET", path, None).status_code == 401
    assert api.request("GET", "/api/marketplace/purchases/7").json()["error"] == "invalid_request"


@pytest.mark.parametrize("signature", [None, "", "t=1,v1=x", "t=x", "ü", "t=1,v1=ü", "t=" + "9" * 5000 + ",v1=0"])
def test_an_event_that_stripe_did_not_sign_is_refused(api: Counter, signature: str | None) -> None:
    body = event("evt_1", "checkout.session.completed", api.id("purchase", "theirs"), Decimal(10))
    headers = {} if signature is None else {"Stripe-Signature": signature.encode()}
    answer = api.send("POST", WEBHOOK, content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_signature")
    assert dict(api.state().purchases)["theirs"] == "pending"


def test_a_top_up_comes_with_its_event(api: Counter) -> None:
    metadata = {"credit_purchase_id": api.id("top_up", "t")}
    body = event("evt_1", "checkout.session.completed", "", Decimal("7.5"), metadata=metadata)
    for _ in range(2):
        assert api.send("POST", WEBHOOK, content=body, headers={"Stripe-Signature": sign(body)}).status_code == 200
    assert dict(api.state().balances)["A"] == Decimal("107.5")


def test_a_body_may_be_so_large(api: Counter) -> None:
    before = api.state()
    long = body_of(api, idempotency_key="k" * 20_000)
    assert api.request("POST", PURCHASE, content=long).json()["error"] == "too_large"
    # One that does not say its length is counted.
    answer = api.request("POST", PURCHASE, content=[long[:15_000], long[15_000:]])
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    assert api.request("POST", WEBHOOK, None, content=[long, long]).status_code == 413
    assert api.state() == before


def test_other_methods_and_paths(api: Counter) -> None:
    wrong = api.request("DELETE", PURCHASE)
    assert (wrong.status_code, wrong.json()["error"], wrong.headers["allow"]) == (405, "method_not_allowed", "POST")
    assert api.request("GET", "/api/marketplace/purchases/").json()["error"] == "not_found"


def test_a_mistake_of_ours_is_told_without_its_reasons(api: Counter) -> None:
    with psycopg.connect(api.dsn, autocommit=True) as owner:
        owner.execute("ALTER FUNCTION api_read_purchase(bytea, uuid) RENAME TO gone")
        try:
            answer = api.request("GET", f"/api/marketplace/purchases/{uuid4()}")
        finally:
            owner.execute("ALTER FUNCTION gone(bytea, uuid) RENAME TO api_read_purchase")
    assert answer.status_code == 500
    assert answer.json() == {"error": "internal_error", "message": REFUSALS["internal_error"][1]}


def test_what_happened_is_counted(api: Counter) -> None:
    before = figures(api)
    api.buy("L1")
    api.buy("L1", token="B")
    api.request("BREW", PURCHASE)
    api.request("GET", "/made/up")
    body = event("evt_9", "invoice.paid", uuid4(), Decimal(1))
    api.send("POST", WEBHOOK, content=body, headers={"Stripe-Signature": sign(body)})
    api.send("POST", WEBHOOK, content=body)
    new = {name: value - before.get(name, 0) for name, value in figures(api).items() if value != before.get(name)}
    label = f'route="{PURCHASE}"'
    total = "marketplace_requests_total"
    assert (
        new.items()
        >= {
            f'{total}{{code="",method="POST",{label},status="200"}}': 1,
            f'{total}{{code="lead_sold",method="POST",{label},status="409"}}': 1,
            f'{total}{{code="not_found",method="GET",route="-",status="404"}}': 1,
            f'marketplace_request_seconds_count{{method="POST",{label}}}': 2,
            'marketplace_webhooks_total{outcome="ignored",type="other"}': 1,
            'marketplace_webhooks_total{outcome="refused",type="other"}': 1,
        }.items()
    )
    assert [name for name in new if "BREW" in name] == []
    assert sum(value for name, value in figures(api).items() if "database_connections" in name) == 3


def figures(api: Counter) -> dict[str, float]:
    text = api.request("GET", "/metrics", None).text
    return {name: float(value) for name, value in re.findall(r"^(\w+\{[^}]*\}) (\S+)$", text, re.MULTILINE)}


def test_the_document_has_every_route_and_what_is_refused(api: Counter) -> None:
    document = api.request("GET", "/openapi.json", None).json()
    routes = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert routes == {
        (PURCHASE, "post"),
        (CREDITS, "post"),
        (WEBHOOK, "post"),
        ("/api/marketplace/purchases/{id}", "get"),
        ("/health", "get"),
        ("/metrics", "get"),
    }
    assert "HTTPValidationError" not in json.dumps(document)
    buying = document["paths"][PURCHASE]["post"]
    assert set(buying["responses"]) == {"200", "400", "401", "402", "403", "404", "409", "413", "422", "502", "503"}
    assert buying["security"] == [{"token": []}]
    assert api.request("GET", "/health", None).json() == {"status": "ok"}
    assert api.request("HEAD", "/health", None).status_code == 200


def test_the_page_asks_nobody_but_the_api(api: Counter) -> None:
    answer = api.request("GET", "/docs", None)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    # No address of another host, not even one without its scheme, and nothing that is loaded besides.
    assert (
        re.findall(r"//[\w\[]|\b(?:https?|wss?|ftp):|@import|url\(|\ssrc=|<(?:link|iframe|img|object)", answer.text)
        == []
    )
    assert set(re.findall(r'href="([^"]*)"', answer.text)) == {"openapi.json"}
    assert set(re.findall(r"fetch\(([^),]*)", answer.text)) == {'"openapi.json"', "url.slice(1"}
    # And the browser is told to let nothing through.
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert (policy["default-src"], policy["connect-src"]) == ("'none'", "'self'")
    assert not any("." in sources or "*" in sources for sources in policy.values())
    assert "innerHTML" not in answer.text


def test_who_shows_no_token_is_told_that_first(api: Counter) -> None:
    for path in (PURCHASE, CREDITS):
        for body in (b"", b"{", b"{}", b"\xff\xfe"):
            answer = api.send("POST", path, content=body, headers={"Content-Type": "application/json"})
            assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    assert api.request("GET", "/api/marketplace/purchases/no-id", None).status_code == 401


def test_nothing_on_the_way_of_a_request_needs_an_event_loop() -> None:
    app = create_app(Canned(), NotedCheckout(), Settings(SECRET))  # type: ignore[arg-type]
    body = json.dumps({"lead_ids": [str(uuid4())], "payment_method": "credits"}).encode()
    asking = exchange(app, "POST", PURCHASE, {"authorization": "Bearer x"}, body)
    with pytest.raises(StopIteration) as ended:
        asking.send(None)
    answer = ended.value.value
    assert (answer.status, answer.body) == (200, b'{"purchase": {}}')
