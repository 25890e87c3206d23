"""A marketplace for the API's tests: workspaces with tokens, leads on sale, and what must be true of it at any time."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

CONTACT = "the phone number that a buyer pays for"

FALSE = {
    "a lead in more than one purchase, or marked and in none": """
        SELECT lead.id FROM leads AS lead
        LEFT JOIN (
          SELECT item.lead_id, count(*) AS sold FROM marketplace_purchase_items AS item
          JOIN marketplace_purchases AS p ON p.id = item.purchase_id
          WHERE p.status = 'completed' OR (p.status = 'refunded' AND p.completed_at IS NOT NULL)
          GROUP BY 1
        ) AS buyers ON buyers.lead_id = lead.id
        WHERE coalesce(buyers.sold, 0) <> lead.sold_count OR lead.sold_count > 1
        """,
    "a balance that is not the sum of its entries": """
        SELECT credits.workspace_id FROM workspace_credits AS credits
        WHERE balance < 0 OR balance <> (
          SELECT coalesce(sum(amount), 0) FROM credit_ledger AS l WHERE l.workspace_id = credits.workspace_id
        )
        """,
    "a purchase with credits that is not charged exactly when it is completed": """
        SELECT p.id FROM marketplace_purchases AS p
        LEFT JOIN credit_ledger AS l ON l.purchase_id = p.id AND l.kind = 'purchase'
        WHERE p.payment_method = 'credits' AND (
          p.status NOT IN ('completed', 'refunded') OR l.amount IS DISTINCT FROM -p.total
          OR l.workspace_id IS DISTINCT FROM p.workspace_id
        )
        """,
    "a Stripe purchase that was charged in credits": """
        SELECT p.id FROM marketplace_purchases AS p JOIN credit_ledger AS l ON l.purchase_id = p.id
        WHERE p.payment_method = 'stripe'
        """,
    "a purchase without its items, or with another total": """
        SELECT p.id FROM marketplace_purchases AS p WHERE p.total IS DISTINCT FROM (
          SELECT sum(item.price) FROM marketplace_purchase_items AS item WHERE item.purchase_id = p.id
        )
        """,
    "a purchase of credits that is not credited exactly when it is completed": """
        SELECT c.id FROM credit_purchases AS c LEFT JOIN credit_ledger AS l ON l.credit_purchase_id = c.id
        WHERE (c.status = 'completed') <> (l.id IS NOT NULL) OR l.amount <> c.amount
        """,
    "a reservation of a purchase that is over": """
        SELECT p.id FROM marketplace_purchases AS p JOIN lead_reservations AS r ON r.purchase_id = p.id
        WHERE p.status <> 'pending'
        """,
    "an idempotency key that was left half done": """
        SELECT key FROM api_idempotency_keys WHERE status <> 'completed'
        """,
    "a key whose purchase is not there": """
        SELECT key FROM api_idempotency_keys WHERE response ? 'purchase' AND NOT EXISTS (
          SELECT FROM marketplace_purchases AS p
          WHERE p.id = (response -> 'purchase' ->> 'id')::uuid AND p.workspace_id = api_idempotency_keys.workspace_id
        )
        """,
}
"""What must never be found, whatever was sent. Each query finds the ids of what breaks it."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A tenant, and a token of its with both scopes."""

    id: UUID
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


class Shop:
    """The owner's view of the database at ``dsn``, which has the reference functions in it."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.owner: psycopg.Connection[Any] = psycopg.connect(dsn, autocommit=True)

    def close(self) -> None:
        self.owner.close()

    def workspace(self, balance: str = "100") -> Workspace:
        id_ = uuid4()
        with self.owner.transaction():
            self.owner.execute("INSERT INTO workspaces (id, name) VALUES (%s, 'a tenant')", [id_])
            self.owner.execute("INSERT INTO workspace_credits (workspace_id, balance) VALUES (%s, %s)", [id_, balance])
            opening = "INSERT INTO credit_ledger (workspace_id, kind, amount) VALUES (%s, 'opening', %s)"
            self.owner.execute(opening, [id_, balance])
        return Workspace(id_, self.token(id_, "read", "purchase"))

    def token(self, workspace: UUID, *scopes: str, revoked: bool = False) -> str:
        """A new one; the database keeps its hash."""
        token = secrets.token_urlsafe(32)
        self.owner.execute(
            "INSERT INTO api_tokens (token_hash, workspace_id, scopes, revoked_at) "
            "VALUES (%s, %s, %s, CASE WHEN %s THEN now() END)",
            [hashlib.sha256(token.encode()).digest(), workspace, list(scopes), revoked],
        )
        return token

    def lead(self, seller: Workspace, price: str | None = "10", status: str = "available") -> str:
        """A lead on sale, unless told otherwise; its id."""
        id_ = uuid4()
        self.owner.execute(
            "INSERT INTO leads (id, workspace_id, price, contact, marketplace_status) VALUES (%s, %s, %s, %s, %s)",
            [id_, seller.id, price, json.dumps({"name": CONTACT}), status],
        )
        return str(id_)

    def leads(self, seller: Workspace, count: int, price: str = "10") -> list[str]:
        return [self.lead(seller, price) for _ in range(count)]

    def balance(self, workspace: Workspace) -> Decimal:
        return Decimal(self._value("SELECT balance FROM workspace_credits WHERE workspace_id = %s", workspace.id))

    def status(self, purchase: str) -> str | None:
        """Of a purchase, or of a purchase of credits; None when it is not there."""
        found = self._value("SELECT status FROM marketplace_purchases WHERE id = %s", purchase)
        found = found or self._value("SELECT status FROM credit_purchases WHERE id = %s", purchase)
        return None if found is None else str(found)

    def count(self, table: str) -> int:
        return int(self._value(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))))

    def rows(self) -> Mapping[str, list[Any]]:
        """Every row of every table as text, with the transaction that wrote it: equal if nothing was written."""
        tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        found = {}
        for (name,) in self.owner.execute(tables).fetchall():
            query = sql.SQL("SELECT xmin::text, t::text FROM {} AS t ORDER BY 1, 2").format(sql.Identifier(name))
            found[name] = self.owner.execute(query).fetchall()
        return found

    def false(self) -> dict[str, list[Any]]:
        """What is true of this database and must not be; empty when all is well."""
        found = {what: [row[0] for row in self.owner.execute(query).fetchall()] for what, query in FALSE.items()}
        return {what: ids for what, ids in found.items() if ids}

    def open_transactions(self) -> int:
        """How many clients but us are in the middle of something."""
        return int(
            self._value(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
                  AND state <> 'idle'
                """
            )
        )

    def waiting(self) -> int:
        """How many clients wait for a lock."""
        return int(
            self._value(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pg_blocking_pids(pid) <> '{}'"
            )
        )

    def _value(self, query: str | sql.Composed, *parameters: Any) -> Any:
        row = self.owner.execute(query, parameters).fetchone()
        return None if row is None else row[0]
