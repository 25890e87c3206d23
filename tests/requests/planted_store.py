"""A store that claims a key in a transaction of its own, before the work: as one would who wants to know early."""

from __future__ import annotations

from harness.doors.requesting import in_process
from harness.purchase.connections import Connection
from harness.purchase.refusals import Refusal
from harness.purchase.store import Answer, Functions, LeadsWanted
from harness.requests.exchange import App
from harness.requests.seats import Seat

ENDPOINT = "/api/marketplace/purchase"


class ClaimsEarly(Functions):
    """Claim, work, complete: three transactions."""

    async def purchase_leads(self, connection: Connection, wanted: LeadsWanted) -> Answer:
        """What fails after the claim leaves the key in progress."""
        cursor = await connection.execute(
            "SELECT id FROM workspaces WHERE sha256(id::text::bytea) = %s", [wanted.token_hash]
        )
        ((workspace,),) = await cursor.fetchall()
        cursor = await connection.execute(
            "SELECT outcome, response::text FROM claim_idempotency_key(%s, %s, %s, %s)",
            [workspace, ENDPOINT, wanted.key, wanted.request_hash],
        )
        ((outcome, response),) = await cursor.fetchall()
        if outcome == "completed":
            return Answer(True, response)
        if outcome != "claimed":
            raise Refusal(f"key_{outcome}")
        answer = await super().purchase_leads(connection, wanted._replace(key=None))
        await connection.execute(
            "SELECT complete_idempotency_key(%s, %s, %s, %s::jsonb)", [workspace, ENDPOINT, wanted.key, answer.response]
        )
        return answer


def claims_early(seat: Seat) -> App:
    """The API with that store."""
    return in_process(seat, ClaimsEarly())
