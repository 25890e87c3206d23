"""Tables of plain text: columns as wide as what is in them, and the least important ones left out on a narrow page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from harness.report.page import Page

_GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """``worth`` says which columns stay on a narrow page: those of the lowest worth are left out first.

    ``least`` is the width that it has at least.
    """

    title: str
    right: bool = False
    worth: int = 9
    least: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A row of cells, with further lines of text below it. ``style`` is that of its first cells, up to ``styled``."""

    cells: Sequence[str]
    below: str = ""
    style: str = ""
    styled: int = 1


def table(paper: Page, columns: Sequence[Column], lines: Sequence[Line], indent: int = 2) -> list[str]:
    """The table with its head, each text line indented. Cells are never cut, columns left out where all do not fit."""
    widths = [
        max(
            column.least,
            *(cell_len(paper.plain(text)) for text in (column.title, *(line.cells[index] for line in lines))),
        )
        for index, column in enumerate(columns)
    ]
    kept = list(range(len(columns)))
    while len(kept) > 1 and indent + sum(widths[index] + _GAP for index in kept) - _GAP > paper.width:
        kept.remove(min(kept[1:], key=lambda index: (columns[index].worth, -index)))
    margin, gap = " " * indent, " " * _GAP

    def row(cells: Sequence[str], style: str, styled: int) -> str:
        texts = []
        for index in kept:
            text = paper.plain(cells[index])
            space = " " * (widths[index] - cell_len(text))
            text = paper.ink(text, style if index < styled else "")
            texts.append(space + text if columns[index].right else text + space)
        return (margin + gap.join(texts)).rstrip()

    out = [row([column.title for column in columns], "dim", len(columns))]
    for line in lines:
        out.append(row(line.cells, line.style, line.styled))
        if line.below:
            out += [paper.ink(text, "dim") for text in paper.wrap(line.below, indent + 4, 2)]
    return out
