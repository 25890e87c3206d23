"""A run in lanes: a column per session, a row per step, time downwards; and below it what the run has changed.

In the manner of PostgreSQL's isolationtester, who waits is said where it happens; as in Elle, why comes after what.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len

from harness.report.changes import changes
from harness.report.page import Page, page
from harness.report.phrases import operation
from harness.report.rows import Row, rows
from harness.report.statement import shorten

LANE_MIN = 27
"""A narrower lane shows nothing of a statement: then lanes are marks, and what happens is said beside them."""

NAME_MAX = 16
"""Columns for a session's name beside the marks."""

_STEP = 4
"""Columns for the number of a step."""


def lanes(
    story: Mapping[str, Any],
    *,
    width: int = 100,
    full: bool = False,
    colour: bool = False,
    guilty: Mapping[str, str] | None = None,
    ascii_only: bool | None = None,
) -> str:
    """The picture of a story (``counterexample.story`` of the run document) on a page of ``width`` columns.

    ``full``: runs of steps without news are shown as well. ``guilty``: the values that show the violation; what they
    name is marked. ``ascii_only`` None: when the standard output has no box drawing.
    """
    paper = page(width, colour=colour, ascii_only=ascii_only)
    names = [paper.plain(str(name)) for name in story["sessions"]]
    told = rows(story, full=full)
    lines = [*_before(paper, story.get("before", ()))]
    lines += _columns(paper, names, told) or _marks(paper, names, told)
    if "start" in story:
        lines += ["", *changes(paper, story["start"], story["final"], guilty or {})]
    return "\n".join(line.rstrip() for line in lines)


def step_by_step(story: Mapping[str, Any], width: int) -> list[list[str]]:
    """For each step what it did, saw and committed, in lines of ``width`` columns at most."""
    paper = page(width)
    steps = story["steps"]
    told: list[list[str]] = [[] for _ in steps]
    for row in rows(story, full=True):
        name = (
            "" if story["sessions"][row.session] == steps[row.at]["session"] else f"{story['sessions'][row.session]} "
        )
        told[row.at].append(f"    {name}{_text(row, width - 4 - cell_len(name)).strip()}")
    for step, lines in zip(steps, told, strict=True):
        lines += [f"    saw {each['name']} = {each['value']}" for each in step.get("saw", ())]
    return [[paper.fit(line, width).rstrip() for line in lines] for lines in told]


def _before(paper: Page, blocks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What had been asked and answered when the picture begins; what ran at once has a mark."""
    for block in blocks:
        for number, call in enumerate(block["calls"]):
            mark = "&" if block["at_once"] and number else " "
            head = "before" if block is blocks[0] and number == 0 else ""
            text = f"{mark} {operation(call['operation'])} → {call['answer']}"
            yield paper.ink(f"{head:6} {paper.fit(text, paper.width - 7)}", "dim")
    if blocks:
        yield ""


def _columns(paper: Page, names: Sequence[str], told: Sequence[Row]) -> list[str]:
    """A lane for each session, side by side; empty when they are too narrow for that."""
    wanted = [
        max([cell_len(name), *(_length(row) for row in told if row.session == index)])
        for index, name in enumerate(names)
    ]
    widths = _deal(paper.width - _STEP - 3 * len(names), wanted)
    if any(width < min(LANE_MIN, want) for width, want in zip(widths, wanted, strict=True)):
        return []
    bar = paper.plain(" │ ")
    line = paper.plain("─")
    header = bar.join(paper.ink(paper.fit(name, width), "bold") for name, width in zip(names, widths, strict=True))
    rule = paper.plain("─┼─").join(line * width for width in widths)
    lines = [f"{'step':{_STEP}}{bar}{header}", f"{line * _STEP}{paper.plain('─┼─')}{rule}"]
    for row in told:
        cells = [
            paper.ink(paper.fit(_text(row, width), width), row.style)
            if index == row.session
            else paper.fit("┊" if index in row.waiting else "", width)
            for index, width in enumerate(widths)
        ]
        lines.append(bar.join([_number(row), *cells]))
    return lines


def _marks(paper: Page, names: Sequence[str], told: Sequence[Row]) -> list[str]:
    """A mark in the lane of the session that acts, and beside it who does what."""
    who = min(max(map(cell_len, names)), NAME_MAX)
    room = paper.width - _STEP - 2 - 2 * len(names) - 1 - who - 2
    lines = []
    shown = None
    for row in told:
        marks = [paper.plain("┊" if index in row.waiting else "│") for index in range(len(names))]
        marks[row.session] = paper.plain("○" if row.step is None else "●")
        name = paper.fit("" if row.session == shown and row.step is None else names[row.session], who)
        text = paper.ink(paper.fit(_text(row, room), room), row.style)
        lines.append(f"{_number(row)}  {' '.join(marks)}  {paper.ink(name, 'bold')}  {text}")
        shown = row.session
    return lines


def _deal(total: int, wanted: Sequence[int]) -> list[int]:
    """Share ``total`` columns out: nobody gets more than wanted, and what the modest leave goes to the others."""
    widths = [0] * len(wanted)
    modest_first = sorted(range(len(wanted)), key=lambda index: wanted[index])
    for dealt, index in enumerate(modest_first):
        widths[index] = min(wanted[index], total // (len(wanted) - dealt))
        total -= widths[index]
    return widths


def _number(row: Row) -> str:
    return f"{'' if row.step is None else row.step:>{_STEP}}"


def _length(row: Row) -> int:
    return cell_len(row.text) + cell_len(shorten(row.sql, 10_000))


def _text(row: Row, room: int) -> str:
    return row.text + shorten(row.sql, room - cell_len(row.text))
