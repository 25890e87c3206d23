"""Every view of every kind of document: it is there, says the verdict, and as JUnit is green with 0 only."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.report.views import HEADLINE, JUNIT, MARKDOWN, TEXT, TRACE, junit, text, view
from harness.words.errors import UsageError
from tests.browser.told import model, sweep, two_buyers
from tests.compare.documents import document as compared
from tests.compare.rounds import rounds
from tests.monitor.test_monitor_document import looked
from tests.report.documents import document
from tests.report.test_load_page import document as load_document


def comparison() -> dict[str, Any]:
    return compared({"buy": rounds(40, cpu=1.3), "read": rounds(40)})


DOCUMENTS = {
    "verify": two_buyers,
    "holds": lambda: document("holds"),
    "not exercised": lambda: document("not_exercised"),
    "faults": sweep,
    "model": model,
    "load": lambda: load_document("load_violated"),
    "load holds": lambda: load_document("load_open"),
    "monitor": looked,
    "compare": comparison,
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_has_every_view_that_makes_sense(name: str) -> None:
    found = DOCUMENTS[name]()
    head = HEADLINE[found["format"]](found)
    assert text(found, width=200, colour=False).replace("\xa0", " ").startswith(head.replace("\xa0", " "))
    assert view("markdown", found).startswith("### ")
    assert head.partition(":")[0] in view("markdown", found).splitlines()[0]
    if found["format"] in TRACE:
        assert "traceEvents" in json.loads(view("trace", found))
    else:
        with pytest.raises(UsageError, match=r"cannot be shown as trace; expected one of harness-faults, "):
            view("trace", found)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_junit_is_green_exactly_when_the_command_ends_with_0(name: str) -> None:
    found = DOCUMENTS[name]()
    suite = ElementTree.fromstring(junit(found)).find("testsuite")
    assert suite is not None
    assert int(suite.get("tests", "0")) > 0
    green = suite.get("failures") == suite.get("errors") == "0"
    assert green == (found["exit_code"] == 0)
    cut = ElementTree.fromstring(junit({**found, "interrupted": True})).find("testsuite")
    assert cut is not None
    assert not cut.get("failures") == cut.get("errors") == "0"


def test_the_cause_of_a_slower_function_is_told() -> None:
    assert "f line 3 is &#60;new&#62;: SELECT 1" in view("markdown", comparison())


def test_what_crashes_broke_is_red() -> None:
    found = sweep()
    crashes = {**found["crashes"], "violated": ["no-lost-acknowledgement"], "why": ["p was lost"]}
    text_of_it = junit({**found, "crashes": crashes})
    assert '<failure type="violated" message="p was lost">' in text_of_it
    assert "p was lost" in view("markdown", {**found, "crashes": crashes})


def test_every_format_has_text_junit_markdown_and_a_headline() -> None:
    assert set(TEXT) == set(JUNIT) == set(MARKDOWN) == set(HEADLINE)
