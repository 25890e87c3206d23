"""What expressions use, and what a text that nobody can parse is taken for."""

from __future__ import annotations

import pytest

from harness.db.plpgsql import UnreadableError
from harness.db.uses import STATEMENT, UNKNOWN, Uses, called_names, constant, count_statements, uses

ASSIGNMENT = 3


def names(text: str, mode: int = 2) -> set[str]:
    return {".".join(name) for name in uses(text, mode).functions}


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("1 + x", False),
        ("f(x) = ANY (y)", False),
        ("CASE WHEN a THEN b ELSE c END", False),
        ("x[1:2]::text || 'SELECT'", False),
        ("(SELECT 1)", True),
        ("x IN (SELECT id FROM t)", True),
        ("NOT EXISTS (TABLE t)", True),
        ("ARRAY(SELECT 1)", True),
        ("count(*) FROM t WHERE a = 1", True),
        ("a UNION SELECT b FROM t", True),
    ],
)
def test_an_expression_reads_where_it_has_a_table_or_a_subquery(text: str, reads: bool) -> None:
    assert uses(text).reads is reads


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("SELECT 1, now()", False),
        ("SELECT unnest(x), a FROM unnest(y) AS a", False),
        ("SELECT 1 FROM t", True),
        ("VALUES (1)", False),
        ("INSERT INTO t VALUES (1)", True),
        ("WITH d AS (DELETE FROM t RETURNING *) SELECT 1", True),
        ("CALL p()", True),
        ("TRUNCATE t", True),
        ("NOTIFY channel", True),
    ],
)
def test_a_statement_reads_unless_it_selects_from_nothing(text: str, reads: bool) -> None:
    assert uses(text, STATEMENT).reads is reads


def test_names_are_those_that_the_parser_sees() -> None:
    assert names("F(1) + \"F\"(2) + s.g(h(3)) || 'k(4)' /* l(5) */") == {"f", "F", "s.g", "h"}
    assert names("CALL s.p(q(1))", STATEMENT) == {"s.p", "q"}
    assert names("SELECT a FROM f(1) WHERE g(a) > 1 ORDER BY h(a)", STATEMENT) == {"f", "g", "h"}
    assert uses("a OPERATOR(s.+) b <-> c").operators == {("s", "+"), ("<->",)}


def test_locks_are_seen() -> None:
    assert uses("SELECT 1 FROM t FOR UPDATE", STATEMENT).locks
    assert uses("(SELECT 1 FROM t FOR KEY SHARE NOWAIT)").locks
    assert not uses("SELECT 'FOR UPDATE' FROM t", STATEMENT).locks


def test_both_sides_of_an_assignment_count() -> None:
    assert names("x[f(1)].y := g(2)", ASSIGNMENT) == {"f", "g"}
    assert names("x = f(1) = g(2)", ASSIGNMENT) == {"f", "g"}
    assert uses("x[(SELECT 1)] := 2", ASSIGNMENT).reads
    assert uses("x := count(*) FROM t", ASSIGNMENT).reads
    assert uses("x[1 = 1] := 2", ASSIGNMENT) == Uses(frozenset(), frozenset({("=",)}), False, False)


@pytest.mark.parametrize(("text", "mode"), [("1 +", 2), ("SELEC 1", STATEMENT), ("'open", 2), ("x", ASSIGNMENT)])
def test_what_cannot_be_parsed_is_taken_for_the_worst(text: str, mode: int) -> None:
    assert uses(text, mode) is UNKNOWN


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'SELECT 1'", "SELECT 1"),
        ("$q$a 'b'$q$", "a 'b'"),
        ("E'a\\nb' -- comment", "a\nb"),
        ("''", ""),
        ("'a' || 'b'", None),
        ("x", None),
        ("1", None),
        ("format('%I', x)", None),
    ],
)
def test_only_a_string_literal_is_constant(text: str, value: str | None) -> None:
    assert constant(text) == value


def test_statements_are_counted() -> None:
    assert count_statements("") == 0
    assert count_statements("SELECT ';'; ; SELECT 2") == 2
    head = "CREATE FUNCTION f() RETURNS int"
    assert count_statements(f"{head} LANGUAGE sql AS 'SELECT 1; SELECT 2'") == 1
    assert count_statements(f"{head} BEGIN ATOMIC SELECT 1; SELECT 2; END", in_body=True) == 2
    assert count_statements(f"{head} BEGIN ATOMIC END", in_body=True) == 0
    assert count_statements(f"{head} RETURN 1", in_body=True) == 1
    with pytest.raises(UnreadableError):
        count_statements("SELECT FROM FROM")


def test_names_in_a_body_are_found_without_parsing_it() -> None:
    found = called_names("BEGIN PERFORM s.f (1); x := \"G\"(2); -- h(3)\n RETURN 'i(4)'; END")
    assert found.functions == {("f",), ("g",)}
