"""Fixtures: the statements that put a scenario's start into a subject's tables, and the function that runs them all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg import ClientCursor, Connection, sql

from harness.marketplace.names import Names, workspaces_of
from harness.marketplace.start import Start
from harness.marketplace.subject import Subject


@dataclass(frozen=True, slots=True)
class Filling:
    """One statement of a fixture, its values written out; ``about`` is the name of the thing that it makes."""

    fixture: str
    about: str
    text: str

    @property
    def only_inserts(self) -> bool:
        return re.match(r"\s*INSERT\b(?!.*\bUPDATE\b)", self.text, re.IGNORECASE | re.DOTALL) is not None


def wiping(subject: Subject, connection: Connection) -> list[Filling]:
    """The statements that empty the subject's tables."""
    return [*_spell(subject, connection, "wipe", "", {})]


def filling(subject: Subject, names: Names, start: Start, connection: Connection) -> list[Filling]:
    """The statements that make everything that a start declares; those that need others come after them."""
    return [
        spelt
        for fixture, about, parameters in _rows(names, start)
        for spelt in _spell(subject, connection, fixture, about, parameters)
    ]


def adding(subject: Subject, names: Names, before: Start, after: Start, connection: Connection) -> list[Filling]:
    """The statements that make what ``after`` declares and ``before`` does not, where ``before`` is there already."""
    there = {(fixture, about) for fixture, about, _ in _rows(names, before)}
    return [
        spelt
        for fixture, about, parameters in _rows(names, after)
        if (fixture, about) not in there
        for spelt in _spell(subject, connection, fixture, about, parameters)
    ]


def function_body(statements: Iterable[Filling]) -> str:
    """PL/pgSQL that carries the statements out, so that the server plans each of them once."""
    return "\n".join(["#variable_conflict use_column", "BEGIN", *map(_step, statements), "END"])


def _step(statement: Filling) -> str:
    text = statement.text.strip().rstrip(";")
    plain = re.match(r"(INSERT|UPDATE|DELETE)\b", text, re.IGNORECASE) and not re.search(r"\bRETURNING\b", text, re.I)
    # PL/pgSQL wants to know where rows go, but for EXECUTE, which lets them go.
    return f"{text}\n;" if plain else f"EXECUTE {sql.Literal(text).as_string()};"


def _spell(
    subject: Subject, connection: Connection, fixture: str, about: str, parameters: dict[str, Any]
) -> Iterator[Filling]:
    cursor = ClientCursor(connection)
    for statement in subject.fixtures[fixture]:
        yield Filling(fixture, about, cursor.mogrify(statement.encode(), parameters))


def _rows(names: Names, start: Start) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(fixture, what it is about, its parameters) for everything that a start declares."""
    for name in workspaces_of(start):
        balance = start.workspaces.get(name, Decimal(0))
        yield "workspace", name, {"id": names.id_of("workspace", name), "name": name, "balance": balance}
    for name, lead in start.leads.items():
        yield (
            "lead",
            name,
            {
                "id": names.id_of("lead", name),
                "seller": names.id_of("workspace", lead.seller),
                "price": lead.price,
                "status": lead.status,
                "sold_count": int(lead.status == "sold"),
            },
        )
    for name, purchase in start.purchases.items():
        own, workspace = names.id_of("purchase", name), names.id_of("workspace", purchase.workspace)
        items = [(names.id_of("lead", item), start.leads[item].price or Decimal(0)) for item in purchase.leads]
        row = {"id": own, "workspace": workspace, "method": purchase.method, "status": purchase.status}
        yield "purchase", name, {**row, "total": sum((price for _, price in items), Decimal(0))}
        for item_id, price in items:
            yield "item", name, {"purchase": own, "lead": item_id, "price": price}
        for item_id, _ in items if purchase.reserved else ():
            expired = purchase.reserved == "expired"
            yield "reservation", name, {"purchase": own, "lead": item_id, "workspace": workspace, "expired": expired}
    for name, top_up in start.top_ups.items():
        workspace = names.id_of("workspace", top_up.workspace)
        yield "top_up", name, {"id": names.id_of("top_up", name), "workspace": workspace, "amount": top_up.amount}
