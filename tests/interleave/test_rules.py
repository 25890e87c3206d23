"""What a function that is an invariant may answer."""

from __future__ import annotations

from functools import partial
from typing import Any

import psycopg
import pytest

from harness.interleave.rules import Invariant, Rules
from harness.words.errors import UsageError

Connection = psycopg.Connection[Any]


def answering(answer: Any, _connection: Connection, _told: list[Any]) -> Any:
    return answer


def asserting(_connection: Connection, told: list[Any]) -> None:
    assert sum(told) <= 1


def broken(connection: Connection, invariant: Invariant, *told: Any) -> str:
    return Rules("SELECT 1", invariant).read(connection, told).broken


def test_true_holds_and_false_does_not(bank: Connection) -> None:
    assert broken(bank, lambda _, told: told == [1], 1) == ""
    assert broken(bank, lambda _, told: told == [1], 2) == "the invariant answers False"
    assert broken(bank, partial(answering, True)) == ""
    assert broken(bank, partial(answering, False)) == "answering answers False"


def test_a_function_that_asserts_may_answer_nothing(bank: Connection) -> None:
    assert broken(bank, asserting, 1) == ""
    assert broken(bank, partial(asserting), 1) == ""
    assert "assert" in broken(bank, asserting, 1, 1)


@pytest.mark.parametrize("answer", [(False,), (True,), 0, 1, "", [], "f"], ids=repr)
def test_anything_else_is_a_mistake(bank: Connection, answer: Any) -> None:
    with pytest.raises(UsageError) as failure:
        broken(bank, partial(answering, answer))
    assert f"the invariant of interleave answered {answer!r}" in str(failure.value)
    assert "assert, or return True or False" in str(failure.value)


def test_a_lambda_cannot_assert(bank: Connection) -> None:
    def null(connection: Connection, _told: list[Any]) -> Any:
        return connection.execute("SELECT NULL").fetchone()

    for invariant in (lambda *_: None, partial(lambda *_: None)):
        with pytest.raises(UsageError, match=r"invariant of interleave answered None.*\[bad-rule\]"):
            broken(bank, invariant)
    with pytest.raises(UsageError, match=r"answered \(None,\)"):
        broken(bank, null)
