"""A made-up load history of any length: what clients of a correct marketplace would see, and faults to plant in it.

It shares no code with the check: plain dictionaries, one operation after the other, each with an interval around the
moment at which it took effect, some thirty at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from typing import Any

from harness.load.journal import Commit, JournalWriter
from harness.load.rows import TABLES
from harness.load.sample import Sample, SampleWriter

STEP_S = 0.0001
"""From one operation to the next."""
SPREAD_S = 0.0016
"""How long before its moment an operation was invoked at most, and how long after it it returned."""
WORKSPACES = 200
FILES = 4

PLANTED = {
    "double sale": "sold-once",
    "lost acknowledgement": "no-lost-acknowledgement",
    "double charge": "charged-once",
    "unjustified refusal": "no-false-conflict",
    "stale read": "serializable",
    "real-time inversion": "serializable",
    "webhook applied twice": "webhook-idempotent",
    "balance off by a cent": "conservation",
    "told a cent less": "serializable",
    "nobody asked": "serializable",
    "refused and committed": "no-lost-acknowledgement",
    "two purchases for one key": "charged-once",
    "busy without a cause": "no-false-conflict",
}
"""Fault to the property that names it."""

Row = tuple[str | None, ...]


def id_of(kind: int, number: int) -> str:
    """An id as PostgreSQL would print it."""
    return f"{kind:08x}-0000-4000-8000-{number:012x}"


@dataclass
class Bought:
    """A purchase: of whom, which leads at which total, and where it stands."""

    workspace: str
    leads: tuple[str, ...]
    total: Decimal
    status: str
    balance: Decimal | None = None
    key: str = ""


@dataclass
class Market:
    """Everything, in dictionaries."""

    balances: dict[str, Decimal] = field(default_factory=dict)
    prices: dict[str, Decimal] = field(default_factory=dict)
    sold: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    purchases: dict[str, Bought] = field(default_factory=dict)
    top_ups: dict[str, tuple[str, Decimal]] = field(default_factory=dict)


class Maker:
    """Makes one history. ``faults`` are names of ``PLANTED``, put in about the middle, a little apart."""

    def __init__(self, folder: Path, operations: int, *, seed: int = 0, faults: tuple[str, ...] = ()) -> None:
        self.paths = [folder / f"{number}.jsonl" for number in range(FILES)]
        self.journal = folder / "journal"
        self.planted: dict[str, str] = {}
        """Fault to the purchase, event or client that shows it."""
        self._random = Random(seed)
        self._operations = operations
        self._faults = dict(zip(range(operations // 2, operations, max(1, operations // 40)), faults, strict=False))
        self._market = Market()
        self._free: list[tuple[float, int]] = []
        self._clients = 0
        self._commits = 0
        self._fresh = 0
        self._moment = 1.0
        self._open: list[str] = []
        """Stripe purchases that are not paid."""
        self._waiting: list[str] = []
        """Top-ups that are not paid."""
        self._done: list[str] = []
        self._delivered: list[tuple[str, str, str]] = []

    def make(self) -> None:
        """Write the files."""
        words = [word for word, _ in TABLES.values()]
        writers = [SampleWriter(path) for path in self.paths]
        with JournalWriter(self.journal, words) as journal:
            journal.start(_texts(self._start()))
            for number in range(self._operations):
                self._moment += STEP_S
                for rows in self._step(writers[number % FILES], self._faults.get(number)):
                    self._commits += 1
                    journal.write(Commit(self._commits * 100, self._commits, self._moment, _texts(rows)))
            journal.finish()
        for writer in writers:
            writer.close()

    def _start(self) -> Iterator[Row]:
        for number in range(WORKSPACES):
            name = id_of(1, number)
            # The last ones are poor, so that some are refused for it.
            self._market.balances[name] = balance = Decimal("1000000.00" if number < WORKSPACES - 5 else "3.00")
            yield "balance", "I", name, str(balance)
            yield "entry", "I", name, "opening", str(balance), None, None
        for number in range(self._operations + 10):
            name, price = id_of(2, number), Decimal(number % 5 + 1) + Decimal("0.50")
            self._market.prices[name] = price
            yield "lead", "I", name, id_of(9, 1), str(price), "available", "0"

    def _step(self, writer: SampleWriter, fault: str | None) -> Iterator[list[Row]]:
        if fault is not None:
            yield from getattr(self, "_" + fault.replace(" ", "_").replace("-", "_"))(writer, fault)
            return
        kind = self._random.choices(
            (
                "buy",
                "loser",
                "checkout",
                "paid",
                "expired",
                "delivered again",
                "top up",
                "credited",
                "read",
                "replay",
                "lost",
            ),
            (40, 12, 8, 6, 1, 6, 4, 4, 8, 3, 2),
        )[0]
        yield from getattr(self, "_" + kind.replace(" ", "_"))(writer)

    # What happens.

    def _buy(self, writer: SampleWriter, **told: Any) -> Iterator[list[Row]]:
        workspace = self._workspace()
        leads = self._leads(self._random.choice((1, 1, 1, 2)))
        total = sum((self._market.prices[lead] for lead in leads), Decimal(0))
        key = id_of(7, self._next())
        if self._market.balances[workspace] < total:
            available = str(self._market.balances[workspace])
            self._say(
                writer,
                "buy",
                status="refused",
                code="insufficient_credits",
                answer={"required": str(total), "available": available},
                workspace=workspace,
                leads=leads,
                key=key,
            )
            return
        name, rows, answer = self._purchase(workspace, leads, key)
        fields = {"answer": answer, "purchase": name, **told}
        self._say(writer, "buy", workspace=workspace, leads=leads, key=key, **fields)
        yield rows

    def _loser(self, writer: SampleWriter) -> Iterator[list[Row]]:
        """Comes too late for a lead, sold or held, or finds another at it."""
        if not self._done:
            return
        leads = self._market.purchases[self._random.choice(self._done[-50:])].leads
        code = "lead_sold" if leads[0] in self._market.sold else "lead_reserved"
        self._say(
            writer,
            "buy",
            status="refused",
            code=code,
            workspace=id_of(1, WORKSPACES - 1),
            leads=leads,
            key=id_of(7, self._next()),
        )
        yield from ()

    def _checkout(self, writer: SampleWriter) -> Iterator[list[Row]]:
        workspace, leads, name = self._workspace(), self._leads(1), id_of(3, self._next())
        total = self._market.prices[leads[0]]
        key = id_of(7, self._next())
        self._market.purchases[name] = Bought(workspace, leads, total, "pending", key=key)
        self._market.held.update(leads)
        self._open.append(name)
        self._say(
            writer,
            "checkout",
            workspace=workspace,
            leads=leads,
            purchase=name,
            key=key,
            answer={"purchase": name, "total": str(total), "replayed": False},
        )
        yield [
            ("purchase", "I", name, workspace, "stripe", "pending", str(total), None),
            ("item", "I", name, leads[0], str(total)),
            ("reservation", "I", name, leads[0], "2999-01-01 00:00:00+00"),
            ("lead", "U", leads[0], id_of(9, 1), str(total), "available", "0"),
            ("key", "I", workspace, "/api/marketplace/purchase", key, "completed"),
        ]

    def _paid(self, writer: SampleWriter) -> Iterator[list[Row]]:
        yield from self._end(writer, "checkout.session.completed", "completed")

    def _expired(self, writer: SampleWriter) -> Iterator[list[Row]]:
        yield from self._end(writer, "checkout.session.expired", "cancelled")

    def _end(self, writer: SampleWriter, kind: str, status: str) -> Iterator[list[Row]]:
        if not self._open:
            return
        name = self._open.pop(self._random.randrange(len(self._open)))
        bought = self._market.purchases[name]
        bought.status = status
        (lead,) = bought.leads
        self._market.held.discard(lead)
        event = f"evt_{self._next()}"
        rows: list[Row] = [("event", "I", event, kind, name), ("reservation", "D", name, lead, None)]
        if status == "completed":
            self._market.sold.add(lead)
            rows.append(("lead", "U", lead, id_of(9, 1), str(bought.total), "sold", "1"))
            self._done.append(name)
        rows.append(("purchase", "U", name, bought.workspace, "stripe", status, str(bought.total), None))
        self._delivered.append((event, kind, name))
        self._say(writer, "deliver", event=event, kind=kind, purchase=name, answer={"already_completed": False})
        yield rows

    def _delivered_again(self, writer: SampleWriter) -> Iterator[list[Row]]:
        if self._delivered:
            event, kind, name = self._random.choice(self._delivered[-1000:])
            self._say(writer, "deliver", event=event, kind=kind, purchase=name, answer={"already_completed": True})
        yield from ()

    def _top_up(self, writer: SampleWriter) -> Iterator[list[Row]]:
        workspace, name, key = self._workspace(), id_of(4, self._next()), id_of(7, self._next())
        self._market.top_ups[name] = workspace, Decimal("50.00")
        self._waiting.append(name)
        self._say(
            writer,
            "buy_credits",
            workspace=workspace,
            purchase=name,
            key=key,
            amount="50.00",
            answer={"purchase": name, "replayed": False},
        )
        yield [
            ("top_up", "I", name, workspace, "50.00", "pending", None),
            ("key", "I", workspace, "/api/credits/purchase", key, "completed"),
        ]

    def _credited(self, writer: SampleWriter) -> Iterator[list[Row]]:
        if not self._waiting:
            return
        name = self._waiting.pop(0)
        event = f"evt_{self._next()}"
        self._delivered.append((event, "checkout.session.completed", name))
        self._say(
            writer,
            "deliver",
            event=event,
            kind="checkout.session.completed",
            purchase=name,
            answer={"already_completed": False},
        )
        yield [("event", "I", event, "checkout.session.completed", name), *self._credit(name)]

    def _read(self, writer: SampleWriter) -> Iterator[list[Row]]:
        if self._market.purchases:
            name = self._random.choice([*self._done[-20:], *self._open[-5:]] or [next(iter(self._market.purchases))])
            bought = self._market.purchases[name]
            self._say(
                writer,
                "read",
                purchase=name,
                workspace=bought.workspace,
                answer={"purchase": name, "status": bought.status, "total": str(bought.total)},
            )
        yield from ()

    def _replay(self, writer: SampleWriter) -> Iterator[list[Row]]:
        """The same request again, with its key: the first answer."""
        if self._done:
            name = self._random.choice(self._done[-100:])
            bought = self._market.purchases[name]
            if bought.key:
                answer = {"purchase": name, "total": str(bought.total), "replayed": True}
                if bought.balance is not None:
                    answer["balance"] = str(bought.balance)
                self._say(
                    writer,
                    "buy",
                    workspace=bought.workspace,
                    leads=bought.leads,
                    key=bought.key,
                    purchase=name,
                    answer=answer,
                )
        yield from ()

    def _lost(self, writer: SampleWriter) -> Iterator[list[Row]]:
        """The answer never came. Half of them were committed."""
        if self._random.random() < 0.5:
            yield from self._buy(writer, status="unknown", returned=None, answer=None, purchase=None)
            return
        self._say(
            writer,
            "buy",
            status="unknown",
            returned=None,
            workspace=self._workspace(),
            leads=self._leads(1),
            key=id_of(7, self._next()),
        )

    # What must not happen.

    def _double_sale(self, writer: SampleWriter, fault: str) -> Iterator[list[Row]]:
        leads = self._market.purchases[self._done[-200]].leads
        yield self._sale(writer, fault, leads, sold_count=2)

    def _lost_acknowledgement(self, writer: SampleWriter, fault: str) -> Iterator[list[Row]]:
        before = dict(self._market.balances)
        self._sale(writer, fault, self._leads(1))
        self._market.balances = before
        self._done.pop()
        yield from ()

    def _double_charge(self, _writer: SampleWriter, fault: str) -> Iterator[list[Row]]:
        name = next(each for each in reversed(self._done[:-200]) if self._market.purchases[each].balance is not None)
        bought = self._market.purchases[name]
        self._market.balances[bought.workspace] -= bought.total
        self.planted[fault] = name
        yield [
            ("balance", "U", bought.workspace, str(self._market.balances[bought.workspace])),
            ("entry", "I", bought.workspace, "purchase", str(-bought.total), name, None),
        ]

    def _unjustified_refusal(self, writer: SampleWriter, fault: str) -> Iterator[list[Row]]:
        key = self.planted[fault] = id_of(7, self._next())
        self._say(
            writer,
            "buy",
            status="refused",
            code="lead_sold",
            workspace=self._workspace(),
            leads=self._leads(1),
            key=key,
        )
        yield from ()

    def _stale_read(self, writer: SampleWriter, fault: str) -> Iterator[list[Row]]:
        name = next(each for each in reversed(self._done[:-200]) if self._market.purchases[each].balance is None)
        self.planted[fault] = name
        bought = self._market.purchases[name]
        self._say(writer, "read", purchase=name, workspace=bought.workspace, answer={"status": "pending"})
        yield from ()

    def _real_time_inversion(self, writer: SampleWriter, fault: str) -> Iterator[list[Row]]:
        yield self._sale(writer, fault, self._leads(1), earlier_s=0.01)

    def _webhook_applied_twice(self, writer: SampleWriter, fault: str) -> Iterator[list[Row]]:
        event, kind, name = next(each for each in reversed(self._delivered[:-50]) if each[2] in self._market.top_ups)
        self.planted[fault] = event
        self._say(writer, "deliver", event=event, kind=kind, purchase=name, answer={"already_completed": False})
        yield self._credit(name)

    def _balance_off_by_a_cent(self, writer: SampleWriter, fault: str) -> Iterator[list[Row]]:
        yield self._sale(writer, fault, self._leads(1), short=Decimal("0.01"))

    def _told_a_cent_less(self, writer: SampleWriter, fault: str) -> Iterator[list[Row]]:
        yield self._sale(writer, fault, self._leads(1), told=Decimal("0.01"))

    def _nobody_asked(self, _writer: SampleWriter, fault: str) -> Iterator[list[Row]]:
        workspace, name = id_of(1, 1), id_of(4, self._next())
        self.planted[fault] = name
        yield [("top_up", "I", name, workspace, "50.00", "pending", None)]

    def _refused_and_committed(self, writer: SampleWriter, fault: str) -> Iterator[list[Row]]:
        yield self._sale(writer, fault, self._leads(1), status="refused", code="insufficient_credits", answer=None)

    def _two_purchases_for_one_key(self, writer: SampleWriter, fault: str) -> Iterator[list[Row]]:
        rows = self._sale(writer, fault, self._leads(1))
        yield rows
        first = self._market.purchases[self.planted[fault]]
        _, more, _ = self._purchase(first.workspace, self._leads(1), first.key)
        yield more

    def _busy_without_a_cause(self, writer: SampleWriter, fault: str) -> Iterator[list[Row]]:
        key = self.planted[fault] = id_of(7, self._next())
        self._say(
            writer, "buy", status="busy", code="lead_busy", workspace=self._workspace(), leads=self._leads(1), key=key
        )
        yield from ()

    # The parts of it.

    def _sale(
        self,
        writer: SampleWriter,
        fault: str,
        leads: tuple[str, ...],
        *,
        sold_count: int = 1,
        short: Decimal = Decimal(0),
        told: Decimal = Decimal(0),
        earlier_s: float = 0.0,
        **fields: Any,
    ) -> list[Row]:
        # A busy workspace, so that others overlap.
        workspace, key = id_of(1, 0), id_of(7, self._next())
        name, rows, answer = self._purchase(workspace, leads, key, sold_count=sold_count, short=short)
        self.planted[fault] = name
        answer["balance"] = str(Decimal(answer["balance"]) - told)
        fields = {"answer": answer, **fields}
        self._say(
            writer, "buy", workspace=workspace, leads=leads, purchase=name, key=key, earlier_s=earlier_s, **fields
        )
        return rows

    def _purchase(
        self, workspace: str, leads: tuple[str, ...], key: str, *, sold_count: int = 1, short: Decimal = Decimal(0)
    ) -> tuple[str, list[Row], dict[str, Any]]:
        name = id_of(3, self._next())
        total = sum((self._market.prices[lead] for lead in leads), Decimal(0))
        self._market.balances[workspace] -= total + short
        balance = self._market.balances[workspace]
        self._market.sold.update(leads)
        self._market.purchases[name] = Bought(workspace, leads, total, "completed", balance, key)
        self._done.append(name)
        rows: list[Row] = [
            ("purchase", "I", name, workspace, "credits", "completed", str(total), str(balance)),
            *(("item", "I", name, lead, str(self._market.prices[lead])) for lead in leads),
            ("balance", "U", workspace, str(balance)),
            ("entry", "I", workspace, "purchase", str(-total), name, None),
            *(
                ("lead", "U", lead, id_of(9, 1), str(self._market.prices[lead]), "sold", str(sold_count))
                for lead in leads
            ),
            ("key", "I", workspace, "/api/marketplace/purchase", key, "completed"),
        ]
        return name, rows, {"purchase": name, "total": str(total), "balance": str(balance), "replayed": False}

    def _credit(self, name: str) -> list[Row]:
        workspace, amount = self._market.top_ups[name]
        self._market.balances[workspace] += amount
        balance = str(self._market.balances[workspace])
        return [
            ("balance", "U", workspace, balance),
            ("entry", "I", workspace, "top_up", str(amount), None, name),
            ("top_up", "U", name, workspace, str(amount), "completed", balance),
        ]

    def _workspace(self) -> str:
        if self._random.random() < 0.1:
            return id_of(1, 0)
        return id_of(1, self._random.randrange(WORKSPACES))

    def _leads(self, count: int) -> tuple[str, ...]:
        """Leads that nobody has asked for."""
        chosen = tuple(id_of(2, self._fresh + number) for number in range(count))
        self._fresh += count
        return chosen

    def _next(self) -> int:
        self._number = getattr(self, "_number", 0) + 1
        return self._number

    def _say(
        self, writer: SampleWriter, operation: str, *, status: str = "ok", earlier_s: float = 0.0, **fields: Any
    ) -> None:
        moment = self._moment - earlier_s
        invoked = moment - self._random.random() * SPREAD_S
        returned: float | None = moment + self._random.random() * SPREAD_S
        if self._free and self._free[0][0] < invoked:
            _, client = heappop(self._free)
        else:
            client = self._clients = self._clients + 1
        if "returned" in fields:
            returned = fields.pop("returned")
        else:
            heappush(self._free, (moment + SPREAD_S, client))
        writer.write(Sample(f"c{client}", operation, invoked, invoked, returned, status, **fields))


def _texts(rows: Iterable[Row]) -> list[list[str]]:
    """As a journal has them."""
    return [["" if value is None else value for value in row] for row in rows]
