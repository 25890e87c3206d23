"""What a run changed: the state before and after, one line for each thing that is another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.report.page import Page


def changes(paper: Page, start: Mapping[str, Any], final: Mapping[str, Any], guilty: Mapping[str, str]) -> list[str]:
    """A table of before and after. Rows of ``guilty`` names are marked, and shown also when nothing changed there."""
    names = {name for value in guilty.values() for name in value.replace(",", " ").split()}
    before, after = _before(start), _after(final)
    things = list(dict.fromkeys([*before, *after]))
    shown = [
        (thing, before.get(thing, "-"), after.get(thing, "-"))
        for thing in things
        if after.get(thing, "-") != before.get(thing, "-") or thing[1] in names
    ]
    same = [" ".join(thing) for thing in things if thing not in {each[0] for each in shown}]
    if not shown:
        return ["Nothing was changed."]
    rows = [(" ".join(thing), old, new, thing[1] in names) for thing, old, new in shown]
    first = max(len(row[0]) for row in rows)
    second = max(len("before"), *(len(row[1]) for row in rows))
    lines = [paper.ink(f"{'':{first}}  {'before':{second}}  after", "dim")]
    for thing, old, new, marked in rows:
        mark = "  " + paper.plain("◂") if marked else ""
        lines.append(f"{thing:{first}}  {old:{second}}  {paper.ink(new + mark, 'red' if marked else '')}")
    if same:
        lines += [paper.ink(line, "dim") for line in paper.wrap(f"unchanged: {', '.join(same)}", hang=4)]
    return lines


Thing = tuple[str, str]
"""A kind and a name: ``("lead", "L1")``."""


def _before(start: Mapping[str, Any]) -> dict[Thing, str]:
    told: dict[Thing, str] = {}
    for name, amount in _pairs(start.get("workspaces")):
        told["balance", name] = str(amount)
    told.setdefault(("balance", "seller"), "0")
    for name, lead in _pairs(start.get("leads")):
        told["lead", name] = _lead(lead["status"], int(lead["status"] == "sold"))
    for name, purchase in _pairs(start.get("purchases")):
        told["purchase", name] = str(purchase["status"])
    for name, _ in _pairs(start.get("top_ups")):
        told["top-up", name] = "pending"
    return told


def _after(final: Mapping[str, Any]) -> dict[Thing, str]:
    told: dict[Thing, str] = {}
    for name, amount in _pairs(final.get("balances")):
        told["balance", name] = str(amount)
    for name, lead in _pairs(final.get("leads")):
        told["lead", name] = _lead(lead["status"], lead["sold_count"])
    for name, status in _pairs(final.get("purchases")):
        told["purchase", name] = str(status)
    for name, status in _pairs(final.get("top_ups")):
        told["top-up", name] = str(status)
    for purchase, workspace, amount in final.get("charges") or []:
        key = ("charged for", purchase)
        told[key] = ", ".join(filter(None, [told.get(key), f"{workspace} {amount}"]))
    return told


def _lead(status: str, sold_count: int) -> str:
    return f"sold x {sold_count}" if sold_count > 1 or (status == "sold" and sold_count != 1) else status


def _pairs(part: Any) -> list[tuple[str, Any]]:
    return list(part.items()) if isinstance(part, Mapping) else []
