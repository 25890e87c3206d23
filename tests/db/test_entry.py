"""What does nothing by itself is known for it, and nothing else is."""

from __future__ import annotations

import pytest

from harness.db.entry import BEGIN, entries, entry
from harness.db.plan import Plan, Point, Rewritten


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("BEGIN", BEGIN),
        ("start transaction", BEGIN),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE", None),
        ("COMMIT", None),
        ("SELECT * FROM f(%(a)s, %s::uuid[], 'x', ARRAY[1, 2], NULL)", "f"),
        ("SELECT a, array_agg(b ORDER BY b) FROM public.f(%s) AS t GROUP BY a", "f"),
        ("SELECT f(%s)", "f"),
        ("SELECT f(g(%s))", None),
        ("SELECT f((SELECT 1))", None),
        ("SELECT f(x) FROM t", None),
        ("SELECT * FROM f(%s), t", None),
        ("SELECT * FROM f(%s), g(%s)", None),
        ("WITH w AS (SELECT 1) SELECT * FROM f(%s)", None),
        ("SELECT f(%s) UNION SELECT 1", None),
        ("SELECT f(%s), g(%s)", None),
        ("SELECT f(%s); SELECT f(%s)", None),
        ("UPDATE t SET a = f(%s)", None),
        ("SELECT 1", None),
        ("not SQL at all", None),
    ],
)
def test_an_entry_is_a_plain_call_or_begin(statement: str, expected: str | None) -> None:
    assert entry(statement) == expected


def rewritten(name: str, source: str = "DECLARE x int; BEGIN RETURN; END") -> Rewritten:
    return Rewritten(name, "", source, "")


def point(number: int, function: str) -> Point:
    return Point(number, "public", function, 1, "sql", "", False)


def test_overloaded_functions_and_those_with_initial_values_are_no_entries() -> None:
    plan = Plan(
        points=tuple(point(number, name) for number, name in enumerate(("a.f(int)", "a.g(int)", "b.g()", "a.h()"), 1)),
        opaque=(),
        atomic=(),
        rewritten=(
            rewritten("a.f(int)"),
            rewritten("a.g(int)"),
            rewritten("b.g()"),
            rewritten("a.h()", "DECLARE x int := (SELECT 1); BEGIN RETURN; END"),
        ),
    )
    assert entries(plan) == {"f": frozenset({1})}
