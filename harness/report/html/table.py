"""Tables of a page: any column sorts, and a long table can be filtered by a text or by a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.report.html.shell import Mood, rendered


@dataclass(frozen=True, slots=True)
class Cell:
    """``sort`` is what the column is sorted by, where that is not the text. ``below`` is a second, smaller line."""

    text: str | Markup
    mood: Mood | None = None
    sort: float | str | None = None
    below: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """``choice``: the table can be filtered by the texts that are in this column."""

    title: str
    right: bool = False
    choice: bool = False


Row = Sequence[Cell | str]


def table(name: str, columns: Sequence[Column], rows: Sequence[Row], *, filtered: bool = False) -> Markup:
    """``name`` says what the rows are, in the plural. ``filtered``: above the table stands a field to search it."""
    cells = [[Cell(each) if isinstance(each, str) else each for each in row] for row in rows]
    choices = {
        index: list(dict.fromkeys(str(row[index].text) for row in cells))
        for index, column in enumerate(columns)
        if column.choice
    }
    return rendered("table.html.jinja", name=name, columns=columns, rows=cells, filtered=filtered, choices=choices)
