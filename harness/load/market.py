"""Fills a market from its stock: rows by the hundred thousand, made by the server itself."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from harness.load.stock import PRICE_FROM, PRICES, TOP_UP, Stock
from harness.words.errors import UsageError

_LOOK = "SELECT to_regclass('api_tokens') IS NOT NULL"

_FILL = (
    # Every foreign key is right by construction: looking it up takes half of the time.
    "SET session_replication_role = replica",
    """
    INSERT INTO workspaces (id, name)
    SELECT {workspace}, 'buyer ' || n FROM generate_series(0, {workspaces} - 1) AS n
    UNION ALL SELECT {seller}, 'seller ' || n FROM generate_series(0, {sellers} - 1) AS n
    """,
    """
    INSERT INTO workspace_credits (workspace_id, balance)
    SELECT {workspace}, CASE WHEN n = {workspaces} - 1 THEN 0 ELSE {credits} END
    FROM generate_series(0, {workspaces} - 1) AS n
    """,
    """
    INSERT INTO credit_ledger (workspace_id, kind, amount)
    SELECT workspace_id, 'opening', balance FROM workspace_credits
    """,
    """
    INSERT INTO api_tokens (token_hash, workspace_id, scopes)
    SELECT sha256(encode(sha256(convert_to({salt} || ' token ' || n, 'UTF8')), 'hex')::bytea), {workspace},
      ARRAY['read', 'purchase']
    FROM generate_series(0, {workspaces} - 1) AS n
    """,
    """
    INSERT INTO leads (id, workspace_id, price, contact)
    SELECT {lead}, md5({salt} || ' seller ' || n % {sellers})::uuid, n % {prices} + {price_from} + 0.50,
      jsonb_build_object('email', 'lead' || n || '@example.com')
    FROM generate_series(0, {leads} + {checkouts} - 1) AS n
    """,
    """
    INSERT INTO marketplace_purchases (id, workspace_id, payment_method, total)
    SELECT {checkout}, {buyer}, 'stripe', ({leads} + n) % {prices} + {price_from} + 0.50
    FROM generate_series(0, {checkouts} - 1) AS n
    """,
    """
    INSERT INTO marketplace_purchase_items (purchase_id, lead_id, price)
    SELECT {checkout}, md5({salt} || ' lead ' || {leads} + n)::uuid, ({leads} + n) % {prices} + {price_from} + 0.50
    FROM generate_series(0, {checkouts} - 1) AS n
    """,
    """
    INSERT INTO lead_reservations (purchase_id, lead_id, workspace_id, expires_at)
    SELECT {checkout}, md5({salt} || ' lead ' || {leads} + n)::uuid, {buyer}, now() + interval '1 day'
    FROM generate_series(0, {checkouts} - 1) AS n
    """,
    """
    INSERT INTO credit_purchases (id, workspace_id, amount)
    SELECT {top_up}, {buyer}, {top_up_amount} FROM generate_series(0, {top_ups} - 1) AS n
    """,
    "RESET session_replication_role",
    # And nothing else: a table that is known to be empty is read from end to end by all plans that are kept since.
    "ANALYZE workspaces, workspace_credits, api_tokens, leads",
)
"""What ``Stock`` says of ids, tokens and prices, once more, in SQL."""


def fill(connection: psycopg.Connection[Any], stock: Stock) -> None:
    """Put the whole market into an empty database of a subject that has the purchase API. Raises ``UsageError``."""
    row = connection.execute(_LOOK).fetchone()
    if row is None or not row[0]:
        raise UsageError(
            "no-api",
            f"the subject {stock.subject} has no purchase API to load",
            expected="a subject with the table api_tokens, as reference and its planted faults have",
        )
    numbers = {
        name: sql.Literal(getattr(stock, name)) for name in ("workspaces", "sellers", "leads", "checkouts", "top_ups")
    }
    ids = {
        name: sql.SQL("md5({} || {} || n)::uuid").format(sql.Literal(stock.salt), sql.Literal(f" {kind} "))
        for name, kind in {
            "workspace": "workspace",
            "seller": "seller",
            "lead": "lead",
            "checkout": "checkout",
            "top_up": "top-up",
        }.items()
    }
    buyer = sql.SQL("md5({} || ' workspace ' || n % {})::uuid").format(
        sql.Literal(stock.salt), sql.Literal(stock.workspaces)
    )
    amounts = {
        "credits": sql.SQL("{}::numeric").format(sql.Literal(stock.credits)),
        "top_up_amount": sql.SQL("{}::numeric").format(sql.Literal(str(TOP_UP))),
        "price_from": sql.Literal(PRICE_FROM),
        "prices": sql.Literal(PRICES),
    }
    for statement in _FILL:
        connection.execute(
            sql.SQL(statement).format(salt=sql.Literal(stock.salt), buyer=buyer, **numbers, **ids, **amounts)
        )
