"""Instrumented functions do what the plain ones do, say where they are, and come back as they were."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from harness.db.any_server import AnyServer
from harness.db.instrument import install, is_instrumented, left_behind, plan, remove, telling
from harness.words.errors import CouldNotRun, UsageError
from tests.db.nasty import FILES, POINT, ask_for_marks, calls, connect, load, outcome

POINTS = re.compile(r"IF harness\.point\((\d+)\) THEN END IF; ")
ASKED = (
    r"pg_catalog\.texteq\(pg_catalog\.current_setting\('harness\.mark_\d+', true\), '1'\)"
    r" IS TRUE AND harness\.mark\((\d+)\)"
)
MARKS = re.compile(rf"IF (?:NOT FOUND AND )?{ASKED} THEN END IF; |ELSIF {ASKED} THEN ")

EVERYTHING = """
SELECT p.oid::regprocedure::text, to_jsonb(p) - '{xmin}'::text[], pg_get_functiondef(p.oid), obj_description(p.oid),
       ARRAY(SELECT d::text FROM pg_depend d WHERE p.oid IN (d.objid, d.refobjid) ORDER BY 1),
       ARRAY(SELECT s::text FROM pg_shdepend s WHERE s.objid = p.oid ORDER BY 1)
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname = 'nasty' AND p.prokind IN ('f', 'p') ORDER BY 1"""
"""All that the catalog knows of the functions."""


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with connect(database) as connection:
        yield connection


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("file", FILES)
def test_an_instrumented_function_does_what_the_plain_one_does(
    connection: Connection[Any], file: str, asked: bool
) -> None:
    load(connection, file)
    plain = [outcome(connection, call) for call in calls(file)]
    load(connection, file)
    planned = plan(connection, ["nasty"])
    install(connection, planned)
    if asked:
        ask_for_marks(connection, planned.marks)
    assert is_instrumented(connection, ["nasty"])
    assert [outcome(connection, call) for call in calls(file)] == plain


@pytest.mark.parametrize("file", FILES)
def test_a_function_that_tells_its_variables_does_what_the_plain_one_does(
    connection: Connection[Any], file: str
) -> None:
    load(connection, file)
    plain = [outcome(connection, call) for call in calls(file)]
    load(connection, file)

    def everything() -> list[Any]:
        # One call makes functions.
        return [row for row in connection.execute(EVERYTHING) if "made(" not in row[0]]

    before = everything()
    planned = plan(connection, ["nasty"])
    install(connection, planned)
    installed = everything()
    with telling(connection, planned):
        assert everything() != installed
        assert is_instrumented(connection, ["nasty"])
        remains = left_behind(connection, ["nasty"])
        assert [outcome(connection, call) for call in calls(file)] == plain
    assert everything() == installed
    with pytest.raises(RuntimeError), telling(connection, planned):
        raise RuntimeError
    assert everything() == installed
    with_points = [item.name for item in planned.rewritten if "harness.point" in item.instrumented]
    assert [item.name for item in planned.rewritten if item.telling] == with_points
    assert {item.name: item.source for item in remains.rewritten} == {
        item.name: item.source for item in planned.rewritten if item.source != item.instrumented
    }
    remove(connection, planned)
    assert everything() == before


@pytest.mark.parametrize("file", FILES)
def test_a_function_comes_back_as_it_was(connection: Connection[Any], file: str) -> None:
    load(connection, file)
    before = connection.execute(EVERYTHING).fetchall()
    planned = plan(connection, ["nasty"])
    install(connection, planned)
    assert connection.execute(EVERYTHING).fetchall() != before
    remove(connection, planned)
    assert connection.execute(EVERYTHING).fetchall() == before
    assert not is_instrumented(connection, ["nasty"])


OPAQUE = {
    "diagnostics.sql": [],
    "loops.sql": ["nasty.cursors(integer) line 14"],
    "parameters.sql": [],
    "text.sql": ["nasty.sql_words() line 11"],
    "transactions.sql": ["nasty.levels() line 3", "nasty.levels() line 4", "nasty.levels() line 4"],
}


@pytest.mark.parametrize("file", FILES)
def test_every_nasty_function_can_be_instrumented(connection: Connection[Any], file: str) -> None:
    load(connection, file)
    planned = plan(connection, ["nasty"])
    assert [place.where for place in planned.opaque] == OPAQUE[file]
    written = connection.execute("SELECT count(*) FROM pg_proc WHERE pronamespace = 'nasty'::regnamespace").fetchone()
    assert written == (len(planned.rewritten),)
    assert planned.atomic == ()


@pytest.mark.parametrize("file", FILES)
def test_points_are_numbered_in_order_and_stand_on_their_lines(connection: Connection[Any], file: str) -> None:
    load(connection, file)
    planned = plan(connection, ["nasty"])
    assert plan(connection, ["nasty"]) == planned
    found = [
        (int(match[1]), item.name, item.instrumented.count("\n", 0, match.start()) + 1)
        for item in planned.rewritten
        for match in POINTS.finditer(item.instrumented)
    ]
    assert found == [(point.id, point.function, point.line) for point in planned.points]
    assert [point.id for point in planned.points] == list(range(1, len(planned.points) + 1))
    marks = [int(one or other) for item in planned.rewritten for one, other in MARKS.findall(item.instrumented)]
    assert sorted(marks) == list(range(1, planned.marks + 1))
    for item in planned.rewritten:
        assert MARKS.sub("", POINTS.sub("", item.instrumented)) == item.source
        assert item.instrumented.count("\n") == item.source.count("\n")


def passed(connection: Connection[Any], call: str) -> list[int]:
    """The points that a call passes."""
    connection.execute("SET client_min_messages = log")
    messages = outcome(connection, call).messages
    connection.execute("RESET client_min_messages")
    return [int(text.split()[1]) for _, _, text, *_ in messages if text and text.startswith("point ")]


def test_a_call_passes_the_points_before_what_it_does(connection: Connection[Any]) -> None:
    load(connection, "loops.sql")
    planned = plan(connection, ["nasty"])
    install(connection, planned)
    texts = {point.id: (point.kind, point.line, point.last) for point in planned.points}
    steps = [texts[id_] for id_ in passed(connection, "SELECT nasty.while_with_query(23)")]
    assert steps == [
        ("while", 4, False),
        ("sql", 6, False),
        ("continue", 7, False),
        ("sql", 8, False),
        ("loop", 10, False),
        ("sql", 6, False),
        ("continue", 7, False),
        ("return", 11, True),
    ]


def test_installing_and_removing_twice_does_no_more(connection: Connection[Any]) -> None:
    load(connection, "diagnostics.sql")
    planned = plan(connection, ["nasty"])
    remove(connection, planned)
    install(connection, planned)
    once = connection.execute(EVERYTHING).fetchall()
    install(connection, planned)
    assert connection.execute(EVERYTHING).fetchall() == once
    remove(connection, planned)
    remove(connection, planned)
    assert plan(connection, ["nasty"]) == planned


def test_what_was_granted_said_and_tied_to_a_function_stays(connection: Connection[Any]) -> None:
    load(connection, "parameters.sql")
    role = f"nasty_{connection.info.backend_pid}"
    connection.execute(
        f"""
        CREATE ROLE {role}; CREATE EXTENSION citext;
        GRANT USAGE ON SCHEMA nasty, harness TO {role};
        GRANT ALL ON ALL TABLES IN SCHEMA nasty TO {role}; GRANT ALL ON ALL SEQUENCES IN SCHEMA nasty TO {role};
        ALTER FUNCTION nasty.pinned() OWNER TO {role};
        REVOKE ALL ON FUNCTION nasty.pinned() FROM PUBLIC;
        ALTER FUNCTION nasty.pinned() COST 7 STRICT LEAKPROOF PARALLEL RESTRICTED;
        ALTER FUNCTION nasty.set_of_rows(integer) ROWS 3;
        COMMENT ON FUNCTION nasty.pinned() IS 'it''s pinned';
        ALTER FUNCTION nasty.pinned() DEPENDS ON EXTENSION citext;
        CREATE VIEW nasty.uses_it AS SELECT nasty.unnamed(1);
        """.encode()
    )
    try:
        before = connection.execute(EVERYTHING).fetchall()
        planned = plan(connection, ["nasty"])
        install(connection, planned)
        installed = connection.execute(EVERYTHING).fetchall()
        assert [row[3:] for row in installed] == [row[3:] for row in before]
        connection.execute(f"SET ROLE {role}".encode())
        assert outcome(connection, "SELECT nasty.pinned()").answer == [('""2MB',)]
        connection.execute("RESET ROLE")
        remove(connection, planned)
        assert connection.execute(EVERYTHING).fetchall() == before
    finally:
        connection.execute(f"RESET ROLE; DROP OWNED BY {role} CASCADE; DROP ROLE {role}".encode())


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("CREATE OR REPLACE FUNCTION nasty.nothing() RETURNS void LANGUAGE plpgsql AS 'BEGIN END;'", "nasty.nothing()"),
        ("ALTER FUNCTION nasty.nothing() SET search_path = ''", "nasty.nothing()"),
        ("ALTER FUNCTION nasty.nothing() COST 3", "nasty.nothing()"),
        ("DROP FUNCTION nasty.nothing()", "nasty.nothing()"),
        ("DROP SCHEMA nasty CASCADE", "nasty.comments(), "),
    ],
)
@pytest.mark.parametrize("when", ["planned", "installed"])
def test_a_function_altered_since_is_not_overwritten(
    connection: Connection[Any], change: str, name: str, when: str
) -> None:
    load(connection, "text.sql")
    planned = plan(connection, ["nasty"])
    if when == "installed":
        install(connection, planned)
    connection.execute(change.encode())
    before = connection.execute(EVERYTHING).fetchall()
    with pytest.raises(CouldNotRun, match="changed or went away") as caught:
        (remove if when == "installed" else install)(connection, planned)
    assert caught.value.slug == "function-altered"
    assert caught.value.seen.startswith(name)
    assert connection.execute(EVERYTHING).fetchall() == before


def test_what_a_dead_run_left_can_be_removed(connection: Connection[Any]) -> None:
    load(connection, "text.sql")
    before = connection.execute(EVERYTHING).fetchall()
    install(connection, plan(connection, ["nasty"]))
    with pytest.raises(CouldNotRun) as caught:
        plan(connection, ["nasty"])
    assert caught.value.slug == "already-instrumented"
    remove(connection, left_behind(connection, ["nasty"]))
    assert connection.execute(EVERYTHING).fetchall() == before
    assert left_behind(connection, ["nasty"]).rewritten == ()


def test_a_plan_fits_another_database_with_the_same_functions(connection: Connection[Any], server: AnyServer) -> None:
    load(connection, "text.sql")
    planned = plan(connection, ["nasty"])
    name = f"{connection.info.dbname}_other"
    server.create_database(name)
    try:
        with connect(server.dsn(name)) as other:
            other.execute("CREATE TABLE shifts_every_oid (a serial)")
            load(other, "text.sql")
            install(other, planned)
            assert outcome(other, "SELECT nasty.one_line(1)").answer == [("1word 1",)]
    finally:
        server.drop_database(name)


def test_settings_and_transactions_of_the_connection_stay_as_they_were(database: str) -> None:
    with connect(database) as connection:
        load(connection, "text.sql")
        connection.autocommit = False
        connection.execute("SET search_path = nasty, public; SET check_function_bodies = on")
        planned = plan(connection, ["nasty"])
        install(connection, planned)
        with pytest.raises(UsageError):
            plan(connection, ["absent"])
        settings = "SELECT current_setting('search_path'), current_setting('check_function_bodies')"
        assert connection.execute(settings).fetchone() == ("nasty, public", "on")
        connection.rollback()
        assert not is_instrumented(connection, ["nasty"])


def test_an_unknown_schema_is_said(connection: Connection[Any]) -> None:
    load(connection, "text.sql")
    with pytest.raises(UsageError, match="there is no schema absent, Nasty in this database"):
        plan(connection, ["absent", "nasty", "Nasty"])


def test_without_a_gate_nothing_is_installed(connection: Connection[Any]) -> None:
    load(connection, "text.sql")
    planned = plan(connection, ["nasty"])
    connection.execute("DROP SCHEMA harness CASCADE")
    with pytest.raises(CouldNotRun, match=r"harness\.point") as caught:
        install(connection, planned)
    assert caught.value.slug == "no-gate"
    connection.execute(POINT.encode())
    install(connection, planned)


def test_strings_with_backslashes_are_not_guessed_at(connection: Connection[Any]) -> None:
    connection.execute("CREATE SCHEMA nasty; SET standard_conforming_strings = off; SET escape_string_warning = off")
    with pytest.raises(UsageError, match="standard_conforming_strings is off"):
        plan(connection, ["nasty"])


def test_a_function_that_another_may_not_replace_is_said(connection: Connection[Any]) -> None:
    load(connection, "text.sql")
    planned = plan(connection, ["nasty"])
    role = f"nasty_{connection.info.backend_pid}"
    connection.execute(
        f"CREATE ROLE {role}; GRANT USAGE, CREATE ON SCHEMA nasty, harness TO {role}; SET ROLE {role}".encode()
    )
    try:
        with pytest.raises(CouldNotRun, match="must be owner of function") as caught:
            install(connection, planned)
    finally:
        connection.execute(f"RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}".encode())
    assert caught.value.slug == "function-not-replaced"
    assert not is_instrumented(connection, ["nasty"])
