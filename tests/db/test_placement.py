"""Where points go in a routine, and which places are named because no point can reach them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.db.placement import SQL_LENGTH_MAX, Placement, place
from harness.db.plpgsql import read
from harness.db.uses import Uses

HEADS = {False: "CREATE FUNCTION f(a int4) RETURNS SETOF int4", True: "CREATE PROCEDURE f(a int4)"}


class Names:
    """Functions whose names begin with v change data, those with s read it; those with q do so unseen, in SQL."""

    def touches(self, uses: Uses) -> bool:
        return uses.reads or any(name[-1][:1] in ("", "v", "s", "q") for name in uses.functions)

    def ends_unseen(self, uses: Uses) -> bool:
        return any(name[-1].startswith("q") for name in uses.functions)


def placed(source: str, *, procedure: bool = False, ends: bool = False) -> Placement:
    block = read(HEADS[procedure], source)
    return place(block, source, Names(), is_procedure=procedure, ends_without_return=ends)


def marked(source: str, *, procedure: bool = False, ends: bool = False) -> str:
    """The source, whatever marks it has, with ``@`` at each point."""
    source = source.replace("@", "")
    for spot in reversed(placed(source, procedure=procedure, ends=ends).spots):
        source = f"{source[: spot.offset]}@{source[spot.offset :]}"
    return source


@pytest.mark.parametrize(
    "body",
    [
        "@UPDATE t SET a = 1; @INSERT INTO t VALUES (1); @DELETE FROM t; @TRUNCATE t; @CREATE TABLE u (a int);",
        "@SELECT 1 INTO a FROM t; SELECT 1 INTO a; @SELECT v() INTO a; SELECT f() INTO a; @LOCK TABLE t;",
        "@PERFORM 1 FROM t; PERFORM 1; @PERFORM s(1); @CALL p();",
        "a := 1; @a := (SELECT 1); @a := v(); a := f(a) + 1; @a := count(*) FROM t;",
        "IF a = 1 THEN NULL; END IF; @IF a = s() THEN @DELETE FROM t; END IF;",
        "@IF a = 1 THEN NULL; ELSIF EXISTS (SELECT 1) THEN NULL; END IF;",
        "CASE a WHEN 1 THEN NULL; END CASE; @CASE s() WHEN 1 THEN NULL; END CASE; @CASE WHEN s() THEN NULL; END CASE;",
        "WHILE a > 1 LOOP @DELETE FROM t; END LOOP; LOOP EXIT; END LOOP; FOR i IN 1..2 LOOP NULL; END LOOP;",
        "@FOR r IN SELECT 1 FROM t LOOP a := 1; END LOOP; FOR r IN SELECT unnest(b) LOOP a := 1; END LOOP;",
        "@FOR i IN 1..s() LOOP NULL; END LOOP; @FOREACH a IN ARRAY s() LOOP NULL; END LOOP;",
        "RAISE '%', a; @RAISE '%', (SELECT 1); ASSERT a > 1; @ASSERT s(); @RAISE USING HINT = s();",
        "LOOP EXIT WHEN a = 1; @EXIT WHEN s(); END LOOP; <<l>> BEGIN @EXIT l WHEN s(); END;",
        "@OPEN c FOR SELECT 1 FROM t; @FETCH c INTO a; @MOVE c; CLOSE c; GET DIAGNOSTICS a = ROW_COUNT;",
        "RETURN NEXT 1; @RETURN NEXT v(); RETURN QUERY SELECT 1; @RETURN QUERY SELECT 1 FROM t; @RETURN;",
        "@EXECUTE 'DELETE FROM t'; @RETURN QUERY EXECUTE 'SELECT 1'; @OPEN c FOR EXECUTE 'SELECT 1';",
        "SET LOCAL work_mem = 1; RESET work_mem; SHOW work_mem; @SET CONSTRAINTS ALL IMMEDIATE;",
        "BEGIN @DELETE FROM t; EXCEPTION WHEN OTHERS THEN @UPDATE t SET a = 1; END;",
        "DECLARE b int := 1; BEGIN NULL; END; @<<l>> DECLARE b int := (SELECT 1); BEGIN NULL; END;",
        "/* c */@<<l>> FOR r IN SELECT 1 FROM t LOOP a := 1; END LOOP l;",
    ],
)
def test_a_point_stands_before_what_can_touch_data_and_only_there(body: str) -> None:
    source = f"DECLARE r record; b int[]; c refcursor; BEGIN {body} END"
    assert marked(source) == source
    assert placed(source.replace("@", "")).opaque == ()


@pytest.mark.parametrize(
    ("source", "procedure"),
    [
        ("BEGIN a := 1; @END", False),
        ("BEGIN @DELETE FROM t; @RETURN; END", False),
        ("BEGIN IF a = 1 THEN @RETURN; END IF; @END", False),
        ("BEGIN a := 1; @EXCEPTION WHEN no_data_found THEN a := 2; @WHEN OTHERS THEN @RETURN; END", False),
        ("DECLARE b int := (SELECT 1); BEGIN @END", False),
        ("<<o>> BEGIN <<i>> LOOP @EXIT o WHEN a = 1; EXIT i; END LOOP; @EXIT o; END", False),
        ("BEGIN @COMMIT; @ROLLBACK; @UPDATE t SET a = 1; @COMMIT AND CHAIN; @END", True),
    ],
)
def test_a_point_stands_before_every_end(source: str, procedure: bool) -> None:
    assert marked(source, procedure=procedure, ends=True) == source
    assert placed(source.replace("@", ""), procedure=procedure, ends=True).spots[-1].last


@pytest.mark.parametrize(
    "source",
    [
        "BEGIN @WHILE s() LOOP a := 1; @END LOOP; END",
        "BEGIN @WHILE s() LOOP @CONTINUE WHEN a = 1; IF a = 2 THEN @CONTINUE; END IF; EXIT; END LOOP; END",
        "BEGIN <<l>> WHILE a = 1 LOOP @WHILE s() LOOP CONTINUE l; END LOOP; CONTINUE; END LOOP; END",
        "BEGIN @<<l>> WHILE s() LOOP FOR i IN 1..2 LOOP CONTINUE; @CONTINUE l; END LOOP; @END LOOP; END",
        "DECLARE r record; BEGIN @FOR r IN SELECT 1 FROM t FOR UPDATE LOOP a := 1; @END LOOP; END",
        "DECLARE r record; BEGIN @FOR r IN SELECT v(x) FROM t LOOP @CONTINUE WHEN a = 1; a := 1; @END LOOP; END",
        "DECLARE r record; BEGIN @FOR r IN EXECUTE 'SELECT 1' LOOP a := 1; @END LOOP; END",
        "DECLARE c CURSOR FOR SELECT 1; BEGIN @FOR r IN c LOOP a := 1; @END LOOP; END",
    ],
)
def test_a_loop_that_touches_data_on_its_way_round_has_points_there(source: str) -> None:
    assert marked(source) == source
    assert placed(source.replace("@", "")).opaque == ()


TWO = "2 things that can touch data are one step: no point fits in between"
UNSEEN = "RETURN calls what can change data and has no points: none fits after it"
DYNAMIC = "dynamic SQL: what it runs is known only when it runs"


@pytest.mark.parametrize(
    ("body", "opaque"),
    [
        ("IF s() THEN NULL;\nELSIF s() THEN NULL; END IF;", [(2, TWO)]),
        ("CASE s() WHEN (SELECT 1) THEN NULL; END CASE;", [(2, TWO)]),
        ("RAISE '% %', s(), s();", [(2, TWO)]),
        ("FOR i IN s()..s() LOOP NULL; END LOOP;", [(2, TWO)]),
        ("EXECUTE 'SELECT $1' USING s();", [(2, TWO)]),
        ("EXECUTE 'DELETE FROM ' || a;", [(2, DYNAMIC)]),
        ("EXECUTE format('DELETE FROM %I', s());", [(2, TWO), (2, DYNAMIC)]),
        ("RETURN QUERY EXECUTE b USING 1;", [(2, DYNAMIC)]),
        ("FOR r IN EXECUTE b LOOP NULL; END LOOP;", [(2, DYNAMIC)]),
        ("OPEN c FOR EXECUTE b;", [(2, DYNAMIC)]),
        ("EXECUTE 'DELETE FROM t; DELETE FROM u';", [(2, "dynamic SQL with several statements: no point in between")]),
        ("EXECUTE 'DELETE t';", [(2, 'dynamic SQL that cannot be parsed: syntax error at or near "t"')]),
        ("DO 'BEGIN END';", [(2, "DO: the statements of the anonymous block have no points")]),
        ("DECLARE x int := s(); y int := s(); BEGIN NULL; END;", [(2, TWO)]),
        ("WHILE s() LOOP\nCONTINUE WHEN s(); END LOOP;", [(3, TWO)]),
        ("OPEN d(s());", [(2, TWO)]),
        ("RETURN NEXT q();", []),
        ("a := q();", []),
    ],
)
def test_a_place_that_no_point_reaches_is_named(body: str, opaque: Sequence[tuple[int, str]]) -> None:
    source = f"DECLARE r record; b text; c refcursor; d CURSOR (x int) FOR SELECT x; BEGIN\n{body}\nEND"
    assert list(placed(source).opaque) == opaque


def test_defaults_of_the_outermost_block_belong_to_the_callers_step() -> None:
    assert placed("DECLARE x int := s(); BEGIN NULL; END") == Placement((), ())
    assert placed("DECLARE x int := s();\ny int := v(); BEGIN NULL; END").opaque == ((2, TWO),)


def test_a_return_that_changes_data_unseen_is_named() -> None:
    source = "BEGIN IF a = 1 THEN RETURN q(); END IF;\nRETURN v(); END"
    placement = place(
        read("CREATE FUNCTION f(a int4) RETURNS int4", source),
        source,
        Names(),
        is_procedure=False,
        ends_without_return=False,
    )
    assert placement.opaque == ((1, UNSEEN),)
    assert [(spot.kind, spot.last) for spot in placement.spots] == [("return", False)] * 2


def test_a_procedure_takes_no_snapshot_before_it_would() -> None:
    source = "BEGIN COMMIT;\nSET TRANSACTION ISOLATION LEVEL REPEATABLE READ;\nLOCK TABLE t; DELETE FROM t; END"
    placement = placed(source, procedure=True)
    assert [spot.kind for spot in placement.spots] == ["commit", "sql"]
    assert placement.opaque == (
        (2, "a point takes the snapshot of the new transaction before it waits"),
        (3, "LOCK in a procedure: a point before it could take the snapshot too early"),
    )


def test_a_point_says_what_comes_next() -> None:
    update = "UPDATE t /* all */\n     SET a = 1 -- one\n  WHERE b  =  'x  y';"
    source = f"BEGIN\n  {update} FOR i IN 1..s() LOOP\nNULL; END LOOP;\nEND"
    first, second, third = placed(source, ends=True).spots
    assert (first.line, first.kind, first.sql, first.last) == (2, "sql", "UPDATE t SET a = 1 WHERE b = 'x  y';", False)
    assert (second.line, second.kind, second.sql) == (4, "loop", "FOR i IN 1..s() LOOP")
    assert (third.line, third.kind, third.last) == (6, "end", True)


def test_a_long_statement_is_shortened() -> None:
    (spot,) = placed(f"BEGIN DELETE FROM t WHERE a IN ({', '.join(map(str, range(100)))}); END").spots
    assert len(spot.sql) == SQL_LENGTH_MAX
    assert spot.sql.startswith("DELETE FROM t WHERE a IN (0, 1, 2")
    assert spot.sql.endswith("…")
