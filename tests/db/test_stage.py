"""The stage between runs: sessions that are kept, replaced, ended; and what it tells of them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import pq

from harness.db.any_server import AnyServer
from harness.db.controlled import ControlledConnection
from harness.db.session import ClientSession
from harness.db.stage import PostgresStage, install_gate
from harness.engine.execution import Execution
from harness.engine.recorder import Recorder
from harness.explore.sparse import Sparse
from harness.words.errors import CouldNotRun
from harness.words.fault import Strike
from harness.words.stage import DEADLOCK_DETECTED, FAULT_POINT, FOREIGN, SessionState

from .bank import Bank, codes, lose, told
from .traces import eventually

TAKE = "SELECT take(1, 10)"


@pytest.fixture(scope="module")
def bank(module_database: str, server: AnyServer) -> Iterator[Bank]:
    with Bank(module_database, local=server.local) as bank:
        bank.define("""
            CREATE FUNCTION with_row(p_account integer) RETURNS integer LANGUAGE plpgsql AS $$
            DECLARE v_account account%ROWTYPE;
            BEGIN
              IF harness.point(1) THEN END IF;
              SELECT * INTO v_account FROM account WHERE id = p_account;
              IF harness.point(2) THEN END IF;
              RETURN v_account.balance;
            END $$
        """)
        yield bank


def pids(stage: PostgresStage) -> list[int]:
    return [actor.pid for actor in stage.actors if isinstance(actor, ClientSession)]


async def idle(connection: ControlledConnection) -> None:
    await connection.execute("SELECT 1")


def test_sessions_are_kept_from_run_to_run(bank: Bank) -> None:
    trial = bank.trial([[TAKE], [TAKE]])
    trial.play()
    first = pids(trial.stage)
    trial.play((1, 1))
    assert pids(trial.stage) == first


def test_a_smaller_cast_uses_the_first_sessions(bank: Bank) -> None:
    bank.trial([[TAKE]] * 3).play()
    stage = bank.trial([[TAKE]] * 3).stage
    everyone = pids(stage)
    bank.trial([[TAKE]]).play()
    assert pids(stage) == everyone[:1]


def test_after_drop_sessions_there_are_others(bank: Bank) -> None:
    trial = bank.trial([[TAKE]])
    trial.play()
    first = pids(trial.stage)
    trial.stage.drop_sessions()
    assert trial.stage.actors == []
    trial.play()
    assert pids(trial.stage) != first


def test_sessions_are_prepared_once(bank: Bank) -> None:
    prepare = ["CREATE TEMP TABLE prepared ()", "SET application_name TO 'prepared'"]
    trial = bank.trial([["SELECT current_setting('application_name')"]], prepare=prepare)
    for _ in range(2):
        _, history = trial.play()
        assert history.calls[0].result["answer"] == "prepared"


def test_a_preparation_that_fails_is_the_error_of_the_server(bank: Bank) -> None:
    with (
        PostgresStage(bank.dsn, local=bank.local, prepare_session=["SET ROLE nobody_there"]) as stage,
        pytest.raises(psycopg.errors.InvalidParameterValue),
    ):
        stage.set_scene([idle])


def test_a_stage_that_is_closed_leaves_nothing(bank: Bank) -> None:
    backends = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    before = bank.admin.execute(backends).fetchone()
    with PostgresStage(bank.dsn, local=bank.local) as stage:
        stage.set_scene([idle, idle])
        assert bank.admin.execute(backends).fetchone() != before
        controller = stage.controller.pid
    bank.admin.execute("SELECT pg_terminate_backend(%s, 10000)", (controller,))
    assert bank.admin.execute(backends).fetchone() == before


def at_the_end_of_a_take(stage: PostgresStage) -> ClientSession:
    """A session that has written and stands at its last point: if its gate opens it commits."""

    async def take(connection: ControlledConnection) -> None:
        await connection.execute(TAKE.encode())

    stage.set_scene([take])
    (session,) = (actor for actor in stage.actors if isinstance(actor, ClientSession))
    for _ in range(3):
        session.advance(1)
        while session.state is SessionState.RUNNING:
            stage.pump(0.01)
    assert session.point == 3
    return session


def test_nothing_is_opened_before_every_backend_has_ended(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    balance = "SELECT balance FROM account WHERE id = 1"
    bank.trial([]).play()
    with PostgresStage(bank.dsn, local=bank.local) as stage:
        session = at_the_end_of_a_take(stage)
        with monkeypatch.context() as patched:
            lose(b"terminate", stage, patched)
            with pytest.raises(CouldNotRun, match=f"the backend {session.pid} of an abandoned session") as caught:
                stage.drop_sessions()
        assert caught.value.slug == "backend-stays"
        assert session.connection.closed
        waits = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
        # It tells that it is at its gate before it waits there.
        assert eventually(lambda: bank.admin.execute(waits, (session.pid,)).fetchone() == ("Lock",))
        bank.admin.execute("SELECT pg_terminate_backend(%s, 10000)", (session.pid,))
    assert bank.admin.execute(balance).fetchone() == (15,)


def test_a_backend_that_is_gone_already_has_ended(bank: Bank) -> None:
    with PostgresStage(bank.dsn, local=bank.local) as stage:
        session = at_the_end_of_a_take(stage)
        bank.admin.execute("SELECT pg_terminate_backend(%s, 10000)", (session.pid,))
        stage.drop_sessions()
        assert session.connection.closed


@pytest.mark.parametrize("asked", [False, True], ids=["idle", "asked to open a gate"])
def test_all_is_given_up_when_the_controller_is_gone(bank: Bank, asked: bool) -> None:
    stage = PostgresStage(bank.dsn, local=bank.local)
    session = at_the_end_of_a_take(stage)
    stage.confirm()
    stage.ask(b"leave_gate", (b"0",))
    bank.admin.execute("SELECT pg_terminate_backend(%s, 10000)", (stage.controller.pid,))
    if asked:
        stage.open_gate(session, session.turn + 1)
        with pytest.raises(CouldNotRun, match="the controller could not open a gate"):
            stage.close()
    else:
        stage.close()
    assert session.connection.closed
    assert stage.actors == []
    assert stage.controller.pgconn.status == pq.ConnStatus.BAD


def test_a_transaction_that_was_left_open_is_noticed(bank: Bank) -> None:
    async def forget(connection: ControlledConnection) -> None:
        await connection.execute("BEGIN")
        await connection.execute("SELECT 1")

    with PostgresStage(bank.dsn, local=bank.local) as stage:
        stage.set_scene([idle, forget])
        Execution(stage).run(Sparse(()), Recorder())
        assert stage.session_in_transaction() == 1


def test_the_gate_is_installed_once(bank: Bank) -> None:
    with pytest.raises(psycopg.errors.DuplicateSchema):
        install_gate(bank.admin)


def test_gates_of_different_sessions_and_turns_are_different_locks(bank: Bank) -> None:
    keys = "SELECT count(DISTINCT harness.gate(pid, turn)) FROM generate_series(1, 50) pid, generate_series(1, 50) turn"
    assert bank.admin.execute(keys).fetchone() == (2500,)


def test_turns_come_round_after_two_to_the_24(bank: Bank) -> None:
    same = "SELECT harness.gate(4194303, 16777215) = harness.gate(4194303, 33554431), harness.gate(4194303, 0) > 0"
    assert bank.admin.execute(same).fetchone() == (True, True)


def test_a_session_whose_turns_come_round_goes_on(bank: Bank) -> None:
    with PostgresStage(bank.dsn, local=bank.local) as stage:
        stage.set_scene([idle])
        (session,) = stage.actors
        assert isinstance(session, ClientSession)
        Execution(stage).run(Sparse(()), Recorder())
        last = (1 << 24) - 2
        session.pgconn.exec_(b"SELECT setval('pg_temp.harness_turn', %d)" % last)
        session.turn = last
        recorder = Recorder()
        stage.set_scene([take_twice])
        run = Execution(stage).run(Sparse(()), recorder)
        assert run.points == [-1, 1, 2, 3, -1, 1, 2, 3]


async def take_twice(connection: ControlledConnection) -> None:
    await connection.execute(TAKE)
    await connection.execute(TAKE)


def test_a_stranger_is_a_blocker_but_nobody_in_particular(bank: Bank) -> None:
    with psycopg.connect(bank.dsn) as stranger, PostgresStage(bank.dsn, local=bank.local) as stage:
        stranger.execute("SELECT pg_advisory_xact_lock(8)")

        async def want(connection: ControlledConnection) -> None:
            await connection.execute("SELECT pg_advisory_xact_lock(8)")

        stage.set_scene([want])
        stage.actors[0].advance(1)
        while not (blockers := stage.blockers([0])[0]):
            stage.pump(0.01)
        assert blockers == (FOREIGN,)
        assert "advisory  ExclusiveLock  f" in stage.picture()


def test_whoever_stands_at_its_gate_is_not_blocked(bank: Bank) -> None:
    with PostgresStage(bank.dsn, local=bank.local) as stage:
        stage.set_scene([take_twice])
        stage.actors[0].advance(1)
        while stage.actors[0].state is SessionState.RUNNING:
            stage.pump(0.01)
        for _ in range(20):
            assert stage.blockers([0]) == {0: ()}


def test_a_canceller_stands_at_a_point_of_its_own(bank: Bank) -> None:
    with PostgresStage(bank.dsn, local=bank.local) as stage:
        stage.set_scene([idle, Strike(0)])
        assert (stage.actors[1].point, stage.actors[1].state) == (FAULT_POINT, SessionState.READY)


@pytest.mark.parametrize(
    ("detail", "cycle"),
    [
        ("", ()),
        ("Process {0} waits for ShareLock on transaction 9; blocked by process {1}.", (0,)),
        ("Process {1} waits for X; blocked by process {0}.\nProcess {0} waits for Y; blocked by {1}.", (1, 0)),
        ("Process 1 waits for ShareLock on transaction 9; blocked by process {0}.", (FOREIGN,)),
    ],
)
def test_the_cycle_of_a_deadlock_is_read_from_its_detail(bank: Bank, detail: str, cycle: tuple[int, ...]) -> None:
    assert psycopg.errors.DeadlockDetected.sqlstate == DEADLOCK_DETECTED
    with PostgresStage(bank.dsn, local=bank.local) as stage:
        stage.set_scene([idle, idle])
        assert stage.cycle_in(detail.format(*pids(stage))) == cycle


def test_who_is_blocked_before_its_function_begins_stops_at_its_second_point_all_the_same(bank: Bank) -> None:
    async def lock(connection: ControlledConnection) -> None:
        async with connection.transaction():
            await connection.execute("LOCK TABLE account")
            await connection.execute("SELECT 1")

    entries = {"with_row": frozenset({1, 2})}
    # A session that has never called the function: it must look at the table to know what a row is.
    trial = bank.trial([[lock], ["SELECT with_row(1)"]], prepare=["SET application_name TO 'fresh'"], entries=entries)
    run, history = trial.play((2, 1))
    assert told(run) == [(2, 1, "wait", 0), (4, 1, "wake", 0)]
    assert codes(history) == ["", ""]
    assert run.points[-1] == 2
