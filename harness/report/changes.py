"""What a run changed: the state before and after, a line for each thing that is another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from harness.report.page import Page
from harness.words.things import NOTHING, Thing, equal, things_at_first, things_in

SELLER: Thing = ("balance", "seller")
"""Of the workspace that every start has."""

_KINDS = {"lead": "lead", "leads": "lead", "purchase": "purchase", "top-up": "top-up", "workspace": "balance"}
"""What a guilty value names, by its key."""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a thing; ``marked``: it is named by what shows the violation."""

    name: str
    before: str
    after: str
    marked: bool


def changed(
    start: Mapping[str, Any], final: Mapping[str, Any], guilty: Mapping[str, str]
) -> tuple[list[Change], list[str]]:
    """What is another in the end, with what ``guilty`` names even if nothing changed it; and the names of the rest."""
    marked = {
        (_KINDS[key], name)
        for key, value in guilty.items()
        if key in _KINDS
        for name in value.replace(",", " ").split()
    }
    before, after = things_at_first(start), things_in(final)
    if final.get("reservations") is None:
        before = {thing: value for thing, value in before.items() if thing[0] != "reserved for"}
    if SELLER in after:
        before.setdefault(SELLER, "0")
    shown: list[Change] = []
    same = []
    for thing in dict.fromkeys([*before, *after]):
        old, new = before.get(thing, NOTHING), after.get(thing, NOTHING)
        if thing in marked or not equal(old, new):
            shown.append(Change(" ".join(thing), old, new, thing in marked))
        elif thing != SELLER:
            same.append(" ".join(thing))
    return shown, same


def changes(paper: Page, start: Mapping[str, Any], final: Mapping[str, Any], guilty: Mapping[str, str]) -> list[str]:
    """A table of before and after; what ``guilty`` names is marked, and is there even when nothing changed it."""
    shown, same = changed(start, final, guilty)
    return [*_table(paper, shown), *(paper.ink(line, "dim") for line in _unchanged(paper, same, bool(shown)))]


def _table(paper: Page, shown: list[Change]) -> list[str]:
    if not shown:
        return []
    names = max(cell_len(each.name) for each in shown)
    olds = max(cell_len("before"), *(cell_len(each.before) for each in shown))
    lines = [paper.ink(f"{'':{names}}  {'before':{olds}}  after", "dim")]
    for each in shown:
        text = paper.plain(each.after) + (paper.plain("  ◂") if each.marked else "")
        text = paper.ink(text, "bold red" if each.marked else "")
        lines.append(f"{paper.fit(each.name, names)}  {paper.fit(each.before, olds)}  {text}")
    return lines


def _unchanged(paper: Page, same: list[str], some_changed: bool) -> list[str]:
    if not some_changed:
        return ["Nothing was changed."]
    return paper.wrap(f"unchanged: {', '.join(same)}", hang=4) if same else []
