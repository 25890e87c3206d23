"""What must not pass: programs that test nothing, rules that are wrong, runs that are not the same again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from harness.engine.execution import Execution
from harness.pytest_interleave import Interleave, Unproved

RESET = "UPDATE account SET balance = 100"
STATE = "SELECT * FROM account ORDER BY id"
RULES: dict[str, Any] = {"reset": RESET, "state": STATE}

Connection = psycopg.Connection[Any]

pytestmark = pytest.mark.usefixtures("bank")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Schedule files go to the working directory."""
    monkeypatch.chdir(tmp_path)


def calls(statement: str) -> Callable[[Connection], Any]:
    """A program that makes one call."""

    def program(connection: Connection) -> Any:
        return connection.execute(statement)

    return program


withdraw = calls("SELECT withdraw(1, 80)")


def test_programs_of_one_step_cannot_overlap(interleave: Interleave) -> None:
    one_step = calls("UPDATE account SET balance = balance - 1")
    with pytest.raises(Unproved, match="NOT EXERCISED: the programs cannot overlap: each is one step"):
        interleave(one_step, one_step, **RULES)


def test_a_program_that_fails_in_every_order_reaches_nothing(interleave: Interleave) -> None:
    with pytest.raises(
        Unproved, match=r"NOT EXERCISED: .*program 2 ends in 42883 in every serial order \(function no_such"
    ):
        interleave(calls("SELECT withdraw(2, 80)"), calls("SELECT no_such(1)"), **RULES)


def test_a_mistake_in_a_program_is_no_outcome(interleave: Interleave) -> None:
    def mistaken(connection: Connection) -> None:
        connection.execute("SELECT 1")
        connection.no_such  # type: ignore[attr-defined]  # noqa: B018

    with pytest.raises(Unproved, match="mistaken ends in AttributeError in every serial order"):
        interleave(mistaken, withdraw, **RULES)


def test_an_error_that_no_serial_order_gives_is_a_violation(interleave: Interleave) -> None:
    def insert(connection: Connection) -> None:
        if connection.execute("SELECT FROM account WHERE id = 7").fetchone() is None:
            connection.execute("INSERT INTO account VALUES (7, 0)")

    with pytest.raises(Unproved, match=r"errors: insert [12] ended in 23505, as in no serial order: duplicate"):
        interleave(insert, insert, reset="DELETE FROM account WHERE id = 7", invariant="SELECT true")


def test_an_assertion_of_a_program_counts(interleave: Interleave) -> None:
    def twice(connection: Connection) -> None:
        query = "SELECT balance FROM account WHERE id = 1"
        first, second = (connection.execute(query).fetchone() for _ in range(2))
        assert first == second, "it has changed"

    with pytest.raises(Unproved, match="assertion: twice failed an assertion of its own: it has changed"):
        interleave(twice, withdraw, reset=RESET, invariant="SELECT true")


def test_a_program_must_use_its_connection(interleave: Interleave, bank: Connection) -> None:
    with pytest.raises(Unproved, match=r"elsewhere asked the server nothing.*\[no-round-trip\]"):
        interleave(lambda _: bank.execute("SELECT 1"), named("elsewhere", lambda _: None), **RULES)


def named(name: str, program: Callable[[Any], Any]) -> Callable[[Any], Any]:
    program.__name__ = name
    return program


def test_chance_is_noticed(interleave: Interleave) -> None:
    def by_chance(connection: Connection) -> None:
        connection.execute("UPDATE account SET balance = %s WHERE id = 1", [random.randrange(2**31)])
        connection.execute("SELECT 1")

    with pytest.raises(Unproved, match=r"NONDETERMINISTIC: the same schedule gave another run"):
        interleave(by_chance, by_chance, **RULES)


def test_a_transaction_that_is_left_open(interleave: Interleave) -> None:
    def careless(connection: Connection) -> None:
        connection.autocommit = False
        connection.execute("SELECT 1")

    with pytest.raises(Unproved, match=r"ended with a transaction open.*\[transaction-left-open\]"):
        interleave(careless, withdraw, **RULES)


def test_an_error_rolls_back_what_was_open(interleave: Interleave) -> None:
    def refused(connection: Connection) -> None:
        connection.autocommit = False
        (balance,) = connection.execute("SELECT balance FROM account WHERE id = 1 FOR UPDATE").fetchone() or (0,)
        connection.execute("UPDATE account SET balance = 20 WHERE id = 1")
        if balance < 100:
            raise LookupError
        connection.commit()

    assert interleave(refused, refused, **RULES)["labels"]["failed"] > 0


WRONG = {
    "no rule": ({"reset": RESET}, "neither an invariant nor a state"),
    "reset": ({"reset": "UPDATE nothing", "state": STATE}, "the reset of interleave was refused by the server: 42601"),
    "open reset": ({"reset": "BEGIN", "state": STATE}, "the reset of interleave ended inside a transaction"),
    "state": ({"reset": RESET, "state": "SELECT nothing"}, "the state of interleave was refused by the server: 42703"),
    "no query": ({"reset": RESET, "state": RESET}, "the state of interleave gives no rows"),
    "no row": ({"reset": RESET, "invariant": "SELECT true WHERE false"}, "the invariant of interleave answers no row"),
    "false at first": (
        {"reset": RESET, "invariant": "SELECT balance < 0 FROM account"},
        "does not hold after the reset",
    ),
    "null": ({"reset": RESET, "invariant": "SELECT NULL"}, "does not hold after the reset"),
    "isolation": (RULES | {"isolation": "chaos"}, "there is no isolation 'chaos'; expected read committed or"),
    "strategy": (RULES | {"strategy": "luck"}, "there is no strategy 'luck'"),
    "schedules": (RULES | {"schedules": -1}, "-1 schedules were asked for"),
    "schema": (RULES | {"schemas": ["elsewhere"]}, "there is no schema elsewhere"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_rule_is_one_line(interleave: Interleave, case: str) -> None:
    rules, said = WRONG[case]
    with pytest.raises(Unproved) as failure:
        interleave(withdraw, withdraw, **rules)
    assert said in str(failure.value)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("number", [0, 7])
def test_so_many_programs_cannot_be_judged(interleave: Interleave, number: int) -> None:
    with pytest.raises(Unproved, match=rf"{number} programs were to be interleaved; expected 1 to 6"):
        interleave(*[withdraw] * number, **RULES)


def test_a_coroutine_in_disguise(interleave: Interleave) -> None:
    async def awaiting(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute("SELECT 1")

    with pytest.raises(Unproved, match="is no coroutine function, but returned a coroutine"):
        interleave(lambda connection: awaiting(connection), withdraw, **RULES)


def test_a_pytest_failure_in_a_program_is_one_of_the_test(interleave: Interleave) -> None:
    def fails(connection: Connection) -> None:
        connection.execute("SELECT 1")
        pytest.fail("at once")

    with pytest.raises(pytest.fail.Exception, match="at once"):
        interleave(fails, withdraw, **RULES)
    assert interleave(calls("SELECT withdraw_locked(1, 80)"), reset=RESET, state=STATE)  # and nothing is left over


def test_a_statement_that_waits_for_somebody_else_is_a_hang(
    interleave: Interleave, bank: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = Execution.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "hang_after_s", 1.0)
    with bank.transaction():
        bank.execute("SELECT pg_advisory_lock(1)")
    with pytest.raises(Unproved, match="HANG: "):
        interleave(calls("SELECT pg_advisory_lock(1)"), invariant="SELECT true", reset="SELECT true")


async def sleeping(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute("SELECT 1")
    await asyncio.sleep(0)  # harmless
    await connection.execute("SELECT 1")
    await asyncio.sleep(1)


async def waiting(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute("SELECT 1")
    loop = asyncio.new_event_loop()
    try:
        await loop.create_future()
    finally:
        loop.close()


def test_there_is_no_event_loop(interleave: Interleave) -> None:
    with pytest.raises(Unproved, match=r"sleeping ends in RuntimeError in every serial order \(no running event loop"):
        interleave(sleeping, withdraw, **RULES)
    with pytest.raises(Unproved, match=r"a coroutine waited for a Future.*\[no-event-loop\]"):
        interleave(waiting, withdraw, **RULES)
