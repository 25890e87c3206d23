"""The things of a state in words: each with a kind and a name, and how it stands, on one line.

Whoever runs says by them what a step has committed, and a report what a run has changed: in the same words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

Thing = tuple[str, str]
"""A kind and a name: ``("lead", "L1")``."""

NOTHING = "-"
"""Before a thing was there, or after it was gone."""


def things_at_first(start: Mapping[str, Any]) -> dict[Thing, str]:
    """Those of the start of a scenario, as a run document has it (``story.start``)."""
    return dict(_at_first(start))


def things_in(state: Mapping[str, Any]) -> dict[Thing, str]:
    """Those of a state that was read back, as a run document has it (``story.final``)."""
    return dict(_read_back(state))


def equal(old: str, new: str) -> bool:
    """The same word, or the same amount: ``50`` is ``50.00``."""
    try:
        return Decimal(old) == Decimal(new)
    except InvalidOperation:
        return old == new


def _rows(state: Mapping[str, Any]) -> Iterator[tuple[Thing, str]]:
    """Of a state that is no marketplace's: each row by its name."""
    for name, cells in _items(state, "rows"):
        kind, _, rest = name.partition(" ")
        yield (kind, rest), str(cells)


def _at_first(start: Mapping[str, Any]) -> Iterator[tuple[Thing, str]]:
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


def _read_back(final: Mapping[str, Any]) -> Iterator[tuple[Thing, str]]:
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
        if not equal(str(amount), str(balances.get(name, amount))):
            yield ("ledger of", name), str(amount)


def _lead(status: str, sold_count: int) -> str:
    return status if sold_count == (status == "sold") else f"{status}, sold_count {sold_count}"


def _items(state: Mapping[str, Any], part: str) -> list[tuple[str, Any]]:
    """The entries of a part; an empty one is ``[]`` in the document, one that was not probed ``null``."""
    found = state.get(part)
    return list(found.items()) if isinstance(found, Mapping) else []
