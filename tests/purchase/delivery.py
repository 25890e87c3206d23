"""One delivery to the webhook receiver, and what Stripe is told."""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg

from harness.purchase.connections import OneConnection
from harness.purchase.refusals import Refusal, refusal_of
from harness.purchase.store import Functions
from harness.purchase.webhook import receive
from tests.purchase.stripe_side import SECRET


class Told(NamedTuple):
    """An HTTP status, and what came of the delivery (of a 200) or the code of the refusal."""

    status: int
    word: str


APPLIED, BEFORE, IGNORED = Told(200, "applied"), Told(200, "already_completed"), Told(200, "ignored")


async def deliver(connection: psycopg.AsyncConnection[Any], body: bytes, signature: str | None) -> Told:
    """A body and its ``Stripe-Signature``. Raises what the database says of a mistake of ours."""
    try:
        outcome = await receive(OneConnection(connection), Functions(), body, signature, SECRET)
    except Refusal as no:
        return Told(no.status, no.code)
    except psycopg.Error as error:
        passed = refusal_of(error)
        if passed is None:
            raise
        return Told(passed.status, passed.code)
    return Told(200, outcome.value)
