"""Every view of every run document: which there are, by the document's format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.report.compare import render_compare
from harness.report.faults import render_faults
from harness.report.gate import gate_junit, render_gate
from harness.report.junit import junit as verify_junit
from harness.report.load import render_load
from harness.report.load_junit import load_junit
from harness.report.model import render_model
from harness.report.monitor import render_monitor
from harness.report.terminal import render
from harness.words.errors import UsageError

Document = Mapping[str, Any]

TEXT: Mapping[str, Callable[..., str]] = {
    "harness-verify": render,
    "harness-faults": render_faults,
    "harness-gate": render_gate,
    "harness-model": render_model,
    "harness-load": render_load,
    "harness-monitor": render_monitor,
    "harness-compare": render_compare,
}
"""Each takes the document, and by name ``width``, ``colour`` and ``ascii_only``."""

JUNIT: Mapping[str, Callable[[Document], str]] = {
    "harness-verify": verify_junit,
    "harness-load": load_junit,
    "harness-gate": gate_junit,
}


def text(document: Document, *, width: int, colour: bool) -> str:
    """The document on a page of ``width`` columns. Raises ``UsageError`` for a format that has no such view."""
    return _view(TEXT, "text", document)(document, width=width, colour=colour)


def junit(document: Document) -> str:
    """The document as JUnit XML. Raises ``UsageError`` for a format that has no such view."""
    return _view(JUNIT, "JUnit", document)(document)


def _view(views: Mapping[str, Callable[..., str]], name: str, document: Document) -> Callable[..., str]:
    found = views.get(document["format"])
    if found is None:
        raise UsageError(
            "no-such-view", f"a {document['format']} has no {name}", expected=f"one of {', '.join(sorted(views))}"
        )
    return found
