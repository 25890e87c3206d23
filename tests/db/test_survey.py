"""What is found in a database: which functions get points, which are one step by nature, which nobody can see into."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from harness.db.instrument import plan
from harness.db.reach import Callee, CatalogReach
from harness.db.uses import STATEMENT, uses
from tests.db.nasty import connect

OUTSIDE = "is called from the schemas under test, but is outside of them: has no points"


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with connect(database) as connection:
        connection.execute("CREATE SCHEMA mine; CREATE SCHEMA elsewhere; CREATE TABLE mine.t (id integer)")
        yield connection


def plpgsql(name: str, body: str, *, returns: str = "integer", more: str = "") -> str:
    return f"CREATE FUNCTION {name} RETURNS {returns} LANGUAGE plpgsql {more} AS $body$ {body} $body$;"


def survey(connection: Connection[Any], text: str) -> tuple[dict[str, str], tuple[str, ...], list[str]]:
    """What is opaque and why, what is atomic, and what has points, when this has been run."""
    connection.execute(text.encode())
    found = plan(connection, ["mine"])
    return ({item.where: item.reason for item in found.opaque}, found.atomic, [item.name for item in found.rewritten])


def test_volatile_functions_in_plpgsql_get_points(connection: Connection[Any]) -> None:
    text = plpgsql("mine.v()", "BEGIN RETURN 1; END") + plpgsql("mine.s()", "BEGIN RETURN 1; END", more="STABLE")
    text += plpgsql("mine.i()", "BEGIN RETURN 1; END", more="IMMUTABLE") + "CREATE PROCEDURE mine.p() LANGUAGE plpgsql"
    text += " AS 'BEGIN END';" + plpgsql("mine.tr()", "BEGIN RETURN NEW; END", returns="trigger")
    assert survey(connection, text) == ({}, ("mine.i()", "mine.s()"), ["mine.p()", "mine.tr()", "mine.v()"])


def test_a_function_that_is_not_volatile_is_atomic_unless_it_calls_one_that_is(connection: Connection[Any]) -> None:
    text = "CREATE SEQUENCE mine.q;" + plpgsql("mine.v()", "BEGIN RETURN 1; END")
    text += plpgsql("mine.a()", "BEGIN RETURN pg_try_advisory_xact_lock(1)::int; END", more="STABLE")
    text += plpgsql("mine.b()", "BEGIN RETURN random() * mine.c(); END", more="STABLE")
    text += "CREATE FUNCTION mine.c() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1; SELECT 2';"
    text += "CREATE FUNCTION mine.d() RETURNS bigint LANGUAGE sql STABLE AS $$SELECT nextval('mine.q')$$;"
    opaque, atomic, _ = survey(connection, text)
    assert opaque == {
        "mine.a()": "is not declared VOLATILE, but calls pg_try_advisory_xact_lock, which is",
        "mine.d()": "is not declared VOLATILE, but calls nextval, which is",
    }
    assert atomic == ("mine.b()", "mine.c()")


def test_a_function_in_sql_is_atomic_with_one_statement(connection: Connection[Any]) -> None:
    text = """
    SET check_function_bodies = off;
    CREATE FUNCTION mine.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION mine.empty() RETURNS void LANGUAGE sql AS '';
    CREATE FUNCTION mine.two() RETURNS int LANGUAGE sql AS 'DELETE FROM mine.t; SELECT 1';
    CREATE FUNCTION mine.parsed_one() RETURNS int RETURN 1;
    CREATE FUNCTION mine.parsed_two() RETURNS int BEGIN ATOMIC DELETE FROM mine.t; SELECT 1; END;
    CREATE PROCEDURE mine.parsed_none() BEGIN ATOMIC END;
    CREATE FUNCTION mine.bad() RETURNS int LANGUAGE sql AS 'SELEC';
    """
    assert survey(connection, text) == (
        {
            "mine.bad()": 'SQL that cannot be parsed: syntax error at or near "SELEC"',
            "mine.parsed_two()": "2 statements of SQL with no point in between",
            "mine.two()": "2 statements of SQL with no point in between",
        },
        ("mine.empty()", "mine.one()", "mine.parsed_none()", "mine.parsed_one()"),
        [],
    )


def test_other_languages_are_opaque_unless_they_are_trusted(connection: Connection[Any]) -> None:
    text = """
    CREATE EXTENSION tablefunc; CREATE EXTENSION pg_freespacemap; CREATE EXTENSION citext SCHEMA mine;
    CREATE FUNCTION mine.native(int, int) RETURNS int LANGUAGE internal AS 'int4pl';
    CREATE FUNCTION mine.c(mine.citext, mine.citext) RETURNS bool LANGUAGE c AS '$libdir/citext', 'citext_eq';
    CREATE FUNCTION mine.calls() RETURNS bigint LANGUAGE sql
      AS $$SELECT count(*) FROM normal_rand(1, 0, 1), pg_freespace('mine.t')$$;
    """
    opaque, atomic, _ = survey(connection, text)
    assert opaque == {
        "mine.c(mine.citext,mine.citext)": "written in c: its steps cannot be seen",
        "public.pg_freespace(regclass,bigint)": "written in c: its steps cannot be seen",
    }
    assert atomic == (
        "mine.calls()",
        "mine.native(integer,integer)",
        "public.normal_rand(integer,double precision,double precision)",
        "public.pg_freespace(regclass)",
    )


def test_a_body_that_cannot_be_read_is_opaque(connection: Connection[Any]) -> None:
    text = "SET check_function_bodies = off;" + plpgsql("mine.bad()", "BEGIN SELECT; ; END")
    text += plpgsql("mine.old()", "BEGIN RETURN 1; END", more="SET standard_conforming_strings = off")
    text += plpgsql("mine.ev()", "BEGIN PERFORM 1; END", returns="event_trigger")
    text += plpgsql("mine.ok()", "BEGIN RETURN 1; END")
    assert survey(connection, text) == (
        {
            "mine.bad()": 'cannot be read: syntax error at or near ";"',
            "mine.ev()": "an event trigger: runs inside statements that define things",
            "mine.old()": "standard_conforming_strings is off: its strings cannot be read",
        },
        (),
        ["mine.ok()"],
    )


BEHIND = {
    "trigger": (
        plpgsql("elsewhere.f()", "BEGIN RETURN NEW; END", returns="trigger")
        + "CREATE TRIGGER x BEFORE INSERT ON mine.t FOR EACH ROW EXECUTE FUNCTION elsewhere.f()"
    ),
    "default": "ALTER TABLE mine.t ADD a int DEFAULT elsewhere.f()",
    "check": "ALTER TABLE mine.t ADD CHECK (elsewhere.f() > 0)",
    "domain": "CREATE DOMAIN mine.d AS int CHECK (elsewhere.f() > 0)",
    "view": "CREATE VIEW mine.v AS SELECT elsewhere.f()",
    "policy": "ALTER TABLE mine.t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON mine.t USING (elsewhere.f() > 0)",
    "parsed body": "CREATE FUNCTION mine.s() RETURNS int STABLE RETURN elsewhere.f()",
    "parameter": plpgsql("mine.p(a int DEFAULT elsewhere.f())", "BEGIN RETURN a; END"),
    "call": plpgsql("mine.p()", "BEGIN RETURN elsewhere.f(); END"),
    "statement": plpgsql("mine.p()", "BEGIN UPDATE mine.t SET id = elsewhere.f(); RETURN 1; END"),
    "search path": plpgsql("mine.p()", "DECLARE x int := f(); BEGIN RETURN x; END", more="SET search_path = elsewhere"),
    "dynamic": plpgsql("mine.p()", "BEGIN EXECUTE 'SELECT elsewhere.f()'; RETURN 1; END"),
    "sql": "CREATE FUNCTION mine.p() RETURNS int LANGUAGE sql AS 'SELECT elsewhere.f()'",
    "further": (
        "CREATE FUNCTION elsewhere.g() RETURNS int LANGUAGE sql AS 'SELECT elsewhere.f()';"
        "CREATE VIEW mine.v AS SELECT elsewhere.g()"
    ),
}


@pytest.mark.parametrize("how", BEHIND)
def test_a_function_outside_is_opaque_when_it_can_be_reached(connection: Connection[Any], how: str) -> None:
    text = plpgsql("elsewhere.unrelated()", "BEGIN RETURN 1; END")
    if how != "trigger":
        text += plpgsql("elsewhere.f()", "BEGIN RETURN 1; END")
    opaque, _, _ = survey(connection, text + BEHIND[how])
    assert {where for where, reason in opaque.items() if reason == OUTSIDE} == {"elsewhere.f()"}


def test_a_function_of_the_schemas_stands_for_an_unqualified_name(connection: Connection[Any]) -> None:
    text = plpgsql("elsewhere.f()", "BEGIN RETURN 1; END") + plpgsql("mine.f()", "BEGIN RETURN 1; END")
    assert survey(connection, text + plpgsql("mine.g()", "BEGIN RETURN f(); END"))[0] == {}


def test_rules_and_foreign_tables_are_opaque(connection: Connection[Any]) -> None:
    text = """
    CREATE TABLE mine.log (id int); CREATE VIEW mine.v AS SELECT 1;
    CREATE RULE "Noted" AS ON INSERT TO mine.t DO ALSO INSERT INTO mine.log VALUES (1);
    CREATE TABLE elsewhere.t (id int); CREATE RULE n AS ON INSERT TO elsewhere.t DO ALSO SELECT 1;
    CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE mine.f (a int) SERVER s;
    """
    assert survey(connection, text)[0] == {
        'rule "Noted" on mine.t': "turns one statement into others, without points between",
        "foreign table mine.f": "its rows and locks are on another server",
    }


def points_of(connection: Connection[Any], expression: str) -> list[str]:
    connection.execute(plpgsql("mine.p(a int, b int)", f"BEGIN a := {expression}; RETURN a; END").encode())
    return [point.kind for point in plan(connection, ["mine"]).points if point.function == "mine.p(integer,integer)"]


@pytest.mark.parametrize(
    ("expression", "touches"),
    [
        ("a + 1", False),
        ("length(a::text) + coalesce(b, 2) + abs(-1)", False),
        ("extract(epoch FROM now()) + random() + pg_backend_pid()", False),
        ("pg_advisory_unlock_all()::text::int", True),
        ("nextval('q')", True),
        ("currval('q')", False),
        ("length(table_to_xml('mine.t', true, true, '')::text)", True),
        ("mine.volatile(1)", True),
        ("mine.stable(1)", True),
        ("mine.immutable(1)", False),
        ("mine.nowhere(1)", True),
        ("a OPERATOR(mine.<#>) b", True),
        ("a # b", False),
    ],
)
def test_an_expression_has_a_point_when_it_can_touch_data(
    connection: Connection[Any], expression: str, touches: bool
) -> None:
    for kind in ("volatile", "stable", "immutable"):
        connection.execute(plpgsql(f"mine.{kind}(a int)", "BEGIN RETURN a; END", more=kind.upper()).encode())
    connection.execute(plpgsql("mine.plus(a int, b int)", "BEGIN RETURN a; END", more="STABLE").encode())
    connection.execute("CREATE OPERATOR mine.<#> (FUNCTION = mine.plus, LEFTARG = int, RIGHTARG = int)")
    assert points_of(connection, expression) == (["assignment"] if touches else []) + ["return"]


def test_a_name_that_several_functions_have_stands_for_the_worst_of_them() -> None:
    reach = CatalogReach(
        [
            Callee(1, "a", "f", "i", "plpgsql"),
            Callee(2, "b", "f", "v", "sql"),
            Callee(3, "a", "g", "i", "plpgsql"),
            Callee(4, "pg_catalog", "g", "s", "internal"),
        ],
        set(),
    )
    assert reach.touches(uses("f(1)"))
    assert reach.touches(uses("b.f(1)"))
    assert not reach.touches(uses("a.f(1)"))
    assert not reach.touches(uses("g(1) + a.g(2)"))
    assert reach.touches(uses("c.g(1)"))
    assert reach.touches(uses("SELECT f(1)", STATEMENT))
    assert reach.ends_unseen(uses("f(1)"))
    assert not reach.ends_unseen(uses("a.f(1)"))
    assert [callee.oid for callee in reach.called(uses("f(1)"), ["a"])] == [1]
    assert [callee.oid for callee in reach.called(uses("f(1)"), ["c"])] == [1, 2]
