"""Who may call what, read from the catalog and tried as every other role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.marketplace.subject import Subject
from harness.verify.privileges import judge_privileges
from tests.marketplace.foreign import installed, subject_of
from tests.verify import stall

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def reference() -> Subject:
    return subject_of("reference")


@pytest.fixture(scope="module")
def connection(reference: Subject, server: AnyServer) -> Iterator[Connection]:
    with installed(reference, server) as connection:
        yield connection


@pytest.fixture
def spoilt(connection: Connection) -> Iterator[Connection]:
    """Whatever a test changes is undone."""
    with connection.transaction(force_rollback=True):
        yield connection


def test_reference_turns_everybody_away(connection: Connection, reference: Subject) -> None:
    entry = judge_privileges(connection, reference)
    assert (entry["verdict"], entry["violating_schedules"]) == ("holds", 0)
    # Every function, as every role but the service's, and as one of no role at all; but for what the API is given.
    given = sum(map(len, reference.executors.values()))
    assert (entry["schedules"] + given) % len(reference.roles) == 0
    assert entry["schedules"] > 20
    assert given == 4
    assert "why" not in entry


@pytest.mark.parametrize(
    ("subject_name", "says"),
    [
        ("published", "the search_path of complete_credit_lead_purchase(uuid,uuid,numeric) is not pinned"),
        ("before", "PUBLIC called "),
    ],
)
def test_the_others_are_found_out(subject_name: str, says: str, server: AnyServer) -> None:
    subject = subject_of(subject_name)
    with installed(subject, server) as connection:
        entry = judge_privileges(connection, subject)
    assert entry["verdict"] == "violated"
    assert says in entry["why"]


def test_who_names_no_service_is_not_judged(server: AnyServer) -> None:
    subject = stall.subject()
    with installed(subject, server) as connection:
        entry = judge_privileges(connection, subject)
    assert (entry["verdict"], entry["why"]) == ("not_applicable", "the subject names no client_role")


OPEN = {
    "a function": ("FUNCTION open_door(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'", "open_door(integer)"),
    "a procedure": ("PROCEDURE open_door(a int, OUT b text) LANGUAGE plpgsql AS 'BEGIN END'", "open_door(integer)"),
    "a window function": (
        "FUNCTION open_door() RETURNS bigint LANGUAGE internal WINDOW AS 'window_row_number'",
        "open_door()",
    ),
    "many arguments": ("FUNCTION open_door(VARIADIC a int[]) RETURNS int LANGUAGE sql AS 'SELECT 1'", "open_door(int"),
    "one that fails inside": (
        "FUNCTION open_door() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1 / 0; END'",
        "open_door()",
    ),
    "one that is refused inside": (
        "FUNCTION open_door() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT 1 FROM pg_authid); END'",
        "open_door()",
    ),
}


@pytest.mark.parametrize("kind", OPEN)
def test_one_open_door_is_found_whatever_it_is(kind: str, spoilt: Connection, reference: Subject) -> None:
    before = judge_privileges(spoilt, reference)["schedules"]
    definition, signature = OPEN[kind]
    spoilt.execute(f"CREATE {definition}".encode())
    spoilt.execute(b"GRANT EXECUTE ON ROUTINE open_door TO PUBLIC")
    entry = judge_privileges(spoilt, reference)
    others = [role for role in reference.roles if role != reference.client_role]
    assert entry["verdict"] == "violated"
    for who in (*others, "PUBLIC"):
        assert f"{who} called {signature}" in entry["why"]
    assert entry["schedules"] == before + len(others) + 1


def test_a_role_that_may_execute_something_may_not_execute_the_rest(spoilt: Connection, reference: Subject) -> None:
    spoilt.execute(b"GRANT EXECUTE ON FUNCTION complete_credit_top_up(uuid) TO marketplace_api")
    entry = judge_privileges(spoilt, reference)
    assert entry["verdict"] == "violated"
    assert entry["why"] == (
        "complete_credit_top_up(uuid) may be executed by marketplace_api; "
        "marketplace_api called complete_credit_top_up(uuid) and was not turned away"
    )


def test_a_shut_procedure_is_no_violation(spoilt: Connection, reference: Subject) -> None:
    before = judge_privileges(spoilt, reference)["schedules"]
    spoilt.execute(
        b"CREATE PROCEDURE shut(INOUT a int, VARIADIC b text[]) LANGUAGE plpgsql "
        b"SET search_path = public, pg_temp AS 'BEGIN END'"
    )
    spoilt.execute(b"REVOKE ALL ON PROCEDURE shut FROM PUBLIC")
    entry = judge_privileges(spoilt, reference)
    assert entry["verdict"] == "holds"
    assert entry["schedules"] > before


def test_what_cannot_be_called_with_nulls_is_judged_by_the_catalog(spoilt: Connection, reference: Subject) -> None:
    before = judge_privileges(spoilt, reference)["schedules"]
    spoilt.execute(b"CREATE FUNCTION any_door(a anyelement) RETURNS int LANGUAGE sql AS 'SELECT 1'")
    spoilt.execute(b"GRANT EXECUTE ON FUNCTION any_door TO PUBLIC")
    entry = judge_privileges(spoilt, reference)
    assert entry["schedules"] == before
    assert entry["verdict"] == "violated"
    assert "any_door(anyelement) may be executed by PUBLIC" in entry["why"]


def test_nothing_is_left_of_the_attempts(connection: Connection, reference: Subject) -> None:
    count = b"SELECT count(*) FROM pg_roles"
    before = connection.execute(count).fetchone()
    judge_privileges(connection, reference)
    assert connection.execute(count).fetchone() == before
    row = connection.execute("SELECT current_user, session_user").fetchone()
    assert row is not None
    assert row[0] == row[1]
