"""The database under a test: only one that the harness made, and its functions as they were when it is left."""

from __future__ import annotations

import os
from typing import Any

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.interleave.ground import Ground, ground_of
from harness.interleave.rules import Rules
from harness.interleave.snapshot import snapshot
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


def test_functions_that_the_test_changes_stay_as_it_made_them(database: str, bank: psycopg.Connection[Any]) -> None:
    with Ground(database, local=False, core=None) as ground:
        ground.prepare(None)
        bank.execute("DROP FUNCTION move")
        bank.execute(
            "CREATE OR REPLACE FUNCTION withdraw(p_id integer, p_amount integer) RETURNS boolean "
            "LANGUAGE plpgsql AS $$ BEGIN RETURN true; END $$"
        )
    left = "".join(str(row) for row in definitions(bank))
    assert "harness.point" not in left
    assert "BEGIN RETURN true; END" in left


def test_a_lock_of_somebody_else_is_not_waited_for_without_end(
    database: str, bank: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.interleave.ground.LOCKED_MAX_S", 1)
    rules = Rules("UPDATE account SET balance = 100", None, None)
    with bank.transaction(), Ground(database, local=False, core=None) as ground:
        bank.execute("UPDATE account SET balance = 0")
        with pytest.raises(UsageError, match="the reset of interleave was refused by the server: 55P03"):
            rules.restore(ground.connection)
        bank.execute("LOCK TABLE account")
        with pytest.raises(UsageError, match="lock timeout"), snapshot(ground.connection):
            pass
