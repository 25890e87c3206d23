"""Probes: a subject's SELECTs as one query with one text for an answer, and the state that the text stands for."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from operator import itemgetter

from psycopg import ClientCursor, Connection, sql

from harness.marketplace.calls import exact
from harness.marketplace.names import Names
from harness.marketplace.start import LeadState, State
from harness.marketplace.subject import PROBES, Subject
from harness.words.errors import UsageError

Row = list[str | None]

_REMEMBERED_MAX = 20_000


class Probes:
    """Reads the state of a subject back in the names of a scenario."""

    def __init__(self, subject: Subject, names: Names) -> None:
        self._subject = subject
        self._names = names
        self._texts: dict[bytes, State] = {}
        self._states: dict[State, State] = {}

    def query(self, connection: Connection, probe: str) -> sql.Composed:
        """One probe as a SELECT of its columns as text: the probe's own order and types do not matter."""
        text = ClientCursor(connection).mogrify(self._subject.probes[probe].encode(), {})
        columns = sql.SQL(", ").join([sql.SQL("{}::text").format(sql.Identifier(name)) for name in PROBES[probe]])
        # A line of its own for the bracket: the probe may end in a comment.
        return sql.SQL("SELECT {} FROM ({}\n) AS probe").format(columns, _spelt(text))

    def query_of_all(self, connection: Connection) -> sql.Composed:
        """All the probes as one SELECT of one JSON text: a list of rows, or null, for each."""
        parts = []
        for probe in self._subject.probes:
            aliases = [sql.Identifier(f"c{number}") for number, _ in enumerate(PROBES[probe])]
            parts.append(
                sql.SQL("(SELECT pg_catalog.json_agg(pg_catalog.json_build_array({})) FROM ({}) AS part ({}))").format(
                    sql.SQL(", ").join(aliases), self.query(connection, probe), sql.SQL(", ").join(aliases)
                )
            )
        return sql.SQL("SELECT pg_catalog.json_build_array({})::text").format(sql.SQL(", ").join(parts))

    def state(self, text: bytes) -> State:
        """The state for an answer of ``query_of_all``. Equal states are one object: thousands of runs end in few."""
        known = self._texts.get(text)
        if known is None:
            if len(self._texts) >= _REMEMBERED_MAX:
                self._texts.clear()
            read = self._read(dict(zip(self._subject.probes, json.loads(text), strict=True)))
            known = self._texts[text] = self._states.setdefault(read, read)
        return known

    def _read(self, rows: dict[str, list[Row] | None]) -> State:
        name, amount = self._name, self._amount
        balances = self._amounts("balances", rows["balances"])
        leads = [
            (name(id_), LeadState(status or "", int(amount("leads", count))))
            for id_, status, count in rows["leads"] or ()
        ]
        purchases = self._statuses(rows["purchases"])
        items = self._grouped(rows["items"], [purchase for purchase, _ in purchases])
        ledger = charges = reservations = top_ups = keys = None
        if "ledger" in rows:
            ledger = self._amounts("ledger", rows["ledger"])
        if "charges" in rows:
            entries = [
                (name(purchase), name(workspace), amount("charges", charged))
                for purchase, workspace, charged in rows["charges"] or ()
            ]
            # By text: there is no order in which NaN has a place.
            charges = tuple(sorted(entries, key=lambda entry: (*entry[:2], str(entry[2]))))
        if "reservations" in rows:
            reservations = self._grouped(rows["reservations"])
        if "top_ups" in rows:
            top_ups = self._statuses(rows["top_ups"])
        if "keys" in rows:
            bound = ((name(workspace), name(key), status or "") for workspace, key, status in rows["keys"] or ())
            keys = tuple(sorted(bound))
        leads.sort(key=itemgetter(0))
        return State(balances, tuple(leads), purchases, items, ledger, charges, reservations, top_ups, keys)

    def _amounts(self, probe: str, rows: list[Row] | None) -> tuple[tuple[str, Decimal], ...]:
        read = [(self._name(id_), self._amount(probe, total)) for id_, total in rows or ()]
        return tuple(sorted(read, key=itemgetter(0)))

    def _statuses(self, rows: list[Row] | None) -> tuple[tuple[str, str], ...]:
        return tuple(sorted((self._name(id_), status or "") for id_, status in rows or ()))

    def _grouped(
        self, rows: list[Row] | None, purchases: Iterable[str] = ()
    ) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Purchase to its leads, both in order of name; none for a purchase that has no row."""
        leads: dict[str, list[str]] = defaultdict(list, {purchase: [] for purchase in purchases})
        for purchase, lead in rows or ():
            leads[self._name(purchase)].append(self._name(lead))
        return tuple((purchase, tuple(sorted(of_it))) for purchase, of_it in sorted(leads.items()))

    def _name(self, id_text: str | None) -> str:
        return "" if id_text is None else self._names.name_of(id_text)

    def _amount(self, probe: str, text: str | None) -> Decimal:
        if text is None:
            place = self._subject.file.place("probes", probe)
            raise UsageError("bad-probe", f"{place}: {probe} has a NULL for a number", expected="a number in every row")
        return exact(Decimal(text))


def _spelt(text: str) -> sql.Composed:
    """SQL that its subject wrote, as a part of ours."""
    return sql.Composed([sql.SQL(text)])
