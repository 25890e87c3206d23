"""What all pages have in common: texts are escaped, nothing is left out silently, and no script but ours may run."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup, escape

from harness.report.html import BODIES, html
from harness.report.html.shell import TEMPLATES, Body, Section, page, rendered
from harness.report.html.table import Cell, Column, table
from tests.browser.told import HOSTILE, hostile, model, sweep, two_buyers
from tests.monitor.test_monitor_document import looked
from tests.report.documents import NAMES, document

SIZE_MAX = 150_000
"""Bytes of the page of an ordinary run."""


def test_what_is_missing_in_a_template_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        rendered("lines.html.jinja")


def test_a_section_without_content_is_left_out() -> None:
    sections = [Section("full", "Full", Markup("<p>here</p>"), "<note>"), Section("empty", "Empty", Markup())]
    text = page(Body("<title>", "<verdict>", "good", ["<fact>"], sections), {"format": "harness-verify"})
    assert "here" in text
    assert "empty" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
    for told in ("title", "verdict", "fact", "note"):
        assert f"&lt;{told}&gt;" in text


def test_only_the_script_of_the_page_may_run() -> None:
    text = html(two_buyers())
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert (
        f"default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;; script-src &#39;sha256-{digest}&#39;" in text
    )


def test_a_page_asks_for_nothing_from_elsewhere() -> None:
    for text in (html(two_buyers()), html(sweep()), html(model()), html(looked())):
        assert not re.findall(r"""(?:src|href)=(?!"#|"data:,")|url\(|@import|https?:(?!//127)""", text)


def test_texts_of_a_document_are_no_markup() -> None:
    text = html(hostile(two_buyers()))
    assert "<img" not in text
    assert text.count("</script>") == 1
    assert str(escape(HOSTILE)) in text


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small(name: str) -> None:
    assert len(html(document(name)).encode()) < SIZE_MAX


def test_every_format_of_a_page_is_known_by_its_name() -> None:
    assert {"harness-verify", "harness-faults", "harness-model", "harness-monitor"} <= set(BODIES)
    with pytest.raises(KeyError):
        html({"format": "harness-nothing"})


def test_a_table_offers_what_its_columns_hold() -> None:
    rows = [("a", Cell("good", "good", sort=2.5)), ("b", Cell("<bad>", "bad", below="why"))]
    text = table("things", [Column("name"), Column("verdict", choice=True)], rows, filtered=True)
    assert re.findall(r"<option>(.*?)</option>", text) == ["good", "&lt;bad&gt;"]
    assert 'data-sort="2.5"' in text
    assert "<small>why</small>" in text


def test_no_file_of_the_templates_is_unused() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES.parent.rglob("*.*") if path.suffix != ".pyc")
    assert [path.name for path in TEMPLATES.iterdir() if path.name not in code] == []
