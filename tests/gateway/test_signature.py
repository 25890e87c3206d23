"""Signatures, as the real library checks them."""

from __future__ import annotations

import time

import pytest
import stripe

from harness.gateway.signature import signature_header

BODY = '{"id": "evt_1", "name": "café"}'.encode()


def verified(secret: str, header: str, body: bytes = BODY) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(body, header, secret, 300))
    except stripe.SignatureVerificationError:
        return False


def test_the_library_accepts_it() -> None:
    now = int(time.time())
    header = signature_header(BODY, ["whsec_a"], now)
    assert verified("whsec_a", header)
    assert header.startswith(stripe.WebhookSignature.generate_signature_header(BODY.decode(), "whsec_a", now) + ",v0=")


def test_while_a_secret_is_rolled_both_are_good() -> None:
    header = signature_header(BODY, ["whsec_new", "whsec_old"], int(time.time()))
    assert header.count("v1=") == 2
    assert [verified(secret, header) for secret in ("whsec_new", "whsec_old", "whsec_older")] == [True, True, False]


@pytest.mark.parametrize(
    ("secrets", "age", "body"),
    [([], 0, BODY), (["whsec_b"], 0, BODY), (["whsec_a"], 301 + 5, BODY), (["whsec_a"], 0, BODY + b" ")],
)
def test_the_library_refuses_what_is_wrong(secrets: list[str], age: int, body: bytes) -> None:
    assert not verified("whsec_a", signature_header(BODY, secrets, int(time.time()) - age), body)
