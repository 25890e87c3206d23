"""One database with the reference for each module that monitors one; what a test writes there is undone after it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from harness.db.any_server import AnyServer
from tests.monitor.books import Books, database_of


@pytest.fixture(scope="module")
def marketplace(server: AnyServer) -> Iterator[str]:
    """Its DSN."""
    with database_of(server) as dsn:
        yield dsn


@pytest.fixture
def books(marketplace: str) -> Iterator[Books]:
    """Empty books whose entries others can read; they are emptied again after the test."""
    with psycopg.connect(marketplace, autocommit=True) as connection:
        yield Books(connection)
        connection.execute("SET session_replication_role = replica")  # else the ledger keeps its entries
        connection.execute("TRUNCATE leads, marketplace_purchases, marketplace_purchase_items, workspaces CASCADE")
