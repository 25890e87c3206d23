"""The database under a test: only one that the harness made, and its functions as they were when it is left."""

from __future__ import annotations

import os
from typing import Any

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.interleave.ground import Ground, ground_of
from harness.words.errors import UsageError

DEFINITIONS = "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1"


def definitions(bank: psycopg.Connection[Any]) -> list[Any]:
    return bank.execute(DEFINITIONS).fetchall()


def test_the_functions_are_given_back(database: str, bank: psycopg.Connection[Any]) -> None:
    before = definitions(bank)
    with Ground(database, local=False, core=None) as ground:
        ground.prepare(None)
        assert "harness.point" in str(definitions(bank))
        digest = ground.digest
        bank.execute("CREATE SCHEMA other")
        ground.prepare(["other"])
        assert (ground.plan.points, ground.digest != digest) == ((), True)
        assert definitions(bank) == before
        ground.prepare(["public", "other"])
        assert ground.digest == digest
    assert definitions(bank) == before


def test_a_new_function_gets_points_too(database: str, bank: psycopg.Connection[Any]) -> None:
    with Ground(database, local=False, core=None) as ground:
        ground.prepare(None)
        points = len(ground.plan.points)
        ground.prepare(None)
        assert len(ground.plan.points) == points
        bank.execute("CREATE FUNCTION fresh() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DELETE FROM account; END $$")
        ground.prepare(None)
        assert len(ground.plan.points) > points


def test_a_database_of_somebody_else_is_left_alone(server: AnyServer) -> None:
    with (
        pytest.raises(UsageError, match=r"leads to 'postgres'.*\[not-our-database\]"),
        Ground(server.dsn(), local=False, core=None),
    ):
        pass


def test_the_fixture_is_a_connection_or_a_dsn(server: AnyServer, database: str) -> None:
    with psycopg.connect(database) as connection, ground_of(server, connection, None) as ground:
        assert ground.connection.info.dbname == connection.info.dbname
    with ground_of(server, database, None) as ground:
        assert ground.connection.info.dbname in database
    with pytest.raises(UsageError, match="the fixture database is a int"):
        ground_of(server, 7, None)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="pinning is Linux's")
def test_the_cores_are_given_back(database: str) -> None:
    before = os.sched_getaffinity(0)
    with Ground(database, local=False, core=min(before)):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before
