"""The market to try the API on: what is printed is what is there, and nobody else's token opens it."""

from __future__ import annotations

from hashlib import sha256

from harness.db.any_server import AnyServer
from harness.marketplace.demo import BUYERS, make_demo_market
from tests.marketplace.foreign import installed, subject_of


def test_its_tokens_are_those_that_it_tells(server: AnyServer) -> None:
    subject = subject_of("reference")
    with installed(subject, server) as connection:
        market = make_demo_market(connection, subject)
        owners = "SELECT t.token_hash, w.name FROM api_tokens AS t JOIN workspaces AS w ON w.id = t.workspace_id"
        there = dict(connection.execute(owners).fetchall())
        leads = connection.execute("SELECT id::text, price FROM leads ORDER BY price").fetchall()
    assert there == {sha256(token.encode()).digest(): buyer for buyer, token in market.tokens.items()}
    assert set(market.tokens) == set(BUYERS)
    assert [*market.leads] == leads
