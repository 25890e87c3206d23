"""What a run changed: the state before and after, a line for each thing that is another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from rich.cells import cell_len

from harness.report.page import Page

Thing = tuple[str, str]
"""A kind and a name: ``("lead", "L1")``."""

SELLER: Thing = ("balance", "seller")
"""Of the workspace that every start has."""

NOTHING = "-"
"""Before a thing was there, or after it was gone."""

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
    before, after = dict(_before(start)), dict(_after(final))
    if final.get("reservations") is None:
        before = {thing: value for thing, value in before.items() if thing[0] != "reserved for"}
    if SELLER in after:
        before.setdefault(SELLER, "0")
    shown: list[Change] = []
    same = []
    for thing in dict.fromkeys([*before, *after]):
        old, new = before.get(thing, NOTHING), after.get(thing, NOTHING)
        if thing in marked or not _equal(old, new):
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


def _rows(state: Mapping[str, Any]) -> Iterator[tuple[Thing, str]]:
    """Of a state that is no marketplace's: each row by its name."""
    for name, cells in _items(state, "rows"):
        kind, _, rest = name.partition(" ")
        yield (kind, rest), str(cells)


def _before(start: Mapping[str, Any]) -> Iterator[tuple[Thing, str]]:
    yield from _rows(start)
    for name, amount in _items(start, "workspaces"):
        yield ("balance", name), str(amount)
    for name, lead in _items(start, "leads"):
        yield ("lead", name), _lead(lead["status"], int(lead["status"] == "sold"))
    for name, purchase in _items(start, "purchases"):
        yield ("purchase", name), str(purchase["status"])
        if purchase.get("reserved") == "held":
            yield ("reserved for", name), " ".join(purchase["leads"])
    for name, _ in _items(start, "top_ups"):
        yield ("top-up", name), "pending"


def _after(final: Mapping[str, Any]) -> Iterator[tuple[Thing, str]]:
    yield from _rows(final)
    for name, amount in _items(final, "balances"):
        yield ("balance", name), str(amount)
    for name, lead in _items(final, "leads"):
        yield ("lead", name), _lead(lead["status"], lead["sold_count"])
    for name, status in _items(final, "purchases"):
        yield ("purchase", name), str(status)
    for name, status in _items(final, "top_ups"):
        yield ("top-up", name), str(status)
    for name, leads in _items(final, "reservations"):
        if leads:
            yield ("reserved for", name), " ".join(leads)
    for workspace, key, status in final.get("keys") or []:
        yield ("key", f"{key} of {workspace}"), str(status)
    charges: dict[str, list[str]] = {}
    for purchase, workspace, amount in final.get("charges") or []:
        charges.setdefault(purchase, []).append(f"{workspace} {amount}")
    for purchase, paid in charges.items():
        yield ("charged for", purchase), ", ".join(paid)
    balances = dict(_items(final, "balances"))
    for name, amount in _items(final, "ledger"):
        if not _equal(str(amount), str(balances.get(name, amount))):
            yield ("ledger of", name), str(amount)


def _lead(status: str, sold_count: int) -> str:
    return status if sold_count == (status == "sold") else f"{status}, sold_count {sold_count}"


def _items(state: Mapping[str, Any], part: str) -> list[tuple[str, Any]]:
    """The entries of a part; an empty one is ``[]`` in the document, one that was not probed ``null``."""
    found = state.get(part)
    return list(found.items()) if isinstance(found, Mapping) else []


def _equal(old: str, new: str) -> bool:
    """The same word, or the same amount: ``50`` is ``50.00``."""
    try:
        return Decimal(old) == Decimal(new)
    except InvalidOperation:
        return old == new
