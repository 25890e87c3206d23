"""Errors and lock timeouts that a point brings about: who can catch them, what they leave, and that they come again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.db import nemesis
from harness.db.any_server import AnyServer
from harness.db.controlled import ControlledConnection
from harness.explore.exhaustive import Exhaustive
from harness.explore.replay import Exact
from harness.words.errors import CouldNotRun
from harness.words.fault import CANCEL, LOCK_TIMEOUT, Fault, FaultKind, Strike, error
from harness.words.history import EventKind

from .bank import Bank, codes, lose, told

TAKE = "SELECT take(1, 10)"


@pytest.fixture(scope="module")
def bank(module_database: str, server: AnyServer) -> Iterator[Bank]:
    with Bank(module_database, local=server.local) as bank:
        bank.define("""
            CREATE FUNCTION careful(p_account integer) RETURNS text LANGUAGE plpgsql AS $$
            BEGIN
              BEGIN
                IF harness.point(61) THEN END IF;
                UPDATE account SET balance = 0 WHERE id = p_account;
                IF harness.point(62) THEN END IF;
              EXCEPTION WHEN OTHERS THEN
                IF harness.point(63) THEN END IF;
                RETURN SQLSTATE || ' ' || current_setting('lock_timeout');
              END;
              IF harness.point(64) THEN END IF;
              RETURN 'done ' || current_setting('lock_timeout');
            END $$;
            CREATE FUNCTION guarded() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
            DECLARE n integer;
            BEGIN
              IF harness.point(71) THEN END IF;
              SELECT count(*) INTO n FROM public.account;
              IF harness.point(72) THEN END IF;
              RETURN n;
            END $$;
            CREATE FUNCTION patient(p_account integer) RETURNS text LANGUAGE plpgsql AS $$
            BEGIN
              IF harness.point(81) THEN END IF;
              PERFORM set_config('lock_timeout', '7s', true);
              IF harness.point(82) THEN END IF;
              UPDATE account SET balance = 3 WHERE id = p_account;
              IF harness.point(83) THEN END IF;
              RETURN current_setting('lock_timeout');
            END $$;
            CREATE FUNCTION sleepy() RETURNS void LANGUAGE plpgsql AS $$
            BEGIN
              IF harness.point(91) THEN END IF;
              PERFORM pg_sleep(0.5);
            END $$;
        """)
        yield bank


@pytest.mark.parametrize("point", [1, 2, 3])
def test_an_error_at_a_point_fails_the_statement_and_nothing_is_changed(bank: Bank, point: int) -> None:
    run, history = bank.trial([[TAKE], Strike(0, error("XX000"))]).play((point, 1))
    assert told(run) == [(point, 1, "fault", "error XX000", 0), (point, 0, "error", "XX000")]
    assert codes(history) == ["XX000"]
    assert history.final[0] == (1, 15)
    assert run.strikes[point].point == point


@pytest.mark.parametrize("sqlstate", ["40001", "23505", "ZZZZZ", "P0001", "0A000", "55P03", "01000"])
def test_the_sqlstate_is_the_one_that_was_chosen(bank: Bank, sqlstate: str) -> None:
    _, history = bank.trial([[TAKE, "SELECT 1"], Strike(0, error(sqlstate))]).play((2, 1))
    assert codes(history) == [sqlstate, ""]


@pytest.mark.parametrize("at", [0, 4])
def test_an_error_strikes_nobody_outside_a_function(bank: Bank, at: int) -> None:
    run, history = bank.trial([[TAKE], Strike(0, error("XX000"))]).play((at, 1))
    assert told(run) == []
    assert history.final[0] == (1, 5)


def test_a_function_that_catches_everything_catches_an_error_and_no_cancel(bank: Bank) -> None:
    careful = ["SELECT careful(1)"]
    run, history = bank.trial([careful, Strike(0, error("22012"))]).play((2, 1))
    assert told(run) == [(2, 1, "fault", "error 22012", 0)]
    assert run.points == [-1, 61, -2, 63]
    assert history.calls[0].result["answer"] == "22012 0"
    assert history.final[0] == (1, 15)
    _, history = bank.trial([careful, Strike(0, CANCEL)]).play((2, 1))
    assert codes(history) == ["57014"]


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
@pytest.mark.parametrize("mode", ["READ WRITE", "READ ONLY"])
@pytest.mark.parametrize("fault", [error("40001"), LOCK_TIMEOUT], ids=str)
def test_it_strikes_in_every_kind_of_transaction(bank: Bank, level: str, mode: str, fault: Fault) -> None:
    prepare = [
        f"SET default_transaction_isolation TO '{level}'",
        f"SET SESSION CHARACTERISTICS AS TRANSACTION {mode}",
        "SET ROLE pg_monitor",
    ]
    trial = bank.trial([["SELECT guarded()"], Strike(0, fault)], prepare=prepare)
    for at in (1, 2):
        run, history = trial.play((at, 1))
        assert told(run, EventKind.FAULT) == [(at, 1, "fault", str(fault), 0)]
        assert codes(history) == ["40001" if fault.sqlstate else ""]


def test_a_lock_timeout_fails_exactly_the_statement_that_waits(bank: Bank) -> None:
    # Session 0 has locked the account; session 1 stands before it locks it, too.
    run, history = bank.trial([[TAKE], [TAKE], Strike(1, LOCK_TIMEOUT)]).play((2, 1), (3, 2))
    assert told(run) == [(3, 2, "fault", "lock-timeout", 1), (3, 1, "error", "55P03")]
    assert codes(history) == ["", "55P03"]


def test_a_lock_timeout_lets_pass_who_need_not_wait(bank: Bank) -> None:
    run, history = bank.trial([[TAKE], ["SELECT take(2, 10)"], Strike(1, LOCK_TIMEOUT)]).play((2, 1), (3, 2))
    assert told(run) == [(3, 2, "fault", "lock-timeout", 1)]
    assert history.final[:2] == ((1, 5), (2, 5))


def test_a_lock_timeout_is_lifted_at_the_next_point(bank: Bank) -> None:
    run, history = bank.trial([["SELECT careful(1)"], Strike(0, LOCK_TIMEOUT)]).play((1, 1))
    assert told(run) == [(1, 1, "fault", "lock-timeout", 0)]
    assert history.calls[0].result["answer"] == "done 0"
    run, history = bank.trial([[TAKE], ["SELECT careful(1)"], Strike(1, LOCK_TIMEOUT)]).play((2, 1), (3, 2))
    assert told(run) == [(3, 2, "fault", "lock-timeout", 1)]
    assert [call.result["answer"] for call in history.calls if call.session == 1] == ["55P03 0"]


def test_a_lock_timeout_of_the_functions_own_is_put_back(bank: Bank) -> None:
    _, history = bank.trial([["SELECT patient(1)"], Strike(0, LOCK_TIMEOUT)]).play((2, 1))
    assert history.calls[0].result["answer"] == "7s"


def test_a_lock_timeout_does_not_outlast_the_function_in_its_transaction(bank: Bank) -> None:
    async def both(connection: ControlledConnection) -> str:
        async with connection.transaction():
            await connection.execute(TAKE.encode())
            cursor = await connection.execute("SELECT current_setting('lock_timeout')")
            return str((await cursor.fetchone() or ("",))[0])

    # At its last point: the rest of the function is under the timeout, and the next statement is not.
    run, history = bank.trial([[both], Strike(0, LOCK_TIMEOUT)]).play((4, 1))
    assert told(run) == [(4, 1, "fault", "lock-timeout", 0)]
    assert history.calls[0].result["answer"] == "0"


@pytest.mark.parametrize("fault", [error("40001"), LOCK_TIMEOUT], ids=str)
def test_every_schedule_comes_again(bank: Bank, fault: Fault) -> None:
    trial = bank.trial([["SELECT careful(1)"], [TAKE], Strike(0, fault)])
    strategy = Exhaustive(bound=1)
    struck = 0
    while strategy.begin():
        run, history = trial.run(strategy)
        strategy.end(run.decisions)
        struck += bool(told(run, EventKind.FAULT))
        again = Exact(run.decisions)
        assert again.begin()
        assert trial.run(again) == (run, history)
    assert struck >= 3


@pytest.mark.parametrize("fault", [error("40001"), LOCK_TIMEOUT], ids=str)
def test_a_fault_leaves_no_lock(bank: Bank, fault: Fault) -> None:
    trial = bank.trial([[TAKE], Strike(0, fault)])
    trial.play()
    # Other tests have locks in databases of their own.
    locks = """
        SELECT count(*) FROM pg_locks JOIN pg_database AS d ON d.oid = database
        WHERE locktype = 'advisory' AND datname = current_database()
    """
    counted = set()
    for at in range(5):
        trial.play((at, 1))
        counted.add(bank.admin.execute(locks).fetchone())
    assert len(counted) == 1


@pytest.mark.parametrize(("kind", "sqlstate"), [("error", ""), ("cancel", "40001")])
def test_only_an_error_has_a_sqlstate(kind: str, sqlstate: str) -> None:
    with pytest.raises(ValueError, match="an error has a SQLSTATE"):
        Fault(FaultKind(kind), sqlstate)


@pytest.mark.parametrize("sqlstate", ["00000", "4000", "40p01", "400011", "4 001"])
def test_a_sqlstate_is_one(sqlstate: str) -> None:
    with pytest.raises(ValueError, match="is no SQLSTATE"):
        error(sqlstate)


def test_a_step_that_does_not_end_under_its_lock_timeout_is_told(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nemesis, "_PATIENCE_S", 0.2)
    with pytest.raises(CouldNotRun, match="session 0 has not ended the step") as caught:
        bank.trial([["SELECT sleepy()"], Strike(0, LOCK_TIMEOUT)]).play((1, 1))
    assert caught.value.slug == "fault-lost"


@pytest.mark.parametrize("fault", [error("40001"), LOCK_TIMEOUT], ids=str)
def test_a_fault_that_nobody_comes_upon_is_told(bank: Bank, monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    trial = bank.trial([[TAKE], Strike(0, fault)])
    monkeypatch.setattr(nemesis, "_PATIENCE_S", 0.2)
    lose(b"mark", trial.stage, monkeypatch)
    with pytest.raises(CouldNotRun, match="session 0 has not come upon the fault"):
        trial.play((2, 1))
