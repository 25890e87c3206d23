"""The page of all past runs: what each was and came to, and how figures went over time."""

from __future__ import annotations

import copy
import re
from typing import Any

from harness.report.html.index import Known, index_page
from tests.report.documents import document
from tests.report.test_load_page import document as load_document


def runs() -> list[Known]:
    """Five verifications of one subject, that get faster and then break; loads; and a file that is none."""
    known = []
    for number, name in enumerate(("holds", "holds", "not_exercised", "violated_two", "hang")):
        found = copy.deepcopy(document(name))
        found["schedules"] *= number + 1
        known.append(stamped(found, "verify-mine", number))
    known += [stamped(copy.deepcopy(load_document(name)), "load-mix", 3) for name in ("load_open", "load_violated")]
    return [*known, Known("half.json", None, "", "half.json is not valid JSON <b>")]


def stamped(found: dict[str, Any], what: str, day: int) -> Known:
    id_ = f"2026020{day + 1}-101500-{what}-3fa2c1"
    found["run"] = {**found["run"], "id": id_, "began": f"2026-02-0{day + 1}T10:15:00Z"}
    return Known(f"{id_}.json", found, f"{id_}.html")


def test_every_run_has_its_line_the_latest_first() -> None:
    text = index_page(runs())
    assert "<h1>7 runs</h1>" in text
    assert re.findall(r'href="(\d{8})-101500-verify-mine', text) == [f"2026020{day}" for day in (5, 4, 3, 2, 1)]
    assert "VIOLATED: mine breaks 3 of 4 properties" in text
    assert "half.json is not valid JSON &lt;b&gt;" in text


def test_figures_are_followed_over_time() -> None:
    text = index_page(runs())
    assert "✓✓?✗?" in text
    for figure in ("schedules per second", "requests per second", "p99 ms"):
        assert figure in text, figure
    assert text.count("<svg") >= 4


def test_one_run_is_no_trend_and_none_is_said() -> None:
    assert 'id="trends"' not in index_page(runs()[:1])
    assert "<h1>There is no run yet</h1>" in index_page([])


def test_a_thousand_runs_are_a_page() -> None:
    one = stamped(document("holds"), "verify-mine", 1)
    assert len(index_page([one] * 1000).encode()) < 1_500_000
