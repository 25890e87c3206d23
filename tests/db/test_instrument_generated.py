"""Bodies that nobody thought of: both readings agree, the text comes back, and the server sees no difference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from harness.db.instrument import install, plan, remove, telling
from tests.db.nasty import POINT, Outcome, ask_for_marks, connect, outcome
from tests.sizes import sized

SCHEMA = """
CREATE SCHEMA g;
CREATE TABLE g.t (k integer PRIMARY KEY, v integer CHECK (v < 100));
INSERT INTO g.t VALUES (1, 10), (2, 20), (3, 30), (4, 40);
CREATE FUNCTION g.bump(n integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN UPDATE g.t SET v = v + 1 WHERE k = n; IF FOUND THEN RETURN n + 1; END IF; RETURN (SELECT max(k) FROM g.t); END $$;
"""

DECLARED = """DECLARE x integer := n; y integer := (SELECT min(k) FROM g.t); s text := ''; r record; c refcursor;
  c1 integer := 0; c2 integer := 0; c3 integer := 0; c4 integer := 0; c5 integer := 0; c6 integer := 0;
"""

CONDITIONS = [
    *("x > 1", "FOUND", "x = y", "NOT FOUND AND x < 3", "y IS NULL", "false", "(x IN (1, 2)) /* THEN */"),
    *(
        "EXISTS (SELECT 1 FROM g.t WHERE k = x)",
        "g.bump(x) > 2",
        "x < count(*) FROM g.t",
        "(CASE WHEN x > 1 THEN true END)",
    ),
]

SIMPLE = [
    *("NULL;", "x := x + 1;", "y = x;", "s := s || FOUND || ';';", "x := (SELECT count(*) FROM g.t WHERE k > x);"),
    *("y := max(v) FROM g.t;", "x := g.bump(x);", "UPDATE g.t SET v = v + x WHERE k = x;", "UPDATE g.t SET v = v * 3;"),
    *("INSERT INTO g.t VALUES (x, y);", "DELETE FROM g.t WHERE k = y RETURNING k INTO x;", "PERFORM 1 FROM g.t;"),
    *(
        "PERFORM g.bump(y);",
        "SELECT v INTO y FROM g.t WHERE k = x;",
        "SELECT k, v INTO STRICT x, y FROM g.t WHERE k >= x;",
    ),
    *("SELECT CASE WHEN v > 20 THEN 1 ELSE 2 END INTO x FROM g.t ORDER BY k;", "GET DIAGNOSTICS y = ROW_COUNT;"),
    *(
        "GET DIAGNOSTICS s = PG_CONTEXT;",
        "GET STACKED DIAGNOSTICS s := PG_EXCEPTION_CONTEXT;",
        "RAISE NOTICE '% % %', x, y, s;",
    ),
    *(
        "RAISE NOTICE 'max %', (SELECT max(v) FROM g.t);",
        "RAISE EXCEPTION 'at %', x USING HINT = s;",
        "RAISE division_by_zero;",
    ),
    *(
        "RAISE;",
        "x := 1 / (x - 2);",
        "ASSERT x < 4, 'x is ' || x;",
        "EXECUTE 'UPDATE g.t SET v = $1 WHERE k = $2' USING x, y;",
    ),
    *(
        "EXECUTE 'SELECT max(k) + ' || coalesce(x, 0) || ' FROM g.t' INTO x;",
        "RETURN NEXT x;",
        "RETURN NEXT g.bump(x);",
    ),
    *("RETURN QUERY SELECT v FROM g.t ORDER BY k;", "RETURN QUERY EXECUTE 'SELECT $1' USING x;", "RETURN;"),
    "RETURN QUERY UPDATE g.t SET v = v + 1 RETURNING v;",
    "OPEN c FOR SELECT k FROM g.t ORDER BY k FOR UPDATE; MOVE c; FETCH c INTO x; CLOSE c;",
]

HANDLERS = [
    "OTHERS",
    "division_by_zero OR unique_violation",
    "SQLSTATE 'P0001'",
    "no_data_found",
    "check_violation",
    "raise_exception",
]

GAPS = [" ", "\n", "\n    ", " -- BEGIN; END;\n", " /* ; END IF; */ ", "\t"]


class Writer:
    """Draws a body. Loops count in c1 to c6, so that every one of them ends."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._loops: list[str] = []
        self._count = 0

    def pick(self, *choices: str) -> str:
        return self._draw(st.sampled_from(choices))

    def several(self, depth: int) -> str:
        return "".join(self.one(depth) + self.pick(*GAPS) for _ in range(self._draw(st.integers(0, 3))))

    def one(self, depth: int) -> str:
        kinds = ["simple", "simple"]
        kinds += ["leave"] if self._loops else []
        kinds += ["if", "case", "block", "loop"] if depth else []
        return str(getattr(self, f"_{self.pick(*kinds)}")(depth - 1))

    def _simple(self, _: int) -> str:
        return self.pick(*SIMPLE)

    def _leave(self, _: int) -> str:
        label = self.pick("", " " + self.pick(*self._loops))
        return f"{self.pick('EXIT', 'CONTINUE')}{label}{self.pick('', f' WHEN {self.pick(*CONDITIONS)}')};"

    def _if(self, depth: int) -> str:
        text = f"IF {self.pick(*CONDITIONS)} THEN{self.pick(*GAPS)}{self.several(depth)}"
        for _ in range(self._draw(st.integers(0, 2))):
            text += f"{self.pick('ELSIF', 'ELSEIF')} {self.pick(*CONDITIONS)} THEN {self.several(depth)}"
        return text + self.pick("", f"ELSE {self.several(depth)}") + "END IF;"

    def _case(self, depth: int) -> str:
        subject = self.pick("", "x", "(SELECT count(*) FROM g.t)")
        values = ["1, 2", "x", "3"] if subject else CONDITIONS
        arms = range(self._draw(st.integers(1, 2)))
        text = "".join(f"WHEN {self.pick(*values)} THEN {self.several(depth)}" for _ in arms)
        return f"CASE {subject} {text}{self.pick('', f'ELSE {self.several(depth)}')}END CASE;"

    def _block(self, depth: int) -> str:
        declared = self.pick(
            "", "DECLARE x integer := y; ", "DECLARE y integer := (SELECT max(k) FROM g.t); z g.t%ROWTYPE; "
        )
        text = f"{declared}BEGIN {self.several(depth)}"
        handlers = range(self._draw(st.integers(0, 2)))
        if handlers:
            arms = (f"WHEN {self.pick(*HANDLERS)} THEN {self.several(depth)}" for _ in handlers)
            text += f"EXCEPTION {''.join(arms)}"
        return f"{text}END;"

    def _loop(self, depth: int) -> str:
        if self._count == 6:
            return "NULL;"
        self._count += 1
        counter, label = f"c{self._count}", f"l{self._count}"
        head = self.pick(
            "LOOP",
            f"WHILE {self.pick(*CONDITIONS)} LOOP",
            "FOR x IN REVERSE 3..1 LOOP",
            "FOR i IN 1..(SELECT count(*) FROM g.t) LOOP",
            "FOR r IN SELECT k FROM g.t ORDER BY k LOOP",
            "FOR r IN SELECT k FROM g.t ORDER BY k FOR UPDATE LOOP",
            "FOR x, y IN UPDATE g.t SET v = v + 1 RETURNING k, v LOOP",
            "FOR r IN EXECUTE 'SELECT 1 UNION ALL SELECT 2' LOOP",
            "FOREACH x IN ARRAY ARRAY[1, 2] LOOP",
        )
        self._loops.append(label)
        text = self.several(depth)
        self._loops.pop()
        count = f"{counter} := {counter} + 1; EXIT WHEN {counter} > 4;"
        return f"<<{label}>>{self.pick(*GAPS)}{head} {count} {text}END LOOP{self.pick('', f' {label}')};"


@st.composite
def bodies(draw: st.DrawFn) -> str:
    writer = Writer(draw)
    text = f"{DECLARED}BEGIN{writer.pick(*GAPS)}{writer.several(3)}{writer.several(2)}"
    if writer.pick("", "handlers"):
        text += f"EXCEPTION WHEN {writer.pick(*HANDLERS)} THEN {writer.several(1)}"
    return f"{text}END{writer.pick('', ';', ' ; -- END')}"


@pytest.fixture(scope="module")
def connection(module_database: str) -> Iterator[Connection[Any]]:
    with connect(module_database) as connection:
        connection.execute((POINT + SCHEMA).encode())
        yield connection


def outcomes(connection: Connection[Any]) -> list[Outcome]:
    """What calls of ``g.f`` give, and what the table is after each."""
    found = []
    for n in ("0", "1", "3", "NULL"):
        connection.execute("BEGIN")
        found.append(outcome(connection, f"SELECT * FROM g.f({n})"))
        if connection.info.transaction_status:
            found.append(outcome(connection, "SELECT * FROM g.t ORDER BY k"))
            connection.execute("ROLLBACK")
    return found


@settings(max_examples=sized(40, 1000), suppress_health_check=[HealthCheck.too_slow])
@given(body=bodies(), asked=st.booleans())
def test_a_generated_function_does_the_same_with_points(connection: Connection[Any], body: str, asked: bool) -> None:
    head = "CREATE OR REPLACE FUNCTION g.f(n integer) RETURNS SETOF integer LANGUAGE plpgsql AS"
    connection.execute(f"{head} $body$ {body} $body$".encode())
    plain = outcomes(connection)
    planned = plan(connection, ["g"])
    assert "g.f(integer)" in [each.function for each in planned.measured]
    assert not [place for place in planned.opaque if "line" not in place.where]
    install(connection, planned)
    ask_for_marks(connection, planned.marks if asked else 0)
    try:
        assert outcomes(connection) == plain
        if not asked:
            with telling(connection, planned):
                assert outcomes(connection) == plain
    finally:
        remove(connection, planned)
    assert connection.execute("SELECT prosrc FROM pg_proc WHERE proname = 'f'").fetchone() == (f" {body} ",)
