"""The page that text is set on: how wide it is, whether it has box drawing and colour, and how text is made to fit."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

WIDTH_MIN = 60
"""Narrower terminals wrap our lines themselves."""

_PLAIN = {
    "─": "-",
    "│": "|",
    "┼": "+",
    "┊": ":",
    "●": "*",
    "○": "+",
    "▸": ">",
    "→": "->",
    "✗": "x",
    "…": "..",
    "·": "-",
    "◂": "<",
    "↯": "!",
    "≤": "<=",
    "±": "+-",
}
"""What stands for each of our characters where there is only ASCII."""

_STYLES = {"red": "31", "green": "32", "yellow": "33", "dim": "2", "bold": "1"}


@dataclass(frozen=True, slots=True)
class Page:
    """``width`` in columns. ``ascii_only`` for a terminal or a log that has no box drawing."""

    width: int = 100
    colour: bool = False
    ascii_only: bool = False

    def ink(self, text: str, style: str = "") -> str:
        """``text`` in a style such as ``"bold red"``; as it is on a page without colour."""
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
            text = set_cell_size(text, max(room - len(more), 0)).rstrip().removesuffix(more) + more
        return set_cell_size(text, room)

    def wrap(self, text: str, indent: int = 0, hang: int = 0) -> list[str]:
        """``text`` in lines of the page's width, the second and later ones ``hang`` columns further in.

        It is broken at spaces, but not at a no-break space.
        """
        unbroken = "\xa0".join(map(self.plain, text.split("\xa0")))
        lines = textwrap.wrap(
            unbroken,
            self.width,
            initial_indent=" " * indent,
            subsequent_indent=" " * (indent + hang),
            break_on_hyphens=False,
        )
        return [line.replace("\xa0", " ") for line in lines]


def page(width: int = 100, *, colour: bool = False, ascii_only: bool | None = None) -> Page:
    """A page of ``WIDTH_MIN`` columns at least. ``ascii_only`` None: when the standard output has no box drawing."""
    if ascii_only is None:
        ascii_only = not has_box_drawing(getattr(sys.stdout, "encoding", None))
    return Page(max(width, WIDTH_MIN), colour, ascii_only)


def has_box_drawing(encoding: str | None) -> bool:
    """Whether all of our characters exist in an encoding; None, as of a stream without one, is taken for UTF-8."""
    try:
        "".join(_PLAIN).encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
