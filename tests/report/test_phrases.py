"""How single things are said."""

from __future__ import annotations

import pytest

from harness.report.page import has_box_drawing, page
from harness.report.phrases import bound, count, label, operation, percent, seconds, sqlstate
from harness.report.table import Column, Line, table


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Buy(workspace='A', leads=('L1', 'L2'), purchase='p')", "Buy A L1+L2 p"),
        ("Buy(workspace='A', leads=('L1',), purchase='p')", "Buy A L1 p"),
        ("MarkSold(leads=())", "MarkSold nothing"),
        ("MarkSold(leads=None)", "MarkSold NULL"),
        ("Sweep()", "Sweep"),
        ("CompleteCredit(purchase='p', workspace='A', amount=Decimal('-10.50'))", "CompleteCredit p A -10.50"),
        ("Deliver(event='evt', kind='charge.refunded', purchase='p')", "Deliver evt charge.refunded p"),
        ("something else", "something else"),
    ],
)
def test_operation(text: str, said: str) -> None:
    assert operation(text) == said


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("40P01", "40P01 deadlock detected"),
        ("P0001 no such lead", "P0001 no such lead"),
        ("99999", "99999 error"),
    ],
)
def test_sqlstate(detail: str, said: str) -> None:
    assert sqlstate(detail) == said


def test_numbers() -> None:
    assert [count(1, "property", "properties"), count(4334, "schedule")] == ["1 property", "4,334 schedules"]
    assert [seconds(n).replace("\xa0", " ") for n in (0.004, 0.04, 1.26, 42.4, 600, 5400)] == [
        "0.01 s",
        "0.04 s",
        "1.3 s",
        "42 s",
        "10 min",
        "90 min",
    ]
    assert [percent(n).replace("\xa0", " ") for n in (0.00093, 0.2209, 0.999, 1.0)] == [
        "0.093 %",
        "22 %",
        "100 %",
        "100 %",
    ]
    assert label("refused:lead_reserved|busy") == "refused:lead_reserved or busy"


@pytest.mark.parametrize(
    ("certificate", "preemptions", "miss", "said"),
    [
        ("EXHAUSTED", None, None, "all"),
        ("EXHAUSTED", 2, None, "2"),
        ("SAMPLED", None, 0.22, "22\xa0%"),
        ("SAMPLED", None, None, "-"),
        ("INCONCLUSIVE", None, None, "-"),
    ],
)
def test_bound(certificate: str, preemptions: int | None, miss: float | None, said: str) -> None:
    assert bound({"certificate": certificate, "preemption_bound": preemptions, "miss_bound": miss}) == said


def test_a_narrow_table_leaves_out_what_is_worth_least() -> None:
    columns = [Column("name"), Column("dear", right=True, worth=8), Column("cheap", right=True, worth=1)]
    lines = [Line(("n" * 48, "1", "2"), below="more")]
    wide = table(page(100, ascii_only=False), columns, lines)
    narrow = table(page(60, ascii_only=False), columns, lines)
    assert wide[0].split() == ["name", "dear", "cheap"]
    assert narrow[0].split() == ["name", "dear"]
    assert narrow[1].split() == ["n" * 48, "1"]
    assert narrow[2].strip() == "more"


@pytest.mark.parametrize(
    ("encoding", "yes"),
    [("utf-8", True), ("UTF-16", True), ("ascii", False), ("latin-1", False), ("no-such-code", False), (None, True)],
)
def test_box_drawing_is_used_where_it_exists(encoding: str | None, yes: bool) -> None:
    assert has_box_drawing(encoding) is yes


def test_a_page_is_never_too_narrow() -> None:
    assert page(5).width == 60


def test_a_no_break_space_does_not_break() -> None:
    lines = page(60, ascii_only=False).wrap("x" * 56 + " 12\xa0s")
    assert lines == ["x" * 56, "12 s"]
