"""What a run leaves on the server is found: locks of idle sessions, gates, backends."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.db.controlled import ControlledConnection
from harness.db.stage import PostgresStage, install_gate
from harness.engine.execution import Execution
from harness.engine.recorder import Recorder
from harness.explore.sparse import Sparse
from harness.verify.leaks import Leaks


@pytest.fixture
def stage(database: str, server: AnyServer) -> Iterator[tuple[PostgresStage, Leaks]]:
    with psycopg.connect(database, autocommit=True) as connection:
        install_gate(connection)
        with PostgresStage(database, local=server.local) as stage:
            yield stage, Leaks(connection, stage)


def play(stage: PostgresStage, statement: str) -> None:
    async def client(connection: ControlledConnection) -> None:
        await connection.execute(statement.encode())

    strategy = Sparse(())
    assert strategy.begin()
    stage.set_scene([client])
    Execution(stage).run(strategy, Recorder())


def test_a_run_that_cleans_up_leaves_nothing(stage: tuple[PostgresStage, Leaks]) -> None:
    played, leaks = stage
    play(played, "SELECT 1")
    assert leaks.found() == ()


def test_a_lock_that_outlasts_its_transaction_is_a_leak(stage: tuple[PostgresStage, Leaks]) -> None:
    played, leaks = stage
    play(played, "SELECT pg_advisory_lock(42)")
    assert leaks.found() == ("an idle session holds ExclusiveLock on advisory",)
    play(played, "SELECT pg_advisory_unlock(42)")
    assert leaks.found() == ()


def test_an_open_transaction_is_a_leak(stage: tuple[PostgresStage, Leaks]) -> None:
    played, leaks = stage
    play(played, "BEGIN; LOCK TABLE pg_class IN ACCESS SHARE MODE")
    assert "an idle session holds AccessShareLock on pg_class" in leaks.found()
    play(played, "ROLLBACK")
    assert leaks.found() == ()


def test_a_gate_that_nobody_needs_is_a_leak(stage: tuple[PostgresStage, Leaks]) -> None:
    played, leaks = stage
    play(played, "SELECT 1")
    played.ask(b"close_gate", (b"4242",))
    assert leaks.found() == ("the controller holds 2 gates of 1 sessions",)


def test_a_backend_that_nobody_knows_is_a_leak(stage: tuple[PostgresStage, Leaks], database: str) -> None:
    played, leaks = stage
    play(played, "SELECT 1")
    with psycopg.connect(database) as stranger:
        assert leaks.found() == (f"backend {stranger.info.backend_pid} is still there (idle)",)
