"""What other views say in lines of a text, as sentences for a page: the same words, without a width."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.report.page import Page

_ENDLESS = Page(width=1_000_000)


def sentences(told: Callable[[Page, Mapping[str, Any]], list[str]], document: Mapping[str, Any]) -> list[str]:
    """The lines of a part of the terminal's report, each whole and without its margin."""
    return [line.strip() for line in told(_ENDLESS, document)]
