"""What is told of a routine's statements and branches is what was executed, by the word of the routine itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from harness.db.instrument import install, plan, remove
from harness.db.plan import Measured, Plan
from tests.db.nasty import POINT, ask_for_marks, connect, outcome
from tests.db.test_instrument_generated import DECLARED, HANDLERS, SCHEMA, Writer
from tests.sizes import sized

HEAD = "CREATE OR REPLACE FUNCTION g.f(n integer) RETURNS SETOF integer LANGUAGE plpgsql AS"


@pytest.fixture(scope="module")
def connection(module_database: str) -> Iterator[Connection[Any]]:
    with connect(module_database) as connection:
        connection.execute((POINT + SCHEMA).encode())
        yield connection


def measured(planned: Plan) -> Measured:
    (found,) = [each for each in planned.measured if each.function == "g.f(integer)"]
    return found


def said(connection: Connection[Any], calls: list[str]) -> tuple[set[int], set[str]]:
    """What points and marks told in these calls, each rolled back, and what the function said by RAISE NOTICE."""
    told: set[int] = set()
    notices: set[str] = set()
    connection.execute("SET client_min_messages = log")
    ask_for_marks(connection, 1000)
    for call in calls:
        connection.execute("BEGIN")
        for _, _, text, *_ in outcome(connection, call).messages:
            kind, _, rest = str(text).partition(" ")
            if kind in ("point", "mark"):
                told.add(int(rest) if kind == "point" else -int(rest))
            elif kind == "probe":
                notices.add(rest)
        connection.execute("ROLLBACK")
    connection.execute("RESET client_min_messages")
    return told, notices


def branches(connection: Connection[Any], body: str, *arguments: str) -> list[tuple[str, bool]]:
    """Each branch of this body, and whether it was taken by one of the calls with these arguments."""
    connection.execute(f"{HEAD} $body${body}$body$".encode())
    planned = plan(connection, ["g"])
    install(connection, planned)
    try:
        told, _ = said(connection, [f"SELECT * FROM g.f({argument})" for argument in arguments])
    finally:
        remove(connection, planned)
    return [(site.what, site.told_by in told) for site in measured(planned).branches]


IF = "BEGIN IF n = 1 THEN NULL; ELSIF n = 2 THEN RETURN NEXT n; END IF; END"
FULL_IF = "BEGIN IF n = 1 THEN ELSIF n = 2 THEN RETURN NEXT n; ELSE END IF; END"
CASE = "BEGIN CASE n WHEN 1, 2 THEN WHEN 3 THEN RETURN NEXT n; ELSE NULL; END CASE; END"
BARE_CASE = "BEGIN CASE WHEN n = 1 THEN WHEN n = 2 THEN RETURN; END CASE; END"
FORI = "BEGIN FOR i IN 1..n LOOP EXIT; END LOOP; NULL; END"
FORS = (
    "DECLARE i integer; BEGIN FOR i IN SELECT k FROM g.t WHERE k <= n LOOP RETURN NEXT i; END LOOP; RETURN NEXT 0; END"
)
FOUND = "BEGIN PERFORM 1; FOR i IN REVERSE 1..n LOOP UPDATE g.t SET v = v WHERE false; END LOOP; END"
FOREACH = "DECLARE i integer; BEGIN FOREACH i IN ARRAY array_remove(ARRAY[n], 0) LOOP END LOOP; END"
EXECUTED = "DECLARE i integer; BEGIN FOR i IN EXECUTE 'SELECT 1 WHERE $1 > 0' USING n LOOP NULL; END LOOP; END"
CURSOR = "DECLARE c CURSOR FOR SELECT k FROM g.t WHERE k <= n; BEGIN FOR r IN c LOOP NULL; END LOOP; END"
LEFT = "BEGIN FOR i IN 1..n LOOP RETURN; END LOOP; END"
WHILE = "BEGIN WHILE n > 0 LOOP IF n = 9 THEN RETURN; END IF; n := n - 1; END LOOP; END"
BLOCK = """BEGIN
  BEGIN PERFORM 1 / n; EXCEPTION WHEN division_by_zero THEN WHEN OTHERS THEN RETURN NEXT 1; END;
EXCEPTION WHEN OTHERS THEN NULL; END"""
NESTED = "BEGIN IF n > 0 THEN BEGIN DECLARE d integer := 1 / (n - 1); BEGIN PERFORM d; END; END; END IF; END"
LAST = "BEGIN IF n > 0 THEN FOR i IN 2..n LOOP NULL; END LOOP; END IF; END"

CASES: list[tuple[str, tuple[str, ...], set[str]]] = [
    (IF, ("1",), {"arm 1 of IF n = 1 THEN"}),
    (IF, ("2",), {"arm 2 of IF n = 1 THEN"}),
    (IF, ("3",), {"no arm of IF n = 1 THEN"}),
    (IF, ("NULL",), {"no arm of IF n = 1 THEN"}),
    (IF, ("1", "2", "3"), {"arm 1 of IF n = 1 THEN", "arm 2 of IF n = 1 THEN", "no arm of IF n = 1 THEN"}),
    (FULL_IF, ("1",), {"arm 1 of IF n = 1 THEN"}),
    (FULL_IF, ("3",), {"ELSE of IF n = 1 THEN"}),
    (CASE, ("2",), {"arm 1 of CASE n"}),
    (CASE, ("3",), {"arm 2 of CASE n"}),
    (CASE, ("4",), {"ELSE of CASE n"}),
    (BARE_CASE, ("3",), set()),
    (BARE_CASE, ("1",), {"arm 1 of CASE"}),
    *((FORI, (n,), {f"FOR i IN 1..n LOOP goes round{how}"}) for n, how in (("0", " not once"), ("1", ""))),
    *(
        (FORS, (n,), {f"FOR i IN SELECT k FROM g.t WHERE k <= n LOOP goes round{how}"})
        for n, how in (("0", " not once"), ("2", ""))
    ),
    *((FOUND, (n,), {f"FOR i IN REVERSE 1..n LOOP goes round{how}"}) for n, how in (("-1", ""), ("2", " not once"))),
    *(
        (FOREACH, (n,), {f"FOREACH i IN ARRAY array_remove(ARRAY[n], 0) LOOP goes round{how}"})
        for n, how in (("0", " not once"), ("1", ""))
    ),
    *(
        (EXECUTED, (n,), {f"FOR i IN EXECUTE 'SELECT 1 WHERE $1 > 0' USING n LOOP goes round{how}"})
        for n, how in (("0", " not once"), ("1", ""))
    ),
    *((CURSOR, (n,), {f"FOR r IN c LOOP goes round{how}"}) for n, how in (("0", " not once"), ("1", ""))),
    (LEFT, ("0",), {"FOR i IN 1..n LOOP goes round not once"}),
    (LEFT, ("2",), {"FOR i IN 1..n LOOP goes round"}),
    (WHILE, ("0",), {"WHILE n > 0 LOOP ends"}),
    (WHILE, ("9",), {"WHILE n > 0 LOOP goes round", "arm 1 of IF n = 9 THEN"}),
    (WHILE, ("1",), {"WHILE n > 0 LOOP goes round", "no arm of IF n = 9 THEN", "WHILE n > 0 LOOP ends"}),
    (BLOCK, ("1",), set()),
    (BLOCK, ("0",), {"handler 1 of EXCEPTION"}),
    (NESTED, ("1",), {"arm 1 of IF n > 0 THEN"}),
    (NESTED, ("0",), {"no arm of IF n > 0 THEN"}),
    (LAST, ("1",), {"arm 1 of IF n > 0 THEN", "FOR i IN 2..n LOOP goes round not once"}),
]


@pytest.mark.parametrize(("body", "arguments", "taken"), CASES)
def test_the_branches_that_are_taken_are_told(
    connection: Connection[Any], body: str, arguments: tuple[str, ...], taken: set[str]
) -> None:
    assert sorted(what for what, was in branches(connection, body, *arguments) if was) == sorted(taken)


def test_every_branch_counts_and_no_other(connection: Connection[Any]) -> None:
    assert [what for what, _ in branches(connection, BLOCK)] == [
        "handler 1 of EXCEPTION",
        "handler 2 of EXCEPTION",
        "handler 1 of EXCEPTION",
    ]
    assert [what for what, _ in branches(connection, WHILE)] == [
        "arm 1 of IF n = 9 THEN",
        "no arm of IF n = 9 THEN",
        "WHILE n > 0 LOOP goes round",
        "WHILE n > 0 LOOP ends",
    ]
    assert branches(connection, "BEGIN LOOP EXIT WHEN n > 0; n := 1; END LOOP; END", "0") == []


class Probing(Writer):
    """Every list of statements has probes, each on a line of its own: it says that it is reached."""

    def __init__(self, draw: st.DrawFn) -> None:
        super().__init__(draw)
        self._probes = 0

    def several(self, depth: int) -> str:
        return self._probe() + "".join(self.one(depth) + self._probe() for _ in range(self._draw(st.integers(0, 3))))

    def _probe(self) -> str:
        self._probes += 1
        return f"\nRAISE NOTICE 'probe {self._probes}';\n"


@st.composite
def bodies(draw: st.DrawFn) -> str:
    writer = Probing(draw)
    text = f"{DECLARED}BEGIN {writer.several(3)}"
    if writer.pick("", "handlers"):
        text += f"EXCEPTION WHEN {writer.pick(*HANDLERS)} THEN {writer.several(1)}"
    return f"{text}END"


@settings(max_examples=sized(30, 1000), suppress_health_check=[HealthCheck.too_slow])
@given(body=bodies())
def test_the_statements_that_are_reached_are_told(connection: Connection[Any], body: str) -> None:
    connection.execute(f"{HEAD} $body${body}$body$".encode())
    planned = plan(connection, ["g"])
    install(connection, planned)
    try:
        told, notices = said(connection, [f"SELECT * FROM g.f({n})" for n in ("0", "1", "3", "NULL")])
    finally:
        remove(connection, planned)
    found = measured(planned)
    sites = {
        match[1]: site for site in found.statements if (match := re.fullmatch("RAISE NOTICE 'probe (.+)';", site.what))
    }
    assert len(sites) == body.count("'probe ")
    assert {probe for probe, site in sites.items() if site.told_by in told} == notices
    for probe, site in sites.items():
        assert body.splitlines()[site.line - 1] == f"RAISE NOTICE 'probe {probe}';"
    # An arm and a handler begin with a probe: they are taken when it speaks.
    probes = {site.told_by for site in sites.values()}
    assert {site.told_by for site in found.branches if site.what.startswith(("arm", "ELSE", "handler"))} <= probes


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        ("PROCEDURE g.p() LANGUAGE plpgsql AS 'BEGIN LOCK g.t; END'", "LOCK in a procedure must come before"),
        ("PROCEDURE g.p() LANGUAGE plpgsql AS 'BEGIN COMMIT; SET LOCAL x.y = 1; END'", "SET in a procedure must"),
        ("FUNCTION g.p(found integer) RETURNS void LANGUAGE plpgsql AS 'BEGIN END'", "a variable named found"),
        ("FUNCTION g.p() RETURNS void LANGUAGE plpgsql AS 'DECLARE found text; BEGIN END'", "a variable named found"),
        ("FUNCTION g.p() RETURNS void LANGUAGE plpgsql AS 'BEGIN FOR found IN 1..2 LOOP END LOOP; END'", "named found"),
        ("FUNCTION g.p() RETURNS integer LANGUAGE sql AS 'SELECT 1'", "is written in SQL"),
        ("FUNCTION g.p() RETURNS integer STABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'", "is not declared VOLATILE"),
        ("FUNCTION g.p() RETURNS void LANGUAGE sql AS 'DELETE FROM g.t; DELETE FROM g.t'", "2 statements of SQL"),
    ],
)
def test_what_is_not_measured_is_named(connection: Connection[Any], definition: str, why: str) -> None:
    connection.execute(f"CREATE {definition}".encode())
    try:
        planned = plan(connection, ["g"])
    finally:
        connection.execute("DROP ROUTINE g.p")
    (place,) = planned.unmeasured
    assert place.where.startswith("g.p(")
    assert why in place.reason
    assert not [each for each in planned.measured if each.function.startswith("g.p(")]


def test_found_as_a_word_is_no_variable(connection: Connection[Any]) -> None:
    body = "BEGIN PERFORM 1; found := false; IF found THEN END IF; UPDATE g.t SET v = v WHERE found; END"
    assert branches(connection, body, "1") == [("arm 1 of IF found THEN", False), ("no arm of IF found THEN", True)]
