"""Deadlocks, and who is told to try again: when that is a violation, and when it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from harness.pytest_interleave import Interleave, Unproved
from harness.words.schedule import Switch

RULES: dict[str, Any] = {
    "reset": "UPDATE account SET balance = 100",
    "state": "SELECT * FROM account ORDER BY id",
}
WITHOUT_STATE: dict[str, Any] = {"reset": RULES["reset"], "invariant": "SELECT true"}

IMPATIENT = """
CREATE FUNCTION impatient(code text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT balance FROM account WHERE id = 1) < 100 THEN
    RAISE EXCEPTION 'come again' USING ERRCODE = code;
  END IF;
  UPDATE account SET balance = balance - 1 WHERE id = 2;
END $$"""
"""Says *try again* once somebody was there, however long ago."""

CATCHING = """
CREATE FUNCTION catching(p_from integer, p_to integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM move(p_from, p_to);
EXCEPTION WHEN deadlock_detected THEN
  NULL;
END $$"""

Connection = psycopg.Connection[Any]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bank: Connection) -> None:
    """Schedule files go to the working directory."""
    monkeypatch.chdir(tmp_path)
    bank.execute(IMPATIENT)
    bank.execute(CATCHING)


def calls(statement: str) -> Callable[[Connection], Any]:
    """A program that makes one call."""

    def program(connection: Connection) -> Any:
        return connection.execute(statement)

    return program


locked = calls("SELECT withdraw_locked(1, 80)")
there, back = calls("SELECT move(1, 2)"), calls("SELECT move(2, 1)")


@pytest.mark.parametrize("rules", [RULES, WITHOUT_STATE], ids=["state", "no state"])
@pytest.mark.parametrize("code", ["40001", "55P03", "40P01"])
def test_busy_by_itself_is_a_violation(interleave: Interleave, code: str, rules: dict[str, Any]) -> None:
    impatient = calls(f"SELECT impatient('{code}')")
    with pytest.raises(Unproved) as failure:
        interleave(locked, impatient, **rules, deadlocks=True)
    text = " ".join(str(failure.value).split())
    assert f"serializable: program 2 was told to try again ({code}), but none overlaps it" in text
    assert "no-deadlock" not in text


def test_busy_because_of_another_is_none(interleave: Interleave) -> None:
    def nowait(connection: Connection) -> None:
        with connection.transaction():
            connection.execute("SELECT FROM account WHERE id = 1 FOR UPDATE NOWAIT")
            connection.execute("UPDATE account SET balance = balance - 1 WHERE id = 1")

    explored = interleave(nowait, nowait, **RULES)
    assert explored["verdict"] == "holds"
    assert explored["labels"]["busy"] > 0


def test_each_busy_program_is_told_of(interleave: Interleave) -> None:
    impatient = calls("SELECT impatient('40001')")
    with pytest.raises(Unproved) as failure:
        interleave.once(locked, impatient, impatient, **RULES)
    text = " ".join(str(failure.value).split())
    assert "program 2 was told to try again (40001), but none overlaps it; program 3 was told" in text


@pytest.mark.parametrize("rules", [RULES, WITHOUT_STATE], ids=["state", "no state"])
def test_a_deadlock_is_a_violation(interleave: Interleave, rules: dict[str, Any]) -> None:
    with pytest.raises(Unproved) as failure:
        interleave(there, back, **rules)
    text = " ".join(str(failure.value).split())
    said = "program 1 and program 2 waited for each other; if the application tries again, say deadlocks=True"
    assert text.startswith(f"no-deadlock: {said} ")
    assert "serializable" not in text
    assert "1 preemption (the fewest that do it)" in text
    assert "replayed 10 of 10 times" in text


def test_a_deadlock_that_is_caught_is_one(interleave: Interleave) -> None:
    programs = [calls("SELECT catching(1, 2)"), calls("SELECT catching(2, 1)")]
    with pytest.raises(Unproved, match="no-deadlock: program 1 and program 2 waited for each other"):
        interleave(*programs, **WITHOUT_STATE)
    explored = interleave(*programs, **WITHOUT_STATE, deadlocks=True)
    assert explored["labels"]["deadlock"] > 0
    assert "busy" not in explored["labels"]


def test_an_answer_tells_of_a_deadlock_too(interleave: Interleave) -> None:
    """As where the server broke it before anybody could see the circle."""
    with pytest.raises(Unproved, match="no-deadlock: program 2 ended in 40P01; if the application tries again"):
        interleave(locked, calls("SELECT impatient('40P01')"), **RULES)


def test_one_schedule_with_a_deadlock(interleave: Interleave) -> None:
    schedule = (Switch(1, 1),)
    with pytest.raises(Unproved, match="no-deadlock: "):
        interleave.once(there, back, schedule=schedule, **RULES)
    ending = interleave.once(there, back, schedule=schedule, **RULES, deadlocks=True)
    assert sorted(ending.results) == ["busy 40P01", "ok (returned=)"]
