"""The reference subject on databases of its own: as it is, and with scheduling points in its functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.db.instrument import install, plan
from harness.db.migrate import apply
from harness.db.stage import install_gate
from harness.marketplace.subject import load_subject
from harness.resources import bundled


@pytest.fixture(scope="module", params=["plain", "instrumented"])
def session(server: AnyServer, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's session. Where there are points, it announces and passes every one of them, as in a run."""
    subject = load_subject("reference", bundled("sql"))
    server.ensure_roles(subject.roles)
    with server.database() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        apply(connection, subject.migrations)
        if request.param == "instrumented":
            install_gate(connection)
            install(connection, plan(connection, subject.schemas))
            connection.execute("CREATE TEMP SEQUENCE harness_turn")
            connection.execute("SELECT set_config('harness.turn', 'harness_turn'::regclass::oid::text, false)")
        yield connection
