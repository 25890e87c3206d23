"""What no client should send: a clear 4xx, nothing written, nothing told that is nobody's business."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.purchase.conftest import Opened
from tests.purchase.visitor import call

BUY, TOP_UP, READ, WEBHOOK = (
    "/api/marketplace/purchase",
    "/api/credits/purchase",
    "/api/marketplace/purchases/",
    "/api/webhooks/stripe",
)
ID = "0189e8f0-0000-4000-8000-00000000000a"
SQL = [
    "'; DROP TABLE leads; --",
    "' OR '1'='1",
    '") OR 1=1; --',
    "1; SELECT pg_sleep(9)",
    "{1,2}",
    "{" + ID + "}); DELETE FROM leads; --",
    "$$; SELECT 1; $$",
    "\\'; SELECT 1",
    "%s %(a)s %%",
    "null",
    "a\x00b",
    "\ud800",
    "\u202e\U0001d54a\x00",
]
BODIES = {
    "nothing": b"",
    "cut off": b'{"lead_ids": ["',
    "no UTF-8": b'{"payment_method": "\xff\xfe"}',
    "UTF-16": '{"lead_ids": []}'.encode("utf-16"),
    "null": b"null",
    "a list": b"[]",
    "a text": b'"lead_ids"',
    "a number": b"1",
    "not a number": b"NaN",
    "two documents": b"{}{}",
    "a form": b"lead_ids=1&payment_method=credits",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "lists in lists": b"[" * 100_000,
    "objects in objects": b'{"a":' * 50_000,
    "whole lists in lists": b"[" * 5_000 + b"]" * 5_000,
    "a number without end": b'{"lead_ids": ' + b"9" * 200_000 + b"}",
}
WRONG_PURCHASES: dict[str, dict[str, Any]] = {
    "no leads": {"lead_ids": []},
    "101 leads": {"lead_ids": [str(uuid4()) for _ in range(101)]},
    "the same lead twice": {"lead_ids": [ID, ID]},
    "the same lead twice, spelled otherwise": {"lead_ids": [ID, ID.upper()]},
    "the same lead twice, without dashes": {"lead_ids": [ID, ID.replace("-", "")]},
    "a lead for a list": {"lead_ids": ID},
    "an object for a list": {"lead_ids": {"0": ID}},
    "null for a list": {"lead_ids": None},
    "no id": {"lead_ids": ["lead"]},
    "an empty id": {"lead_ids": [""]},
    "a number for an id": {"lead_ids": [1]},
    "null for an id": {"lead_ids": [None]},
    "a list for an id": {"lead_ids": [[ID]]},
    "an id too long": {"lead_ids": [ID + "0"]},
    "an id with a space": {"lead_ids": [ID + " "]},
    "an id of other digits": {"lead_ids": [ID.replace("0", "\u0660")]},
    "no method": {"payment_method": None},
    "another method": {"payment_method": "cash"},
    "a method in capitals": {"payment_method": "CREDITS"},
    "two methods": {"payment_method": ["credits", "stripe"]},
    "a method with a NUL": {"payment_method": "credits\x00"},
    "a key that is none": {"idempotency_key": "key-1"},
    "an empty key": {"idempotency_key": ""},
    "a number for a key": {"idempotency_key": 7},
    "a key with a line in it": {"idempotency_key": ID + "\r\nset-cookie: a=b"},
}
AMOUNTS = [
    "NaN", "sNaN", "Infinity", "-Infinity", "inf", "1e3", "1E2", "1e1000000000", "1e-1000000000", "-1", "-0", "0",
    "0.00", "-0.01", "+5.00", "0.001", "50.001", "1_000", "1,000.00", "\u0661\u0662", "\u0663.00", " 5", "5 ",
    "5.00\n", "0x10", "", "5.", ".5", "ten", "9" * 1000, "0." + "0" * 10_000 + "1", "1000000000000000", "0.49",
    "1000000.00", None, True, [], {}, ["5.00"], {"value": "5.00"},
]  # fmt: skip
NUMBERS = ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e2", "5e-1", "0.1", "-5", "50.5", "9" * 400]
"""As JSON numbers, which Python reads in its own way; money is text."""


@pytest.fixture
def untouched(opened: Opened) -> Iterator[Opened]:
    """Nothing is written, whatever is asked."""
    before = opened.shop.rows()
    yield opened
    assert opened.shop.rows() == before


@pytest.mark.parametrize("path", [BUY, TOP_UP])
def test_bodies_that_are_none(untouched: Opened, path: str) -> None:
    for what, body in BODIES.items():
        answer = untouched.visitor.ask("POST", path, body, who=untouched.buyer)
        assert answer.told == (400, "invalid_request"), what


def test_purchases_that_are_none(untouched: Opened) -> None:
    right = {"lead_ids": [ID], "payment_method": "credits"}
    for what, wrong in WRONG_PURCHASES.items():
        answer = untouched.visitor.ask("POST", BUY, {**right, **wrong}, who=untouched.buyer)
        assert answer.told == (400, "invalid_request"), what
    for missing in right:
        wrong = {name: value for name, value in right.items() if name != missing}
        assert untouched.visitor.ask("POST", BUY, wrong, who=untouched.buyer).told == (400, "invalid_request")


def test_amounts_that_are_none(untouched: Opened) -> None:
    for amount in AMOUNTS:
        answer = untouched.visitor.ask("POST", TOP_UP, {"amount": amount}, who=untouched.buyer)
        assert answer.told == (400, "invalid_request"), amount
    for number in NUMBERS:
        body = b'{"amount": %s}' % number.encode()
        answer = untouched.visitor.ask("POST", TOP_UP, body, who=untouched.buyer)
        assert answer.told == (400, "invalid_request"), number


def test_a_body_is_read_up_to_a_limit(untouched: Opened) -> None:
    for path in (BUY, TOP_UP, WEBHOOK):
        huge = b'{"lead_ids": ["' + b"a" * 3_000_000 + b'"]}'
        assert untouched.visitor.ask("POST", path, huge, who=untouched.buyer).told[0] == 413
        # Without a length, and with one that lies: it is the bytes that count.
        for lie in ([], [(b"content-length", b"12")]):
            headers = [(b"content-type", b"application/json"), (b"authorization", untouched.bearer), *lie]
            chunks = [b"a" * 65_536] * 64
            answer = untouched.visitor.run(call(untouched.app, "POST", path, headers, chunks))
            assert untouched.visitor.look_at(answer, "POST", path).status == 413
        for length in ("-1", "9" * 40, "ten", ""):
            answer = untouched.visitor.ask("POST", path, b"{}", who=untouched.buyer, headers={"content-length": length})
            assert answer.status in (400, 413)


def test_whoever_hangs_up_leaves_nothing(untouched: Opened) -> None:
    headers = [(b"content-type", b"application/json"), (b"authorization", untouched.bearer)]
    for path in (BUY, TOP_UP, WEBHOOK):
        answer = untouched.visitor.run(call(untouched.app, "POST", path, headers, [b'{"lead_ids": ['], hang_up=True))
        assert answer.status in (0, 400)


def test_sql_in_every_field(untouched: Opened) -> None:
    ask, buyer = untouched.visitor.ask, untouched.buyer
    for text in SQL:
        for wrong in (
            {"lead_ids": [text], "payment_method": "credits"},
            {"lead_ids": text, "payment_method": "credits"},
            {"lead_ids": [ID], "payment_method": text},
            {"lead_ids": [ID], "payment_method": "credits", "idempotency_key": text},
        ):
            assert ask("POST", BUY, wrong, who=buyer).told == (400, "invalid_request"), wrong
        for amount in ({"amount": text}, {"amount": "5.00", "idempotency_key": text}):
            assert ask("POST", TOP_UP, amount, who=buyer).told == (400, "invalid_request"), amount
        if not re.search("[\ud800-\udfff]", text):
            assert ask("GET", READ + text, who=buyer).status in (400, 404)
        if text.isascii():
            assert ask("POST", BUY, {"lead_ids": [ID], "payment_method": "credits"}, who=text).status == 401
            assert ask("GET", "/health", query=text.encode()).status == 200


def test_ids_in_a_path_that_are_none(untouched: Opened) -> None:
    for id_ in (
        "x",
        "0",
        ID[:-1],
        ID + "0",
        "%00",
        "%2e%2e%2f",
        "..",
        ID + "\r\nx: y",
        "\u0660" * 36,
        "a" * 100_000,
        "null",
    ):
        answer = untouched.visitor.ask("GET", READ + id_, who=untouched.buyer)
        assert answer.told in ((400, "invalid_request"), (404, "not_found")), id_


def test_content_types(untouched: Opened) -> None:
    body = json.dumps({"lead_ids": [str(uuid4())], "payment_method": "credits"}).encode()
    for kind in (
        "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "",
        "application/json; charset=utf-16", "application/json;" * 1000, "\xff\xfe", "a" * 10_000,
    ):  # fmt: skip
        answer = untouched.visitor.ask("POST", BUY, body, who=untouched.buyer, headers={"content-type": kind})
        # Read as JSON, it asks for a lead that is not there.
        assert answer.told in ((400, "invalid_request"), (415, "unsupported_media_type"), (404, "lead_not_found")), kind
    packed = untouched.visitor.ask(
        "POST", BUY, b"\x1f\x8b\x08", who=untouched.buyer, headers={"content-encoding": "gzip"}
    )
    assert packed.told == (400, "invalid_request")


def test_wrong_methods_and_paths(untouched: Opened) -> None:
    for path, right in ((BUY, "POST"), (TOP_UP, "POST"), (WEBHOOK, "POST"), (READ + ID, "GET"), ("/health", "GET")):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO", "get", "'; --"):
            if method != right:
                answer = untouched.visitor.ask(method, path, who=untouched.buyer)
                assert answer.told == (405, "method_not_allowed"), (method, path)
                assert right in answer.headers["allow"]
    for path in ("/", "/api", "/api/marketplace", "/.env", "/admin", "//", "/%2e%2e/etc/passwd", BUY + "/", "/é", "*"):
        answer = untouched.visitor.ask("GET", path, who=untouched.buyer)
        assert answer.told == (404, "not_found") or answer.status in (307, 308), path


def test_nothing_of_a_request_becomes_a_header(untouched: Opened) -> None:
    injected = "x\r\nset-cookie: stolen=1"
    for answer in (
        untouched.visitor.ask("GET", READ + injected, who=untouched.buyer),
        untouched.visitor.ask("GET", f"/api/{injected}/", who=untouched.buyer),
        untouched.visitor.ask("POST", BUY, {"payment_method": injected, "lead_ids": [injected]}, who=untouched.buyer),
    ):
        assert "set-cookie" not in answer.headers
        assert not any(mark in value for value in answer.headers.values() for mark in "\r\n")


def test_metrics_do_not_grow_with_what_strangers_make_up(untouched: Opened) -> None:
    def series() -> int:
        text = untouched.visitor.ask("GET", "/metrics").body.decode()
        return sum(not line.startswith("#") for line in text.splitlines())

    def make_up(number: int) -> None:
        untouched.visitor.ask("GET", f"/api/nowhere/{number}")
        untouched.visitor.ask(f"METHOD{number}", "/health")
        untouched.visitor.ask("GET", f"{READ}{uuid4()}", who=untouched.buyer)

    seen = []
    for number in range(60):
        make_up(number)
        seen.append(series())
    assert seen[-1] == seen[1]
