"""What is answered instead of what was asked: a code, an HTTP status, a sentence.

The functions of the database raise the code as the message of their error and what it is about as a JSON object in its
detail; ``refusal_of`` makes an answer of that, and of everything that passes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import psycopg

REFUSALS: Mapping[str, tuple[int, str]] = {
    "invalid_request": (400, "The request cannot be understood."),
    "duplicate_leads": (400, "A lead is listed twice."),
    "amount_not_payable": (400, "Stripe takes no payment of this amount."),
    "bad_signature": (400, "This was not signed by Stripe with the secret of this endpoint, or too long ago."),
    "malformed_body": (400, "The body is no event that can be understood."),
    "amount_mismatch": (400, "What was paid is not what is owed."),
    "purchase_not_found": (400, "There is no such purchase."),
    "purchase_not_refundable": (400, "The purchase was never paid for."),
    "top_up_not_found": (400, "There is no such purchase of credits."),
    "top_up_not_refundable": (400, "Credits that may be spent already are not taken back."),
    "wrong_payment_method": (400, "The purchase is not paid for in this way."),
    "unauthorized": (401, "A bearer token that is known and was not revoked is needed."),
    "insufficient_credits": (402, "There are not enough credits."),
    "missing_scope": (403, "The token does not allow this."),
    "own_lead": (403, "A lead is the workspace's own."),
    "not_found": (404, "There is nothing here."),
    "lead_not_found": (404, "A lead is not on sale."),
    "method_not_allowed": (405, "This can be done by other methods only."),
    "lead_sold": (409, "A lead is sold."),
    "lead_reserved": (409, "A lead is held for a checkout of another workspace."),
    "lead_busy": (409, "Somebody is buying a lead at this moment. Try again."),
    "key_in_progress": (409, "A request with this idempotency key is being carried out."),
    "checkout_closed": (409, "The time for this checkout is over. Make a new purchase."),
    "too_large": (413, "The body is too large."),
    "key_reused": (422, "The idempotency key came with another request before."),
    "internal_error": (500, "Something is wrong here, and was noted."),
    "payment_provider": (502, "The payment provider refused; asking again does not help."),
    "try_again": (503, "This could not be done now. Send it again, with the same idempotency key."),
}
"""Code to HTTP status and sentence."""

SAID_IN_THE_DATABASE = {"lead_unavailable": "lead_sold"}
"""Words of functions that the API knows by another."""

PASSES = ("08", "25006", "40001", "40P01", "53", "55P03", "57")
"""How the SQLSTATEs begin after which another attempt may fare better: connection, a standby that is being promoted,
conflict, resources, lock, intervention."""

RETRY_AFTER_S = 1


class Refusal(Exception):
    """A no. ``details`` is a JSON object about it, or None."""

    def __init__(self, code: str, details: Mapping[str, Any] | None = None, message: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.status, sentence = REFUSALS[code]
        self.message = message or sentence
        self.details = details

    @property
    def body(self) -> bytes:
        """The JSON object that is sent."""
        told: dict[str, Any] = {"error": self.code, "message": self.message}
        if self.details:
            told["details"] = self.details
        # All in ASCII: a client may have sent half of a surrogate pair, and be told of it.
        return json.dumps(told, separators=(",", ":")).encode()

    @property
    def headers(self) -> dict[str, str]:
        """What is sent besides."""
        if self.code == "try_again":
            return {"Retry-After": str(RETRY_AFTER_S)}
        return {"WWW-Authenticate": "Bearer"} if self.code == "unauthorized" else {}


def refusal_of(error: psycopg.Error) -> Refusal | None:
    """What an error of the database means to the client; None when it is a mistake of ours."""
    state, said = error.sqlstate, error.diag.message_primary or ""
    if state == "P0001" or (state == "55P03" and said in REFUSALS):
        code = SAID_IN_THE_DATABASE.get(said, said)
        detail = error.diag.message_detail
        return Refusal(code, json.loads(detail) if detail else None) if code in REFUSALS else None
    if state is None:
        # What libpq itself says, having lost the server, has no SQLSTATE: nobody knows what was done.
        return Refusal("try_again", {"outcome": "unknown"}) if isinstance(error, psycopg.OperationalError) else None
    if state.startswith(PASSES):
        # 57P01 to 57P03 may come when the work was done and only its answer was lost.
        return Refusal("try_again", {"outcome": "unknown" if state.startswith(("08", "57P")) else "not done"})
    return None
