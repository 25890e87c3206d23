"""A small market to try the purchase API on: two buyers with credits and tokens, and leads on sale."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from harness.marketplace.fixtures import filling
from harness.marketplace.names import Names
from harness.marketplace.start import LeadStart, Start
from harness.marketplace.subject import Subject

BUYERS = {"acme": Decimal(100), "globex": Decimal(20)}
PRICES = ("12.50", "8.00", "30.00", "9.99", "15.00", "45.00")


@dataclass(frozen=True, slots=True)
class DemoMarket:
    """Buyer to its token, and the leads, the cheapest first."""

    tokens: dict[str, str]
    leads: tuple[tuple[str, Decimal], ...]


def make_demo_market(connection: psycopg.Connection[Any], subject: Subject) -> DemoMarket:
    """Fill the reference's tables, which must be empty. The connection must be in autocommit, and the owner's."""
    leads = {f"lead {number}": LeadStart(Decimal(price)) for number, price in enumerate(PRICES, 1)}
    start = Start(workspaces=BUYERS, leads=leads)
    names = Names(subject.ids, start, ())
    tokens = {buyer: new_token() for buyer in BUYERS}
    with connection.transaction():
        for statement in filling(subject, names, start, connection):
            connection.execute(statement.text.encode())
        # The tokens of scenarios are known to everyone.
        connection.execute("DELETE FROM api_tokens")
        for number, name in enumerate(leads, 1):
            contact = Jsonb({"name": f"Customer {number}", "phone": f"555-01{number:02}"})
            connection.execute("UPDATE leads SET contact = %s WHERE id = %s", [contact, names.id_of("lead", name)])
        for buyer, token in tokens.items():
            give_token(connection, token, names.id_of("workspace", buyer))
    ids = [(str(names.id_of("lead", name)), lead.price or Decimal(0)) for name, lead in leads.items()]
    return DemoMarket(tokens, tuple(sorted(ids, key=lambda lead: lead[1])))


def new_token() -> str:
    """One that nobody guesses."""
    return f"mkt_{secrets.token_urlsafe(24)}"


def give_token(connection: psycopg.Connection[Any], token: str, workspace: UUID | int) -> None:
    """Let whoever shows the token read and buy for the workspace. Its hash is kept, and not the token."""
    connection.execute(
        "INSERT INTO api_tokens (token_hash, workspace_id, scopes) VALUES (%s, %s, ARRAY['read', 'purchase'])",
        [hashlib.sha256(token.encode()).digest(), workspace],
    )
