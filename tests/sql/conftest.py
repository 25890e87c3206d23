"""The reference subject on databases of its own: as it is, and with scheduling points in its functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from harness.db.any_server import AnyServer
from tests.sql.shop import installed


@pytest.fixture(scope="module", params=["plain", "instrumented"])
def session(server: AnyServer, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's session. Where there are points, it announces and passes every one of them, as in a run."""
    with (
        installed(server, instrumented=request.param == "instrumented") as dsn,
        psycopg.connect(dsn, autocommit=True) as connection,
    ):
        connection.execute("CREATE TEMP SEQUENCE harness_turn")
        connection.execute("SELECT set_config('harness.turn', 'harness_turn'::regclass::oid::text, false)")
        yield connection
