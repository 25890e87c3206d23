"""Every view of every run document: which there are, by the document's format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from harness.report import compare, faults, gate, load, model, monitor, verdicts
from harness.report.faults_junit import faults_junit, model_junit
from harness.report.gate_markdown import gate_markdown
from harness.report.junit import junit as verify_junit
from harness.report.load_junit import load_junit
from harness.report.markdown import FORMATS as IN_MARKDOWN
from harness.report.markdown import markdown
from harness.report.monitor_junit import compare_junit, monitor_junit
from harness.report.terminal import render
from harness.report.trace import trace
from harness.words.errors import UsageError

Document = Mapping[str, Any]
View = Callable[..., str]

TEXT: Mapping[str, View] = {
    "harness-verify": render,
    "harness-faults": faults.render_faults,
    "harness-model": model.render_model,
    "harness-load": load.render_load,
    "harness-monitor": monitor.render_monitor,
    "harness-compare": compare.render_compare,
    "harness-gate": gate.render_gate,
}
"""Each takes the document, and by name ``width``, ``colour`` and ``ascii_only``."""

JUNIT: Mapping[str, View] = {
    "harness-verify": verify_junit,
    "harness-faults": faults_junit,
    "harness-model": model_junit,
    "harness-load": load_junit,
    "harness-monitor": monitor_junit,
    "harness-compare": compare_junit,
    "harness-gate": gate.gate_junit,
}

MARKDOWN: Mapping[str, View] = {**dict.fromkeys(IN_MARKDOWN, markdown), "harness-gate": gate_markdown}

HEADLINE: Mapping[str, Callable[[Document], str]] = {
    "harness-verify": verdicts.headline,
    "harness-faults": faults.headline,
    "harness-model": model.headline,
    "harness-load": load.headline,
    "harness-monitor": monitor.headline,
    "harness-compare": compare.headline,
    "harness-gate": gate.headline,
}
"""The result in one line."""

TRACE: Mapping[str, View] = dict.fromkeys(("harness-verify", "harness-faults", "harness-model"), trace)
"""Of what has counterexamples, step by step."""


def text(document: Document, *, width: int, colour: bool) -> str:
    """The document on a page of ``width`` columns. Raises ``UsageError`` for a format that has no such view."""
    return partial(_view(TEXT, "text", document), width=width, colour=colour)(document)


def junit(document: Document) -> str:
    """The document as JUnit XML. Raises ``UsageError`` for a format that has no such view."""
    return _view(JUNIT, "junit", document)(document)


def view(name: str, document: Document) -> str:
    """The document as ``html``, ``markdown``, ``junit`` or ``trace``. Raises ``UsageError`` where there is no such."""
    if name == "html":
        # Here: templates take their time, and a run in the terminal needs none.
        from harness.report.html import BODIES, html

        return _view(dict.fromkeys(BODIES, html), name, document)(document)
    views = {"markdown": MARKDOWN, "junit": JUNIT, "trace": TRACE}[name]
    return _view(views, name, document)(document)


def _view(views: Mapping[str, View], name: str, document: Document) -> View:
    found = views.get(document["format"])
    if found is None:
        raise UsageError(
            "no-such-view",
            f"a {document['format']} cannot be shown as {name}",
            expected=f"one of {', '.join(sorted(views))}",
        )
    return found
