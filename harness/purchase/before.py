"""The routes of before, for the rollback plan: check, then act, then mark, each step a transaction of its own.

Nothing is locked between the steps, nothing undoes those before one that fails, a key is looked up and claimed in two
steps, and an event is marked before its effect. That is what the functions were made against; they may stay where they
are meanwhile. The role ``marketplace_before`` is given its rights by ``sql/reference/rollback/non_atomic_api.sql``.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from harness.purchase.connections import Connection
from harness.purchase.refusals import Refusal
from harness.purchase.store import Answer, CreditsWanted, Event, LeadsWanted
from harness.purchase.webhook import PAID, REFUNDED

CHECKOUT_LIFE = timedelta(minutes=35)

Row = tuple[Any, ...]


class CheckThenAct:
    """The store of the seed's "Before"."""

    async def purchase_leads(self, connection: Connection, wanted: LeadsWanted) -> Answer:
        """Are the leads available, is the balance enough? Then deduct, then mark."""
        token_hash, purchase, leads, payment_method, key, request_hash = wanted
        workspace = await workspace_of(connection, token_hash, "purchase")

        async def buy() -> dict[str, Any]:
            prices = await prices_of(connection, leads, workspace)
            total = sum(prices.values(), Decimal(0))
            balance = Decimal(0)
            if payment_method == "credits":
                balance = await balance_of(connection, workspace)
                if balance < total:
                    raise Refusal("insufficient_credits", {"required": money(total), "available": money(balance)})
            await connection.execute(
                "INSERT INTO marketplace_purchases (id, workspace_id, payment_method, total) VALUES (%s, %s, %s, %s)",
                [purchase, workspace, payment_method, total],
            )
            for lead, price in prices.items():
                await connection.execute(
                    "INSERT INTO marketplace_purchase_items (purchase_id, lead_id, price) VALUES (%s, %s, %s)",
                    [purchase, lead, price],
                )
            if payment_method == "credits":
                await deduct(connection, workspace, balance - total, total, purchase)
                await mark_sold(connection, leads)
                await complete(connection, purchase, balance - total)
            shown = await shown_purchase(connection, purchase, workspace)
            assert shown is not None
            if payment_method == "credits":
                return shown | {"remaining_credits": money(balance - total)}
            return shown | {"checkout_expires_at": checkout_expires_at()}

        return await once(connection, workspace, "/api/marketplace/purchase", key, request_hash, buy)

    async def read_purchase(self, connection: Connection, token_hash: bytes, purchase: UUID) -> str | None:
        """As it is at this moment; or at several."""
        workspace = await workspace_of(connection, token_hash, "read")
        shown = await shown_purchase(connection, purchase, workspace)
        return None if shown is None else json.dumps(shown)

    async def buy_credits(self, connection: Connection, wanted: CreditsWanted) -> Answer:
        """A pending row."""
        token_hash, credit_purchase, amount, key, request_hash = wanted
        workspace = await workspace_of(connection, token_hash, "purchase")

        async def order() -> dict[str, Any]:
            await connection.execute(
                "INSERT INTO credit_purchases (id, workspace_id, amount) VALUES (%s, %s, %s)",
                [credit_purchase, workspace, amount],
            )
            ordered = {"id": str(credit_purchase), "status": "pending", "amount": money(amount)}
            return {"credit_purchase": ordered, "checkout_expires_at": checkout_expires_at()}

        return await once(connection, workspace, "/api/credits/purchase", key, request_hash, order)

    async def apply_event(self, connection: Connection, event: Event) -> bool:
        """Was it processed? Mark it, then do what it says."""
        if await one(connection, "SELECT event_id FROM processed_webhook_events WHERE event_id = %s", event.id):
            return True
        await connection.execute(
            "INSERT INTO processed_webhook_events (event_id, event_type, purchase_id) VALUES (%s, %s, %s) "
            "ON CONFLICT (event_id) DO NOTHING",
            [event.id, event.type, event.about],
        )
        if event.kind == "credit_purchase":
            return await top_up(connection, event)
        row = await one(connection, "SELECT status FROM marketplace_purchases WHERE id = %s", event.about)
        if row is None:
            raise Refusal("purchase_not_found")
        if event.type in PAID:
            if row[0] == "completed":
                return True
            cursor = await connection.execute(
                "SELECT lead_id FROM marketplace_purchase_items WHERE purchase_id = %s", [event.about]
            )
            await mark_sold(connection, [lead for (lead,) in await cursor.fetchall()])
            await complete(connection, event.about, None)
            return False
        ends = {"checkout.session.expired": "cancelled", REFUNDED: "refunded"}
        await connection.execute(
            "UPDATE marketplace_purchases SET status = %s WHERE id = %s",
            [ends.get(event.type, "failed"), event.about],
        )
        return False


async def one(connection: Connection, query: str, *parameters: Any) -> Row | None:
    """The first row of a query."""
    cursor = await connection.execute(query.encode(), parameters)
    row: Row | None = await cursor.fetchone()
    return row


async def workspace_of(connection: Connection, token_hash: bytes, scope: str) -> UUID:
    """Who shows this token. Raises ``Refusal``."""
    query = "SELECT workspace_id, scopes FROM api_tokens WHERE token_hash = %s AND revoked_at IS NULL"
    row = await one(connection, query, token_hash)
    if row is None:
        raise Refusal("unauthorized")
    workspace, scopes = row
    if scope not in scopes:
        raise Refusal("missing_scope", {"scope": scope})
    id_: UUID = workspace
    return id_


async def once(
    connection: Connection,
    workspace: UUID,
    endpoint: str,
    key: str | None,
    request_hash: str,
    work: Callable[[], Awaitable[dict[str, Any]]],
) -> Answer:
    """Is the key known? Then claim it, then work; an error on the way leaves it claimed for good."""
    if key is None:
        return Answer(False, json.dumps(await work()))
    where = "workspace_id = %s AND endpoint = %s AND key = %s"
    row = await one(
        connection, f"SELECT status, response FROM api_idempotency_keys WHERE {where}", workspace, endpoint, key
    )
    if row is not None:
        if row[0] == "processing":
            raise Refusal("key_in_progress")
        return Answer(True, json.dumps(row[1]))
    await connection.execute(
        "INSERT INTO api_idempotency_keys (workspace_id, endpoint, key, request_hash) "
        "VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [workspace, endpoint, key, request_hash],
    )
    response = json.dumps(await work())
    await connection.execute(
        f"UPDATE api_idempotency_keys SET status = 'completed', response = %s WHERE {where}".encode(),
        [response, workspace, endpoint, key],
    )
    return Answer(False, response)


async def prices_of(connection: Connection, leads: Sequence[UUID], workspace: UUID) -> dict[UUID, Decimal]:
    """Of leads that are on sale at this moment. Raises ``Refusal``."""
    prices = {}
    for lead in leads:
        row = await one(connection, "SELECT workspace_id, price, marketplace_status FROM leads WHERE id = %s", lead)
        seller, price, status = row or (None, None, None)
        if status == "sold":
            raise Refusal("lead_sold", {"lead_id": str(lead)})
        if status != "available" or price is None:
            raise Refusal("lead_not_found", {"lead_id": str(lead)})
        if seller == workspace:
            raise Refusal("own_lead")
        prices[lead] = price
    return prices


async def balance_of(connection: Connection, workspace: UUID) -> Decimal:
    """The balance at this moment."""
    row = await one(connection, "SELECT balance FROM workspace_credits WHERE workspace_id = %s", workspace)
    return Decimal(row[0]) if row else Decimal(0)


async def deduct(connection: Connection, workspace: UUID, left: Decimal, total: Decimal, purchase: UUID) -> None:
    """Write back what should be left."""
    await connection.execute("UPDATE workspace_credits SET balance = %s WHERE workspace_id = %s", [left, workspace])
    await connection.execute(
        "INSERT INTO credit_ledger (workspace_id, kind, amount, purchase_id) VALUES (%s, 'purchase', %s, %s)",
        [workspace, -total, purchase],
    )


async def mark_sold(connection: Connection, leads: Sequence[UUID]) -> None:
    """One lead after the other. The table refuses a count of two, so that this writes one."""
    for lead in leads:
        await connection.execute(
            "UPDATE leads SET marketplace_status = 'sold', sold_count = 1, sold_at = now() WHERE id = %s", [lead]
        )


async def complete(connection: Connection, purchase: UUID, balance: Decimal | None) -> None:
    """Mark the purchase."""
    await connection.execute(
        "UPDATE marketplace_purchases SET status = 'completed', completed_at = now(), credit_balance_after = %s "
        "WHERE id = %s",
        [balance, purchase],
    )


async def top_up(connection: Connection, event: Event) -> bool:
    """Is it pending? Then add what it says to what the balance was."""
    row = await one(connection, "SELECT workspace_id, amount, status FROM credit_purchases WHERE id = %s", event.about)
    if row is None:
        raise Refusal("top_up_not_found")
    workspace, amount, status = row
    if event.type not in PAID or status == "completed":
        return bool(status == "completed")
    balance = await balance_of(connection, workspace) + amount
    await connection.execute("UPDATE workspace_credits SET balance = %s WHERE workspace_id = %s", [balance, workspace])
    await connection.execute(
        "INSERT INTO credit_ledger (workspace_id, kind, amount, credit_purchase_id) VALUES (%s, 'top_up', %s, %s)",
        [workspace, amount, event.about],
    )
    await connection.execute(
        "UPDATE credit_purchases SET status = 'completed', completed_at = now(), credit_balance_after = %s "
        "WHERE id = %s",
        [balance, event.about],
    )
    return False


async def shown_purchase(connection: Connection, purchase: UUID, workspace: UUID) -> dict[str, Any] | None:
    """The purchase as a client is shown it, read in two steps."""
    query = "SELECT status, payment_method, total FROM marketplace_purchases WHERE id = %s AND workspace_id = %s"
    row = await one(connection, query, purchase, workspace)
    if row is None:
        return None
    status, method, total = row
    cursor = await connection.execute(
        "SELECT lead.id, item.price, lead.contact FROM marketplace_purchase_items AS item "
        "JOIN leads AS lead ON lead.id = item.lead_id WHERE item.purchase_id = %s ORDER BY lead.id",
        [purchase],
    )
    leads = [
        {"id": str(lead), "price": money(price), "contact": contact} for lead, price, contact in await cursor.fetchall()
    ]
    made = {"id": str(purchase), "status": status, "payment_method": method, "total": money(total)}
    return {
        "purchase": made | {"lead_ids": [lead["id"] for lead in leads]},
        "leads": leads if status == "completed" else [],
    }


def money(amount: Decimal) -> str:
    """With two decimals."""
    return f"{amount:.2f}"


def checkout_expires_at() -> int:
    """Unix seconds."""
    return int((datetime.now(UTC) + CHECKOUT_LIFE).timestamp())
