"""One schedule at a time: what Hypothesis draws, and finds, and makes small."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from harness.interleave.drawing import schedules
from harness.pytest_interleave import Interleave, Unproved
from harness.words.schedule import Schedule, Switch

RULES: dict[str, Any] = {
    "reset": "UPDATE account SET balance = 100",
    "state": "SELECT balance FROM account WHERE id = 1",
}
Connection = psycopg.Connection[Any]
PREEMPTED = (Switch(1, 1),)

pytestmark = pytest.mark.usefixtures("bank")
fixture_is_reset = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)


def racy(connection: Connection) -> Any:
    return connection.execute("SELECT withdraw(1, 80)")


def locked(connection: Connection) -> Any:
    return connection.execute("SELECT withdraw_locked(1, 80)")


def test_a_schedule_leads_to_an_end(interleave: Interleave) -> None:
    ending = interleave.once(locked, locked, schedule=PREEMPTED, **RULES)
    assert ending.results == ["ok (returned=True)", "ok (returned=False)"]
    assert ending.state == [{"balance": 20}]
    assert ending.steps > 2


def test_a_schedule_that_breaks_a_rule_is_told(interleave: Interleave) -> None:
    interleave.once(racy, racy, schedule=(), **RULES)
    with pytest.raises(
        Unproved, match=r"serializable: state \(-60\) matches no serial order; valid: \(20\)"
    ) as failure:
        interleave.once(racy, racy, schedule=PREEMPTED, **RULES)
    assert "preempted by racy 2" in str(failure.value)


def test_hypothesis_finds_the_schedule_and_makes_it_small(interleave: Interleave) -> None:
    failing: list[Schedule] = []

    @settings(phases=[Phase.generate, Phase.shrink], max_examples=200)
    @given(schedule=schedules(sessions=2, steps_max=8))
    def model(schedule: Schedule) -> None:
        try:
            interleave.once(racy, racy, schedule=schedule, **RULES)
        except Unproved:
            failing.append(schedule)
            raise

    with pytest.raises(Unproved):
        model()
    assert len(failing[-1]) == 1  # of two switches one can always be dropped here


@fixture_is_reset
@given(schedule=schedules(sessions=2, steps_max=12), amount=st.integers(1, 100))
def test_what_holds_holds_for_every_schedule(interleave: Interleave, schedule: Schedule, amount: int) -> None:
    def withdraw(connection: Connection) -> Any:
        return connection.execute("SELECT withdraw_locked(1, %s)", [amount])

    ending = interleave.once(withdraw, withdraw, schedule=schedule, **RULES)
    assert ending.state == [{"balance": 100 - 2 * amount if 2 * amount <= 100 else 100 - amount}]


def test_functions_may_change_between_two_calls(interleave: Interleave, bank: Connection) -> None:
    before = bank.execute("SELECT pg_get_functiondef('withdraw'::regproc)").fetchone()
    assert before is not None
    with pytest.raises(Unproved, match="serializable"):
        interleave.once(racy, racy, schedule=PREEMPTED, **RULES)
    source = str(before[0])
    bank.execute(source.replace("WHERE id = p_id;", "WHERE id = p_id FOR UPDATE;", 1).encode())
    interleave.once(racy, racy, schedule=PREEMPTED, **RULES)


def test_what_is_drawn_may_be_refused_in_every_order(interleave: Interleave) -> None:
    def broke(connection: Connection) -> None:
        connection.execute("SELECT balance / 0 FROM account")

    assert interleave.once(broke, locked, **RULES).results == ["failed 22012", "ok (returned=True)"]


def test_a_program_with_a_mistake_proves_nothing(interleave: Interleave) -> None:
    with pytest.raises(Unproved, match=r"ends in 42883 in every serial order.*\[vacuous\]"):
        interleave.once(lambda connection: connection.execute("SELECT no_such()"), **RULES)
