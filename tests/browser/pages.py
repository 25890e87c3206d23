"""One page of every kind, as the tests in a browser open them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from harness.report.html import html
from harness.report.html.index import Known, index_page
from tests.browser.told import model, sweep, two_buyers
from tests.gate.made import failed, suite
from tests.gate.test_summary import FILE, broken
from tests.monitor.test_monitor_document import looked
from tests.report.documents import document
from tests.report.schemas import stamped
from tests.report.test_index_page import runs

DIFF = "@@ -233 +233 @@\n-  WHERE p.id = p_purchase_id FOR UPDATE;\n+  WHERE p.id = p_purchase_id;"


def gate() -> dict[str, Any]:
    """A gate whose tests fail and whose verification breaks, after a lock was dropped."""
    said = suite(1, "E assert 1 == 2", "== 1 failed ==")
    return stamped(broken(said, failed("load"), changed=[{"file": FILE, "lines": [233], "diff": DIFF}]))


DOCUMENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "verify": two_buyers,
    "faults": sweep,
    "model": model,
    "monitor": looked,
    "gate": gate,
    "load": lambda: document("load_violated"),
    "compare": lambda: document("compare_slower"),
}
"""Command to the document of one of its runs."""


def every_run() -> list[Known]:
    """One run of every command, after those of a week, and a file that is no run."""
    known = []
    for number, (command, made) in enumerate(DOCUMENTS.items()):
        id_ = f"20260206-10{number:02}00-{command}-3fa2c1"
        run = {
            "id": id_,
            "began": f"2026-02-06T10:{number:02}:00Z",
            "command": f"harness {command}",
            "harness": "0.1.0",
        }
        known.append(Known(f"{id_}.json", {**made(), "run": run}, f"{id_}.html"))
    return [*known, *runs()]


def _page(made: Callable[[], dict[str, Any]]) -> str:
    return html(made())


PAGES: dict[str, Callable[[], str]] = {
    **{command: partial(_page, made) for command, made in DOCUMENTS.items()},
    "index": lambda: index_page(every_run()),
}
"""Command to the page of one of its runs; and the page of all runs."""
