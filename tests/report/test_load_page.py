"""The page of a load run: the verdict first, every figure of the document, and nothing that was not measured."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest

from harness.report.html import html
from tests.report.documents import HERE
from tests.report.schemas import altered, validator

NAMES = ("load_open", "load_violated", "load_steps")
SIZE_MAX = 150_000


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return found


def text_of(page: str) -> str:
    return unescape(" ".join(re.sub(r"<(script|style)>.*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL).split()))


def headings(page: str) -> list[str]:
    return re.findall(r"<h2><a [^>]*>([^<]*)", page)


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_are_load_documents_and_small_pages(name: str) -> None:
    found = document(name)
    validator("load").validate(found)
    page = html(found)
    assert len(page.encode()) < SIZE_MAX
    # Nothing is loaded from elsewhere.
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)


def test_the_verdict_and_the_properties_come_first() -> None:
    page = html(document("load_violated"))
    assert re.search(r"<h1>VIOLATED: before breaks sold-once", page)
    assert headings(page)[0] == "Properties"
    text = text_of(page)
    assert text.index("sold-once VIOLATED") if "sold-once VIOLATED" in text else text.index("sold-once lead")
    assert "buyers got one lead" in text


def test_both_models_stand_side_by_side_and_why_they_differ_is_said() -> None:
    page = html(document("load_open"))
    assert page.index("Latency from sending</b>") < page.index("Latency from arrival</b>")
    assert "They differ by what happens before and between attempts" in page
    closed = html(document("load_steps"))
    assert "Latency from arrival</b>" not in closed
    assert "Only the closed model was run" in closed


def test_the_figures_are_those_of_the_document() -> None:
    found = document("load_open")
    text = text_of(html(found))
    for code, times in found["refusals"].items():
        assert f"{code} {times:,} " in text
    assert f"{found['requests']:,} requests in" in text
    for mark in found["disturbances"]["marks"]:
        assert {"kill": "a backend was terminated", "crash": "the server was crashed"}[mark["kind"]] in text
    assert "race of 100 buyers for one lead" in text
    assert "2.34 s not in this run in part" in text


def test_a_run_in_steps_shows_where_it_is_saturated() -> None:
    page = html(document("load_steps"))
    assert "Throughput by users" in page
    assert "Steps to saturation" in headings(page)
    assert "Steps to saturation" not in headings(html(document("load_open")))


def test_what_overlapped_a_finding_is_listed() -> None:
    found = document("load_violated")
    text = text_of(html(found))
    shown = next(each for each in found["history"]["shown"] if each["operation"] and each["window"])
    assert shown["why"] in text
    assert all(each["client"] in text for each in shown["window"])


NOTHING: list[tuple[tuple[str | int, ...], Any]] = [
    (("timeline",), {"bucket_seconds": None, "buckets": []}),
    (("looks", "rows"), []),
    (("distributions", "of"), []),
    (("operations",), []),
    (("requests",), 0),
    (
        ("disturbances",),
        {"kills": 0, "crashes": 0, "recovery_seconds_max": None, "errors": 0, "covered": 0, "marks": []},
    ),
    (("growth",), []),
    (("refusals",), {}),
]


def test_a_run_that_did_nothing_has_a_page_without_charts() -> None:
    found = document("load_open")
    for path, value in NOTHING:
        found = altered(found, path, value)
    page = html(found)
    assert "<figure" not in page
    assert not {"Latency", "Distributions", "Waits and locks", "Disturbances", "Growth"} & set(headings(page))


def test_a_text_of_the_document_is_no_markup() -> None:
    page = html(altered(document("load_open"), ("scenario", "about"), "<script>alert(1)</script>"))
    assert "<script>alert" not in page


def test_a_server_that_did_not_answer_at_any_look_is_no_failure() -> None:
    found = document("load_open")
    unseen = {"busy": None, "ungranted": None, "connections": None, "locks": None, "server_bytes": None}
    rows = [row | unseen for row in found["looks"]["rows"]]
    text = text_of(html(altered(found, ("looks", "rows"), rows)))
    assert "The server answered at no look." in text
    assert "At no look did a session wait" not in text
