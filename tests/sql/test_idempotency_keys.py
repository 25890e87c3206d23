"""API idempotency keys: one request at a time has a key, and everybody gets the answer that was given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from harness.db.any_server import AnyServer
from harness.db.migrate import apply
from harness.marketplace.subject import load_subject
from harness.resources import bundled

A, B = UUID(int=1), UUID(int=2)
KEY = (A, "/purchase", "k")


@pytest.fixture
def dsn(server: AnyServer, database: str) -> str:
    subject = load_subject("reference", bundled("sql"))
    server.ensure_roles(subject.roles)
    with psycopg.connect(database, autocommit=True) as connection:
        apply(connection, subject.migrations)
        connection.execute("INSERT INTO workspaces (id, name) VALUES (%s, 'A'), (%s, 'B')", [A, B])
    return database


@pytest.fixture
def one(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def two(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '5s'")
        yield connection


def claim(session: psycopg.Connection[Any], key: tuple[Any, ...] = KEY, hash_: str | None = "h") -> tuple[str, Any]:
    rows = session.execute("SELECT * FROM claim_idempotency_key(%s, %s, %s, %s)", [*key, hash_]).fetchall()
    ((outcome, response),) = rows
    return outcome, response


def complete(session: psycopg.Connection[Any], key: tuple[Any, ...] = KEY, response: str | None = '{"a": 1}') -> None:
    session.execute("SELECT complete_idempotency_key(%s, %s, %s, %s)", [*key, response])


CLAIMED, IN_PROGRESS, REUSED = ("claimed", None), ("in_progress", None), ("reused", None)
COMPLETED = ("completed", {"a": 1})


def test_the_life_of_a_key(one: psycopg.Connection[Any]) -> None:
    with one.transaction():
        assert claim(one) == CLAIMED
        complete(one)
    assert claim(one) == COMPLETED
    assert claim(one, hash_="other") == REUSED
    assert claim(one) == COMPLETED


@pytest.mark.parametrize("key", [(B, "/purchase", "k"), (A, "/credits", "k"), (A, "/purchase", "K")])
def test_a_key_is_its_workspace_s_and_its_endpoint_s(one: psycopg.Connection[Any], key: tuple[Any, ...]) -> None:
    assert claim(one) == CLAIMED
    assert claim(one, key, "other") == CLAIMED
    complete(one)
    complete(one, (B, "/credits", "k"))
    assert claim(one, key, "other") == IN_PROGRESS


def test_what_is_left_half_done_stays_in_progress(one: psycopg.Connection[Any]) -> None:
    assert claim(one) == CLAIMED
    assert claim(one) == IN_PROGRESS
    assert claim(one, hash_="other") == REUSED


def test_nothing_matches_no_hash(one: psycopg.Connection[Any]) -> None:
    assert claim(one) == CLAIMED
    assert claim(one, hash_=None) == REUSED


@pytest.mark.parametrize("key", [(None, "/purchase", "k"), (A, None, "k"), (A, "/purchase", None)])
def test_no_part_of_a_key_can_be_missing(one: psycopg.Connection[Any], key: tuple[Any, ...]) -> None:
    with pytest.raises(errors.NotNullViolation):
        claim(one, key)


def test_no_hash_no_claim(one: psycopg.Connection[Any]) -> None:
    with pytest.raises(errors.NotNullViolation):
        claim(one, hash_=None)


def test_no_answer_no_completion(one: psycopg.Connection[Any]) -> None:
    assert claim(one) == CLAIMED
    with pytest.raises(errors.CheckViolation):
        complete(one, response=None)


def test_an_early_error_takes_the_claim_back(one: psycopg.Connection[Any], two: psycopg.Connection[Any]) -> None:
    with one.transaction(force_rollback=True):
        assert claim(one) == CLAIMED
        with pytest.raises(errors.DivisionByZero):
            one.execute("SELECT 1 / 0")
    assert claim(two, hash_="other") == CLAIMED


def test_the_second_of_two_at_once_is_told_without_waiting(
    one: psycopg.Connection[Any], two: psycopg.Connection[Any]
) -> None:
    two.execute("SET lock_timeout = '1ms'")
    with one.transaction():
        assert claim(one) == CLAIMED
        assert claim(two) == IN_PROGRESS
        assert claim(two, (B, "/purchase", "k")) == CLAIMED
        complete(one)
        assert claim(two) == IN_PROGRESS
    assert claim(two) == COMPLETED


def test_an_old_snapshot_claims_nothing(one: psycopg.Connection[Any], two: psycopg.Connection[Any]) -> None:
    with two.transaction(force_rollback=True):
        two.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        two.execute("SELECT count(*) FROM workspaces")
        assert claim(one) == CLAIMED
        with pytest.raises(errors.SerializationFailure):
            claim(two)
    assert claim(two) == IN_PROGRESS
