"""The page that text is set on: how wide it is, whether it knows box drawing and colour, and how text is fitted."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

_FANCY = "─│┼┊▸→×…·◂━"
_PLAIN = {"─": "-", "│": "|", "┼": "+", "┊": ":", "▸": ">", "→": "->", "×": "x", "…": "...", "·": "-", "◂": "<", "━": "="}
_STYLES = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36", "dim": "2", "bold": "1"}


@dataclass(frozen=True, slots=True)
class Page:
    """``width`` in columns. ``ascii_only`` for a terminal or a log that has no box drawing."""

    width: int = 100
    colour: bool = False
    ascii_only: bool = False

    def ink(self, text: str, style: str = "") -> str:
        """``text`` in a style such as ``"bold red"``; unchanged on a page without colour."""
        if not (self.colour and style and text.strip()):
            return text
        codes = ";".join(_STYLES[name] for name in style.split())
        return f"\x1b[{codes}m{text}\x1b[0m"

    def plain(self, text: str) -> str:
        """``text`` without what the page cannot show, and without anything that would move the cursor."""
        if self.ascii_only:
            for fancy, simple in _PLAIN.items():
                text = text.replace(fancy, simple)
            text = text.encode("ascii", "replace").decode()
        return "".join(each if each.isprintable() else " " for each in text)

    def fit(self, text: str, room: int) -> str:
        """``text`` in exactly ``room`` columns: padded, or cut with an ellipsis."""
        text = self.plain(text)
        if cell_len(text) > room:
            more = self.plain("…")
            text = set_cell_size(text, max(room - len(more), 0)).rstrip() + more[:room]
        return set_cell_size(text, room)

    def wrap(self, text: str, indent: int = 0, hang: int = 0) -> list[str]:
        """``text`` in lines of the page's width; ``hang`` more columns before the second and later ones."""
        first, later = " " * indent, " " * (indent + hang)
        return textwrap.wrap(
            self.plain(text), self.width, initial_indent=first, subsequent_indent=later, break_on_hyphens=False
        )


def page(width: int = 100, *, colour: bool = False, ascii_only: bool | None = None) -> Page:
    """A page of 60 columns at least. ``ascii_only`` None: when the standard output cannot take box drawing."""
    if ascii_only is None:
        ascii_only = not _speaks_box_drawing(getattr(sys.stdout, "encoding", None))
    return Page(max(width, 60), colour, ascii_only)


def _speaks_box_drawing(encoding: str | None) -> bool:
    try:
        _FANCY.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
