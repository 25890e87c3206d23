"""Transactions of client code, isolation levels, and what a point may never disturb."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from psycopg.errors import DivisionByZero

from harness.db.any_server import AnyServer
from harness.db.controlled import ControlledConnection
from harness.explore.exhaustive import Exhaustive

from .bank import Bank, BankTrial, codes, told

REPEATABLE_READ = ("SET default_transaction_isolation TO 'repeatable read'",)
SERIALIZABLE = ("SET default_transaction_isolation TO 'serializable'",)
LEVELS = pytest.mark.parametrize("prepare", [REPEATABLE_READ, SERIALIZABLE], ids=["repeatable read", "serializable"])


@pytest.fixture(scope="module")
def bank(module_database: str, server: AnyServer) -> Iterator[Bank]:
    with Bank(module_database, local=server.local) as bank:
        bank.define("""
            CREATE FUNCTION swap_if_both(p_account integer) RETURNS integer LANGUAGE plpgsql AS $$
            DECLARE v_sum integer;
            BEGIN
              IF harness.point(71) THEN END IF;
              SELECT sum(balance) INTO v_sum FROM account WHERE id IN (1, 2);
              IF harness.point(72) THEN END IF;
              IF v_sum >= 30 THEN
                UPDATE account SET balance = balance - 20 WHERE id = p_account;
              END IF;
              IF harness.point(73) THEN END IF;
              RETURN v_sum;
            END $$;
        """)
        yield bank


async def withdraw(connection: ControlledConnection) -> int:
    """Check, then act, in a transaction of the client's."""
    async with connection.transaction():
        cursor = await connection.execute("SELECT balance FROM account WHERE id = 1")
        (balance,) = await cursor.fetchone() or (0,)
        await connection.execute("UPDATE account SET balance = %s WHERE id = 1", (balance - 10,))
        return int(balance)


def outcomes(trial: BankTrial, bound: int = 2) -> set[tuple[tuple[str, ...], int]]:
    """How the calls ended and what account 1 has, over all schedules."""
    strategy, seen = Exhaustive(bound=bound), set()
    while strategy.begin():
        run, history = trial.run(strategy)
        strategy.end(run.decisions)
        seen.add((tuple(codes(history)), history.final[0][1]))
    return seen


def test_every_statement_of_a_transaction_is_a_step(bank: Bank) -> None:
    run, _ = bank.trial([[withdraw]]).play()
    assert run.points == [-1, -1, -1, -1]
    assert list(run.statements.values()) == [
        "SELECT balance FROM account WHERE id = 1",
        "UPDATE account SET balance = %s WHERE id = 1",
    ]


def test_client_code_that_checks_and_acts_loses_an_update(bank: Bank) -> None:
    assert outcomes(bank.trial([[withdraw], [withdraw]])) == {(("", ""), -5), (("", ""), 5)}


@LEVELS
def test_a_snapshot_refuses_the_second_instead(bank: Bank, prepare: tuple[str, ...]) -> None:
    seen = outcomes(bank.trial([[withdraw], [withdraw]], prepare=prepare))
    assert seen == {(("", ""), -5), (("40001", ""), 5), (("", "40001"), 5)}


@LEVELS
def test_who_waited_for_a_row_that_changed_is_refused(bank: Bank, prepare: tuple[str, ...]) -> None:
    run, history = bank.trial([["SELECT take(1, 10)"]] * 2, prepare=prepare).play((2, 1))
    assert told(run)[1:] == [(5, 1, "wake", 0), (5, 1, "error", "40001")]
    assert codes(history) == ["", "40001"]


def test_write_skew_is_seen_below_serializable_alone(bank: Bank) -> None:
    sessions = [["SELECT swap_if_both(1)"], ["SELECT swap_if_both(2)"]]
    skewed = (("", ""), -5)
    both = {
        prepare: bank.trial(sessions, prepare=prepare).play((2, 1), (4, 0), (5, 1))
        for prepare in (REPEATABLE_READ, SERIALIZABLE)
    }
    _, history = both[REPEATABLE_READ]
    assert (tuple(codes(history)), history.final[0][1]) == skewed
    assert history.final[1] == (2, -5)
    assert "40001" in codes(both[SERIALIZABLE][1])


def test_serializable_runs_come_again(bank: Bank) -> None:
    trial = bank.trial([["SELECT swap_if_both(1)"], ["SELECT swap_if_both(2)"]], prepare=SERIALIZABLE)
    first = trial.play((2, 1), (4, 0), (5, 1))
    for _ in range(20):
        assert trial.play((2, 1), (4, 0), (5, 1)) == first


def test_an_error_inside_a_savepoint_leaves_the_transaction_alive(bank: Bank) -> None:
    async def stumble(connection: ControlledConnection) -> None:
        async with connection.transaction():
            await connection.execute("UPDATE account SET balance = 1 WHERE id = 1")
            with suppress(DivisionByZero):
                async with connection.transaction():
                    await connection.execute("SELECT 1 / 0")
            await connection.execute("UPDATE account SET balance = balance + 1 WHERE id = 1")

    run, history = bank.trial([[stumble]]).play()
    assert history.final[0] == (1, 2)
    assert [event[2:] for event in told(run)] == [("error", "22012")]
