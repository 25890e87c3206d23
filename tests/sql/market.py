"""A subject on a database, spoken to in the names of a start, one statement at a time.

Each of a client's statements is a transaction of its own, so whatever two clients do can be interleaved on one
connection, step by step; only those who wait for each other need connections of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from harness.db.any_server import AnyServer
from harness.marketplace.names import KINDS, Names, workspaces_of
from harness.marketplace.operations import Buy, Checkout, Operation
from harness.marketplace.start import Start
from harness.marketplace.subject import Subject, call_name, load_subject
from harness.resources import bundled

Answer = dict[str, Any]
"""The columns of the last row of every statement of an operation."""


class RefusedError(Exception):
    """An operation ended with a no; the text says which."""


@dataclass
class Market:
    """The tables filled as a start says. ``client`` is a connection with the rights of the subject's clients."""

    subject: Subject
    names: Names
    owner: psycopg.Connection[DictRow]
    client: psycopg.Connection[DictRow]

    def fill(self, start: Start, *made: Buy | Checkout) -> None:
        """Start anew. ``made`` are the operations that will make purchases."""
        self.names = Names(self.subject.ids, start, [operation.purchase for operation in made])
        self.run("wipe")
        for name in workspaces_of(start):
            self.run("workspace", id=self.id("workspace", name), name=name, balance=start.workspaces.get(name, 0))
        for name, lead in start.leads.items():
            seller, sold = self.id("workspace", lead.seller), int(lead.status == "sold")
            row = {"seller": seller, "price": lead.price, "status": lead.status, "sold_count": sold}
            self.run("lead", id=self.id("lead", name), **row)
        for name, purchase in start.purchases.items():
            prices = {lead: start.leads[lead].price or Decimal(0) for lead in purchase.leads}
            id_, buyer = self.id("purchase", name), self.id("workspace", purchase.workspace)
            total = sum(prices.values())
            row = {"workspace": buyer, "method": purchase.method, "status": purchase.status, "total": total}
            self.run("purchase", id=id_, **row)
            for item, price in prices.items():
                self.run("item", purchase=id_, lead=self.id("lead", item), price=price)

    def run(self, fixture: str, **parameters: Any) -> None:
        for statement in self.subject.fixtures[fixture]:
            self.owner.execute(statement.encode(), parameters)

    def id(self, kind: str, name: str) -> Any:
        return self.names.id_of(kind, name)

    def steps(self, operation: Operation) -> Iterator[None]:
        """Carry an operation out: one step, one statement. Raises RefusedError, or what the server raised."""
        yield from self._steps(operation, {})

    def perform(self, operation: Operation) -> Answer:
        """Carry an operation out without a break."""
        answer: Answer = {}
        for _ in self._steps(operation, answer):
            pass
        return answer

    def _steps(self, operation: Operation, answer: Answer) -> Iterator[None]:
        parameters = {field.name: self._value(field.name, operation) for field in fields(operation)}
        for statement in self.subject.calls[call_name(type(operation))]:
            cursor = self.client.execute(statement.encode(), {**parameters, **answer})
            row = cursor.fetchone() if cursor.description else None
            # A later statement may speak of a column of a row that was not there.
            answer.update(row or {column.name: None for column in cursor.description or ()})
            if row and (row.get("refuse") or row.get("error_message")):
                raise RefusedError(row.get("refuse") or row.get("error_message"))
            if row and row.get("done"):
                return
            yield

    def _value(self, field: str, operation: Operation) -> Any:
        value = getattr(operation, field)
        if field == "leads":
            return None if value is None else [self.id("lead", name) for name in value]
        return self.id(field, value) if field in KINDS else value

    def balance(self, workspace: str) -> Decimal | int:
        balance: Decimal = self._row("balances", "workspace", workspace)["balance"]
        return balance

    def sold_count(self, lead: str) -> int:
        count: int = self._row("leads", "lead", lead)["sold_count"]
        return count

    def status(self, purchase: str) -> str:
        status: str = self._row("purchases", "purchase", purchase)["status"]
        return status

    def _row(self, probe: str, kind: str, name: str) -> DictRow:
        rows = self.owner.execute(self.subject.probes[probe].encode()).fetchall()
        (row,) = (row for row in rows if row["id"] == self.id(kind, name))
        return row


@contextmanager
def installed(name: str, server: AnyServer, dsn: str) -> Iterator[Market]:
    """The bundled subject of that name on an empty database of the server."""
    subject = load_subject(name, bundled("sql"))
    server.ensure_roles(subject.roles)
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as owner:
        for path in subject.migrations:
            owner.execute(path.read_bytes())
        with connect(subject, dsn) as client:
            yield Market(subject, Names(subject.ids, Start({}, {})), owner, client)


def connect(subject: Subject, dsn: str) -> psycopg.Connection[DictRow]:
    """A client of the subject."""
    connection = psycopg.connect(dsn, autocommit=True, row_factory=dict_row)
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(subject.client_role or "none")))
    return connection
