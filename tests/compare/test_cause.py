"""Why a function is slower, from statements and catalogs that are made up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.compare.catalog import Catalog
from harness.compare.cause import causes
from harness.compare.explained import Executed

READ = Executed(
    "buy(uuid)", 4, "SELECT * FROM leads WHERE id = p_id", 1, 3, 0,
    ("Index Scan on leads using leads_pkey",), frozenset({"leads"}),
)  # fmt: skip
WRITE = Executed(
    "buy(uuid)", 6, "UPDATE leads SET status = 'sold' WHERE id = p_id", 1, 5, 80,
    ("ModifyTable on leads", "Index Scan on leads using leads_pkey"), frozenset({"leads"}),
)  # fmt: skip
SOURCE = "\nBEGIN\n  x := 1;\n  SELECT * FROM leads WHERE id = p_id;\nEND\n"
CATALOG = Catalog(
    {"buy(uuid)": SOURCE, "other()": "BEGIN END"},
    {"leads_pkey": ("CREATE UNIQUE INDEX leads_pkey ON leads (id)", "leads")},
    {},
)


def test_what_is_the_same_has_no_cause() -> None:
    assert causes([READ, WRITE], [READ, WRITE], CATALOG, CATALOG, ["buy"]) == []


def test_a_lock_more_is_named_with_its_line() -> None:
    lock = Executed("buy(uuid)", 5, "SELECT FROM workspaces WHERE id = w FOR UPDATE", 1, 4, 54, ("LockRows",))
    (cause,) = causes([READ, WRITE], [READ, lock, WRITE], CATALOG, CATALOG, ["buy"])
    assert (cause.kind, cause.function, cause.line) == ("lock", "buy(uuid)", 5)
    assert cause.text == (
        "buy line 5 is new and locks rows (FOR UPDATE), 4 pages and 54 bytes of WAL a call: "
        "SELECT FROM workspaces WHERE id = w FOR UPDATE"
    )


def test_a_statement_that_began_to_lock_is_a_lock() -> None:
    locking = replace(READ, text=READ.text + " FOR UPDATE", buffers=4)
    (cause,) = causes([READ, WRITE], [locking, WRITE], CATALOG, CATALOG, ["buy"])
    assert cause.kind == "lock"
    assert "was changed, 4 pages a call instead of 3" in cause.text


def test_an_index_that_is_gone_is_named_once_with_what_came_instead() -> None:
    scanning = replace(READ, nodes=("Seq Scan on leads",), buffers=600)
    (cause,) = causes([READ], [scanning], CATALOG, replace(CATALOG, indexes={}), ["buy"])
    assert cause.kind == "index"
    assert cause.text.startswith(
        "the index leads_pkey on leads is gone: buy line 4 now has Seq Scan on leads, 600 pages instead of 3: SELECT"
    )


def test_an_index_of_another_name_is_the_same_index() -> None:
    renamed = replace(CATALOG, indexes={"leads_id": CATALOG.indexes["leads_pkey"]})
    assert causes([READ], [READ], CATALOG, renamed, ["buy"]) == []


def test_an_index_more_costs_who_writes() -> None:
    more = replace(CATALOG, indexes={**CATALOG.indexes, "by_status": ("CREATE INDEX by_status ...", "leads")})
    (cause,) = causes([WRITE], [WRITE], CATALOG, more, ["buy"])
    assert cause.text == "the index by_status on leads is new: every write has to keep it"
    assert causes([READ], [READ], CATALOG, more, ["buy"]) == []


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (replace(READ, times=3), "buy line 4 runs 3 times a call instead of 1"),
        (replace(READ, nodes=("Seq Scan on leads",), buffers=90), "now has Seq Scan on leads, 90 pages a call instead"),
        (replace(READ, buffers=30), "looks at 30 pages a call instead of 3"),
    ],
    ids=["more often", "another plan", "more pages"],
)
def test_the_same_statement_can_do_more(now: Executed, words: str) -> None:
    (cause,) = causes([READ, WRITE], [now, WRITE], CATALOG, CATALOG, ["buy"])
    assert words in cause.text


def test_a_statement_that_reads_more_because_of_another_is_no_cause() -> None:
    inner = replace(READ, function="inner()", nodes=("Seq Scan on leads",), buffers=90)
    before = replace(READ, function="inner()")
    found = causes([before, WRITE], [inner, replace(WRITE, buffers=92)], CATALOG, CATALOG, ["buy"])
    assert [each.kind for each in found] == ["plan"]


def test_what_reads_most_comes_first() -> None:
    added = [replace(READ, text=f"{verb} FROM t", buffers=pages) for verb, pages in (("ANALYZE", 3), ("DELETE", 70))]
    assert [each.weight for each in causes([READ], [READ, *added], CATALOG, CATALOG, ["buy"])] == [70, 3]


def test_what_no_statement_shows_is_looked_for_in_the_source() -> None:
    slow = SOURCE.replace("  x := 1;\n", "  x := 1;\n  FOR i IN 1..9 LOOP\n    x := x;\n  END LOOP;\n")
    after = replace(CATALOG, sources={**CATALOG.sources, "buy(uuid)": slow})
    (cause,) = causes([READ], [READ], CATALOG, after, ["buy"])
    assert (cause.kind, cause.line) == ("source", 4)
    assert cause.text == (
        "buy line 4 is new, and the statements of SQL are the same: FOR i IN 1..9 LOOP x := x; END LOOP;"
    )


def test_a_function_elsewhere_is_told_when_there_is_nothing_nearer() -> None:
    after = replace(CATALOG, sources={**CATALOG.sources, "other()": "BEGIN PERFORM 1; END"})
    (cause,) = causes([READ], [READ], CATALOG, after, ["buy"])
    assert cause.function == "other()"


def test_a_new_trigger_is_told() -> None:
    after = replace(CATALOG, triggers={"CREATE TRIGGER audit AFTER UPDATE ON leads ...": "leads"})
    (cause,) = causes([WRITE], [WRITE], CATALOG, after, ["buy"])
    assert (cause.kind, cause.text[:28]) == ("catalog", "a trigger on leads is new: C")
