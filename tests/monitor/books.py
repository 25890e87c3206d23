"""A marketplace's books written by hand: purchases that took as long, and are as long ago, as a test says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.conninfo import make_conninfo

from harness.db.any_server import AnyServer
from harness.db.migrate import apply
from harness.marketplace.subject import load_subject
from harness.resources import bundled

MONITOR = "marketplace_monitor"


@contextmanager
def database_of(server: AnyServer, name: str = "reference") -> Iterator[str]:
    """The DSN of a database with the bundled subject of that name, as its owner."""
    subject = load_subject(name, bundled("sql"))
    server.ensure_roles(subject.roles)
    with server.database() as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            apply(connection, subject.migrations)
        yield dsn


def as_monitor(dsn: str) -> str:
    """The same database in a role that can read what is monitored, and can do nothing else."""
    return make_conninfo(dsn, options=f"-c role={MONITOR}")


class Books:
    """The tables of the reference, through the eyes of their owner."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.workspace = uuid4()
        connection.execute("INSERT INTO workspaces (id, name) VALUES (%s, 'w')", [self.workspace])

    def lead(self, sold_count: int = 0) -> UUID:
        """A lead that was sold so often; more than once only without the CHECK."""
        id_ = uuid4()
        status = "sold" if sold_count else "available"
        self.connection.execute(
            "INSERT INTO leads (id, workspace_id, price, marketplace_status, sold_count, sold_at)"
            " VALUES (%s, %s, 10, %s, %s, CASE WHEN %s > 0 THEN now() END)",
            [id_, self.workspace, status, sold_count, sold_count],
        )
        return id_

    def purchase(
        self, *leads: UUID, method: str = "credits", took: float = 0.1, ago: float = 60, status: str = "completed"
    ) -> UUID:
        """A purchase that was completed ``ago`` seconds before now, ``took`` seconds after it was made; or never."""
        id_ = uuid4()
        self.connection.execute(
            "INSERT INTO marketplace_purchases"
            " (id, workspace_id, payment_method, status, total, created_at, completed_at)"
            " SELECT %s, %s, %s, %s, 10, done - make_interval(secs => %s), CASE WHEN %s <> 'pending' THEN done END"
            " FROM (SELECT now() - make_interval(secs => %s) AS done) AS moment",
            [id_, self.workspace, method, status, took, status, ago],
        )
        for lead in leads:
            self.connection.execute(
                "INSERT INTO marketplace_purchase_items (purchase_id, lead_id, price) VALUES (%s, %s, 10)", [id_, lead]
            )
        return id_

    def allow_double_sales(self) -> None:
        """The CHECKs that make ``sold_count`` 2 impossible go, as on a database that never had them."""
        self.connection.execute(
            "ALTER TABLE leads DROP CONSTRAINT IF EXISTS leads_sold_count_check,"
            " DROP CONSTRAINT IF EXISTS leads_sold_consistently"
        )
