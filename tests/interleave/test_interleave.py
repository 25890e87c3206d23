"""The fixture ``interleave``: what it finds, what it lets pass, and what it does not take for a pass."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from harness.pytest_interleave import Interleave, Unproved

RESET = "UPDATE account SET balance = 100"
STATE = "SELECT * FROM account ORDER BY id"
RULES: dict[str, Any] = {"reset": RESET, "state": STATE}

pytestmark = pytest.mark.usefixtures("bank")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Schedule files go to the working directory."""
    monkeypatch.chdir(tmp_path)


def calls(statement: str) -> Callable[[Any], Any]:
    """A program that makes one call."""

    def program(connection: psycopg.Connection[Any]) -> Any:
        return connection.execute(statement)

    return program


async def withdraw_awaiting(connection: psycopg.AsyncConnection[Any], function: str) -> Any:
    cursor = await connection.execute(f"SELECT {function}(1, 80)")
    return (await cursor.fetchone() or (None,))[0]


def check_then_act(connection: psycopg.Connection[Any], lock: str = "") -> str:
    """Two statements of a client, in a transaction."""
    with connection.transaction():
        query = f"SELECT balance FROM account WHERE id = 1 {lock}"
        (balance,) = connection.execute(query).fetchone() or (0,)
        if balance < 80:
            return "refused"
        connection.execute("UPDATE account SET balance = %s WHERE id = 1", [balance - 80])
        return "paid"


RACES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "a function": (calls("SELECT withdraw(1, 80)"), calls("SELECT withdraw_locked(1, 80)")),
    "a coroutine": (
        partial(withdraw_awaiting, function="withdraw"),
        partial(withdraw_awaiting, function="withdraw_locked"),
    ),
    "statements": (check_then_act, partial(check_then_act, lock="FOR UPDATE")),
}


@pytest.mark.parametrize("race", RACES)
def test_a_lost_update_is_found_with_one_preemption(interleave: Interleave, race: str) -> None:
    racy, _ = RACES[race]
    with pytest.raises(Unproved, match=r"serializable: (.|\n)* matches no serial order") as failure:
        interleave(racy, racy, **RULES)
    text = " ".join(str(failure.value).split())
    assert "1 preemption (the fewest that do it)" in text
    assert "replayed 10 of 10 times" in text
    assert "↯ preempted by" in text


@pytest.mark.parametrize("race", RACES)
def test_the_locked_one_holds_in_every_order(interleave: Interleave, race: str) -> None:
    _, locked = RACES[race]
    explored = interleave(locked, locked, **RULES, invariant="SELECT balance >= 0 FROM account")
    assert explored["verdict"] == "holds"
    assert explored["explored"] == "EXHAUSTED (every schedule)"
    assert explored["labels"]["overlap"] > 0


def test_kinds_of_programs_mix(interleave: Interleave) -> None:
    with pytest.raises(Unproved, match=r"state .* matches no serial order"):
        interleave(RACES["a function"][0], RACES["a coroutine"][0], **RULES)


def test_the_valid_states_are_named(interleave: Interleave) -> None:
    racy = calls("SELECT withdraw(1, 80)")
    with pytest.raises(
        Unproved, match=r"state \(1, -60\) \(2, 100\) matches no serial order; valid: \(1, 20\) \(2, 100\)"
    ):
        interleave(racy, racy, **RULES)


def test_an_invariant_in_sql(interleave: Interleave) -> None:
    racy = calls("SELECT withdraw(1, 80)")
    with pytest.raises(Unproved, match="invariant: SELECT balance >= 0 FROM account: False"):
        interleave(racy, racy, reset=RESET, invariant="SELECT balance >= 0 FROM account")


def test_an_invariant_in_python_sees_the_results(interleave: Interleave) -> None:
    seen: list[list[Any]] = []

    def at_most_one(connection: psycopg.Connection[Any], results: list[Any]) -> None:
        seen.append(results)
        assert sum(results) <= 1, f"{sum(results)} of them were paid"
        assert connection.execute("SELECT count(*) FROM account").fetchone() == (2,)

    racy = calls("SELECT withdraw(1, 80)")
    with pytest.raises(Unproved, match="invariant: 2 of them were paid"):
        interleave(racy, racy, reset=RESET, invariant=at_most_one)
    assert [True, True] in seen


def test_a_program_alone(interleave: Interleave) -> None:
    explored = interleave(calls("SELECT withdraw(1, 80)"), reset=RESET, invariant="SELECT balance >= 0 FROM account")
    assert (explored["schedules"], explored["explored"]) == (1, "EXHAUSTED (every schedule)")


def test_allowed_deadlocks_are_busy_and_change_nothing(interleave: Interleave) -> None:
    explored = interleave(calls("SELECT move(1, 2)"), calls("SELECT move(2, 1)"), **RULES, deadlocks=True)
    assert explored["verdict"] == "holds"
    assert explored["labels"]["deadlock"] == explored["labels"]["busy"] > 0


def test_three_programs(interleave: Interleave) -> None:
    locked = calls("SELECT withdraw_locked(1, 80)")
    explored = interleave(locked, locked, calls("SELECT move(2, 1)"), **RULES, schedules=60)
    assert explored["schedules"] == 60
    assert explored["distinct_outcomes"] >= 2


def test_an_isolation_level(interleave: Interleave) -> None:
    racy = calls("SELECT withdraw(1, 80)")
    explored = interleave(racy, racy, **RULES, isolation="repeatable read")
    assert explored["labels"]["busy"] > 0


def test_a_strategy_with_a_bound(interleave: Interleave) -> None:
    racy = calls("SELECT withdraw(1, 80)")
    with pytest.raises(Unproved, match="NOT EXERCISED: the programs overlapped in none of 2 schedules"):
        interleave(racy, racy, **RULES, strategy="exhaustive", preemptions=0)
    with pytest.raises(Unproved, match="serializable"):
        interleave(racy, racy, **RULES, strategy="exhaustive", preemptions=1)
