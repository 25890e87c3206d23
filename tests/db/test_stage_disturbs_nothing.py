"""What a scheduling point leaves alone: FOUND, ROW_COUNT, read-only transactions, rights, and everybody else's time."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from harness.db.any_server import AnyServer
from harness.db.controlled import ControlledConnection

from .bank import Bank, codes, told


@pytest.fixture(scope="module")
def bank(module_database: str, server: AnyServer) -> Iterator[Bank]:
    with Bank(module_database, local=server.local) as bank:
        bank.define("""
            CREATE FUNCTION look_around(p_account integer) RETURNS text LANGUAGE plpgsql AS $$
            DECLARE v_found boolean; v_rows bigint; v_state text;
            BEGIN
              UPDATE account SET balance = balance WHERE id <= p_account;
              IF harness.point(1) THEN END IF;
              v_found := FOUND;
              IF harness.point(2) THEN END IF;
              GET DIAGNOSTICS v_rows = ROW_COUNT;
              BEGIN
                IF harness.point(3) THEN END IF;
                RAISE division_by_zero;
              EXCEPTION WHEN OTHERS THEN
                IF harness.point(4) THEN END IF;
                GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE;
              END;
              RETURN concat_ws(' ', v_found, v_rows, v_state);
            END $$;

            CREATE FUNCTION only_read() RETURNS integer LANGUAGE plpgsql AS $$
            BEGIN
              IF harness.point(5) THEN END IF;
              RETURN (SELECT balance FROM account WHERE id = 2);
            END $$;

            CREATE FUNCTION without_path() RETURNS integer LANGUAGE plpgsql SET search_path = '' AS $$
            BEGIN
              IF harness.point(6) THEN END IF;
              RETURN (SELECT balance FROM public.account WHERE id = 2);
            END $$;

            CREATE FUNCTION fail_thrice() RETURNS integer LANGUAGE plpgsql AS $$
            DECLARE v_failed integer := 0;
            BEGIN
              FOR i IN 1 .. 3 LOOP
                BEGIN
                  IF harness.point(7) THEN END IF;
                  UPDATE account SET balance = 0 WHERE id = 1;
                  RAISE division_by_zero;
                EXCEPTION WHEN division_by_zero THEN
                  IF harness.point(8) THEN END IF;
                  v_failed := v_failed + 1;
                END;
              END LOOP;
              RETURN v_failed;
            END $$;
        """)
        yield bank


OWNER = "harness_test_owner"


@pytest.fixture
def owner(bank: Bank, server: AnyServer) -> Iterator[sql.Identifier]:
    """A role that may do nothing but read and write accounts, and own functions."""
    role = sql.Identifier(OWNER)
    server.ensure_roles([OWNER])
    bank.admin.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {0}; GRANT ALL ON account TO {0}").format(role))
    yield role
    bank.admin.execute(sql.SQL("DROP OWNED BY {}").format(role))


def answer(bank: Bank, statement: str) -> tuple[list[int], object]:
    """The points of a run of this statement alone, and its answer."""
    run, history = bank.trial([[statement]]).play()
    assert codes(history) == [""]
    return run.points[1:], history.calls[0].result["answer"]


def test_found_row_count_and_diagnostics(bank: Bank) -> None:
    points, told_under_control = answer(bank, "SELECT look_around(2)")
    (plain,) = bank.admin.execute("SELECT look_around(2)").fetchone() or ()
    assert points == [1, 2, 3, 4]
    assert told_under_control == plain
    assert plain == "t 2 22012"


def test_a_read_only_transaction(bank: Bank) -> None:
    async def read(connection: ControlledConnection) -> int:
        async with connection.transaction():
            await connection.execute("SET TRANSACTION READ ONLY")
            cursor = await connection.execute("SELECT only_read()")
            return int((await cursor.fetchone() or (0,))[0])

    run, history = bank.trial([[read]]).play()
    assert history.calls[0].result["answer"] == 15
    assert 5 in run.points


def test_an_empty_search_path(bank: Bank) -> None:
    assert answer(bank, "SELECT without_path()") == ([6], 15)


def test_turns_go_on_through_rollbacks_of_subtransactions(bank: Bank) -> None:
    assert answer(bank, "SELECT fail_thrice()") == ([7, 8] * 3, 3)


def test_turns_go_on_through_rollbacks_of_transactions(bank: Bank) -> None:
    async def undo(connection: ControlledConnection) -> None:
        async with connection.transaction(force_rollback=True):
            await connection.execute("SELECT take(1, 10)")

    run, history = bank.trial([[undo, undo, "SELECT take(1, 1)"]]).play()
    assert [point for point in run.points if point > 0] == [1, 2, 3] * 3
    assert history.final[0] == (1, 14)


def test_a_function_of_an_unprivileged_owner(bank: Bank, owner: sql.Identifier) -> None:
    bank.define("""
        CREATE FUNCTION definer() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
        BEGIN
          IF harness.point(9) THEN END IF;
          RETURN (SELECT balance FROM public.account WHERE id = 3);
        END $$
    """)
    bank.admin.execute(sql.SQL("ALTER FUNCTION definer() OWNER TO {}").format(owner))
    assert answer(bank, "SELECT definer()") == ([9], 15)


def test_sessions_of_an_unprivileged_role(bank: Bank, owner: sql.Identifier) -> None:
    become = sql.SQL("SET ROLE {}").format(owner).as_string()
    run, history = bank.trial([["SELECT take(1, 10)"]] * 2, prepare=[become]).play((2, 1))
    assert codes(history) == ["", ""]
    assert told(run) == [(3, 1, "wait", 0), (5, 1, "wake", 0)]


def test_a_session_that_is_not_under_control_passes_unheard(bank: Bank) -> None:
    notices: list[str] = []
    with psycopg.connect(bank.dsn) as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        assert connection.execute("SELECT fail_thrice()").fetchone() == (3,)
        locks = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'"
        assert connection.execute(locks).fetchone() == (0,)
    assert notices == []


def test_nothing_is_left_in_a_transaction_or_locked(bank: Bank) -> None:
    trial = bank.trial([["SELECT take(1, 10)"], ["SELECT take(1, 10)"], 1])
    trial.play((2, 1), (4, 2))
    assert trial.stage.session_in_transaction() is None
    locks = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE datname = current_database()"
    count = bank.admin.execute(f"{locks} AND locktype IN ('transactionid', 'tuple')").fetchone()
    assert count == (0,)
