"""A run document as one HTML page that needs nothing else: it opens from a file, prints, and reads without scripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.report.html import compare, faults, gate, load, model, monitor, verify
from harness.report.html.shell import Body, page

BODIES: dict[str, Callable[[Mapping[str, Any]], Body]] = {
    "harness-gate": gate.body,
    "harness-verify": verify.body,
    "harness-compare": compare.body,
    "harness-load": load.body,
    "harness-faults": faults.body,
    "harness-model": model.body,
    "harness-monitor": monitor.body,
}
"""What stands on the page of each format."""


def html(document: Mapping[str, Any]) -> str:
    """The page of a run document.

    :raises KeyError: its ``format`` has no page.
    """
    return page(BODIES[document["format"]](document), document)
