"""only-service-role: the judgement on plain rows, and the catalog queries on a server."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.rows import class_row

from harness.marketplace.properties.grants import (
    OWNERS_SQL,
    ROUTINES_SQL,
    Owner,
    Routine,
    check_grants,
    is_pinned,
)

GOOD = Routine("shop.pay(uuid)", True, False, "shop, pg_temp", ("service_role",))


def test_a_function_for_the_service_alone_is_fine() -> None:
    assert check_grants([GOOD], [Owner("owner", False)]) == []


@pytest.mark.parametrize("role", ["PUBLIC", "anon", "authenticated"])
def test_a_function_for_others_is_not(role: str) -> None:
    open_to_others = Routine("shop.pay(uuid)", False, False, "shop, pg_temp", (role, "service_role"))
    (violation,) = check_grants([GOOD, open_to_others], [])
    assert violation.property == "only-service-role"
    assert violation.why == f"shop.pay(uuid) may be executed by {role}"


def test_another_role_may_be_given_functions_by_name_and_those_alone() -> None:
    by_api = [
        Routine(signature, True, False, "shop, pg_temp", ("api", "service_role"))
        for signature in ("shop.pay(uuid)", "refund(uuid,numeric)")
    ]
    assert check_grants(by_api, [], executors={"api": ["pay", "refund"]}) == []
    (violation,) = check_grants(by_api, [], executors={"api": ["pay"], "other": ["refund"]})
    assert violation.why == "refund(uuid,numeric) may be executed by api"


def test_a_trigger_function_cannot_be_called() -> None:
    assert check_grants([Routine("shop.audit()", False, True, "shop, pg_temp", ("PUBLIC",))], []) == []


def test_the_next_function_counts_too() -> None:
    (violation,) = check_grants([], [Owner("owner", True)])
    assert violation.why == "every function that owner creates next may be executed by PUBLIC"


@pytest.mark.parametrize(
    ("search_path", "pinned"),
    [(None, False), ("public", False), ("pg_temp, shop", False), ("shop, pg_temp", True), ('""', True)],
)
def test_a_search_path_is_pinned_with_pg_temp_last(search_path: str | None, pinned: bool) -> None:
    assert is_pinned(search_path) is pinned
    assert bool(check_grants([Routine("shop.f()", True, False, search_path, ())], [])) is not pinned


def test_the_queries_read_the_catalog(database: str) -> None:
    with psycopg.connect(database, autocommit=False) as connection:
        connection.execute("create role grants_test_service")
        connection.execute("create schema shop")
        connection.execute("create function shop.careless() returns int language sql as 'select 1'")
        connection.execute(
            "create function shop.careful(a int) returns int language sql security definer "
            "set search_path = shop, pg_temp as 'select 1'"
        )
        connection.execute("create function shop.audit() returns trigger language plpgsql as 'begin return new; end'")
        connection.execute("revoke all on function shop.careful(int) from public")
        connection.execute("grant execute on function shop.careful(int) to grants_test_service")
        schemas = {"schemas": ["shop"]}
        routines = connection.cursor(row_factory=class_row(Routine)).execute(ROUTINES_SQL, schemas).fetchall()
        by_name = {routine.signature: routine for routine in routines}
        assert by_name["shop.audit()"].is_trigger
        assert "PUBLIC" in by_name["shop.careless()"].executors
        assert by_name["shop.careless()"].search_path is None
        careful = by_name["shop.careful(integer)"]
        assert (careful.security_definer, careful.search_path) == (True, "shop, pg_temp")
        assert list(careful.executors) == ["grants_test_service"]
        assert [each.why for each in check_grants([careful], [], frozenset({"grants_test_service"}))] == []

        def owners() -> list[Owner]:
            return connection.cursor(row_factory=class_row(Owner)).execute(OWNERS_SQL, schemas).fetchall()

        assert [owner.opens_to_public for owner in owners()] == [True]
        connection.execute("alter default privileges revoke execute on functions from public")
        assert [owner.opens_to_public for owner in owners()] == [False]
        connection.rollback()
