"""Who may do what: tokens, their scopes, and the walls between tenants."""

from __future__ import annotations

import logging
from uuid import uuid4

import pytest

from tests.purchase.conftest import Opened
from tests.purchase.shop import CONTACT
from tests.purchase.visitor import Answer, call

ROUTES = [
    ("POST", "/api/marketplace/purchase", {"lead_ids": [str(uuid4())], "payment_method": "credits"}),
    ("POST", "/api/credits/purchase", {"amount": "50.00"}),
    ("GET", f"/api/marketplace/purchases/{uuid4()}", b""),
]


def test_who_shows_no_token_is_told_nothing(opened: Opened) -> None:
    before = opened.shop.rows()
    good = opened.buyer.token
    tokens = {
        "none": None,
        "no scheme": good,
        "another scheme": f"Basic {good}",
        "an empty one": "Bearer",
        "a blank one": "Bearer  ",
        "unknown": f"Bearer {good[:-1]}",
        "in another case": f"Bearer {good.swapcase()}",
        "with something after it": f"Bearer {good} {good}",
        "long": "Bearer " + "a" * 100_000,
        "not ASCII": "Bearer \xff\xfe\x80",
        "with a NUL": f"Bearer {good}\x00",
        "its hash": "Bearer " + opened.hash_of(good),
        "revoked": "Bearer " + opened.shop.token(opened.buyer.id, "read", "purchase", revoked=True),
        "SQL": "Bearer ' OR 1=1 --",
    }
    written = dict(before)
    written["api_tokens"] = opened.shop.rows()["api_tokens"]
    for method, path, body in ROUTES:
        answers = []
        for what, token in tokens.items():
            headers = {} if token is None else {"authorization": token}
            answer = opened.visitor.ask(method, path, body, headers=headers)
            assert answer.told == (401, "unauthorized"), what
            answers.append(answer)
        # Revoked, unknown, malformed: it is all the same to who asks.
        assert {answer.body for answer in answers} == {answers[0].body}
    assert opened.shop.rows() == written


def test_two_tokens_are_none(opened: Opened) -> None:
    (method, path, _) = ROUTES[2]
    other = f"Bearer {opened.seller.token}".encode()
    headers = [(b"authorization", opened.bearer), (b"authorization", other)]
    answer = opened.visitor.look_at(opened.visitor.run(call(opened.app, method, path, headers)), method, path)
    assert answer.status in (401, 404)


def test_the_scheme_is_spelled_in_any_case(opened: Opened) -> None:
    headers = {"authorization": f"bEARER {opened.buyer.token}"}
    assert opened.visitor.ask("GET", ROUTES[2][1], headers=headers).told == (404, "not_found")


@pytest.mark.parametrize(
    ("scopes", "statuses"), [(["read"], [403, 403, 404]), (["purchase"], [404, 200, 403]), ([], [403] * 3)]
)
def test_a_scope_opens_what_it_says(opened: Opened, scopes: list[str], statuses: list[int]) -> None:
    token = opened.shop.token(opened.buyer.id, *scopes)
    opened.visitor.secrets.append(token)
    answers = [opened.visitor.ask(method, path, body, who=token) for method, path, body in ROUTES]
    assert [answer.status for answer in answers] == statuses
    assert all(answer.code == "missing_scope" for answer in answers if answer.status == 403)


def test_a_revoked_token_opens_nothing_from_then_on(opened: Opened) -> None:
    token = opened.shop.token(opened.buyer.id, "read")
    assert opened.visitor.ask("GET", ROUTES[2][1], who=token).status == 404
    opened.shop.owner.execute(
        "UPDATE api_tokens SET revoked_at = now() WHERE token_hash = decode(%s, 'hex')", [opened.hash_of(token)]
    )
    assert opened.visitor.ask("GET", ROUTES[2][1], who=token).status == 401


def shape(answer: Answer) -> tuple[int, bytes, dict[str, str]]:
    """All that a client can see of an answer."""
    return answer.status, answer.body, dict(answer.headers)


def test_what_others_bought_is_not_there(opened: Opened) -> None:
    other = opened.shop.workspace()
    lead = opened.shop.lead(opened.seller)
    bought = opened.visitor.buy(other, lead)
    assert bought.status == 200
    assert CONTACT in bought.body.decode()
    id_ = bought.json["purchase"]["id"]
    assert opened.visitor.ask("GET", f"/api/marketplace/purchases/{id_}", who=other).status == 200
    for stranger in (opened.buyer, opened.seller):
        foreign = opened.visitor.ask("GET", f"/api/marketplace/purchases/{id_}", who=stranger)
        unknown = opened.visitor.ask("GET", f"/api/marketplace/purchases/{uuid4()}", who=stranger)
        assert shape(foreign) == shape(unknown)
        assert foreign.told == (404, "not_found")


def test_what_is_not_on_sale_is_not_there(opened: Opened) -> None:
    shop, buyer = opened.shop, opened.buyer
    hidden = [shop.lead(opened.seller, status="unlisted"), shop.lead(opened.seller, price=None), str(uuid4())]
    # One's own is no exception while it is not on sale.
    hidden.append(shop.lead(buyer, status="unlisted"))
    answers = [opened.visitor.buy(buyer, lead) for lead in hidden]
    assert {answer.told for answer in answers} == {(404, "lead_not_found")}
    told = {answer.body.replace(lead.encode(), b"LEAD") for answer, lead in zip(answers, hidden, strict=True)}
    assert len(told) == 1


def test_ones_own_lead(opened: Opened) -> None:
    assert opened.visitor.buy(opened.seller, opened.shop.lead(opened.seller)).told == (403, "own_lead")


def test_keys_are_each_tenants_own(opened: Opened) -> None:
    key, other = str(uuid4()), opened.shop.workspace()
    leads = opened.shop.leads(opened.seller, 2)
    mine = opened.visitor.buy(opened.buyer, leads[0], key=key)
    theirs = opened.visitor.buy(other, leads[1], key=key)
    assert (mine.status, theirs.status) == (200, 200)
    assert mine.json["purchase"]["id"] != theirs.json["purchase"]["id"]
    # What they bought with it is nothing that I could ask for.
    again = opened.visitor.buy(opened.buyer, leads[1], key=key)
    assert again.told == (422, "key_reused")
    assert leads[1] not in again.body.decode()
    assert opened.shop.false() == {}


def test_a_lead_that_is_not_paid_for_is_not_shown(opened: Opened) -> None:
    lead = opened.shop.lead(opened.seller)
    begun = opened.visitor.buy(opened.buyer, lead, method="stripe")
    assert begun.status == 200
    id_ = begun.json["purchase"]["id"]
    for answer in (begun, opened.visitor.ask("GET", f"/api/marketplace/purchases/{id_}", who=opened.buyer)):
        assert CONTACT not in answer.body.decode()
    for told in (opened.visitor.buy(opened.shop.workspace(), lead), opened.visitor.buy(opened.seller, lead)):
        assert CONTACT not in told.body.decode()


def test_nothing_secret_is_written_down(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    lead = opened.shop.lead(opened.seller)
    key = str(uuid4())
    opened.visitor.buy(opened.buyer, lead, key=key)
    opened.visitor.buy("no token of anybody's", lead)
    opened.visitor.ask("POST", "/api/credits/purchase", {"amount": "50.00"}, who=opened.buyer)
    opened.visitor.ask("POST", "/api/webhooks/stripe", b"{}", headers={"stripe-signature": "t=1,v1=00"})
    metrics = opened.visitor.ask("GET", "/metrics").body.decode()
    written = caplog.text + metrics
    for secret in (
        *opened.visitor.secrets,
        "no token of anybody's",
        CONTACT,
        lead,
        key,
        opened.hash_of(opened.buyer.token),
    ):
        assert secret not in written
