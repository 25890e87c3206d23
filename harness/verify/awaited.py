"""The lock that somebody waits for, in the names of a scenario: ``lead L1``, ``balance A``."""

from __future__ import annotations

from typing import Any

from pglast.parser import ParseError
from pglast.visitors import referenced_relations

from harness.db.observer import Awaited
from harness.marketplace.names import Names
from harness.marketplace.subject import Subject

_PROBED = {
    **{"lead": "leads", "purchase": "purchases", "top_up": "top_ups", "workspace": "balances"},
    **{"key": "keys", "reservation": "reservations"},
}
"""Kind of thing to the probe whose table has a row for each."""

_WORDS = {"lead": "lead", "purchase": "purchase", "top_up": "top-up", "workspace": "balance"}
"""As ``harness.words.things`` calls them."""


class RowNames:
    """What the rows of a subject's tables are to a scenario."""

    def __init__(self, subject: Subject, names: Names) -> None:
        self.names = names
        self._tables = {kind: _relations(subject.probes.get(probe, "")) for kind, probe in _PROBED.items()}

    def tables(self, word: str) -> set[str]:
        """The tables, without their schemas, whose rows are things of this kind, in the words of ``things``."""
        kind = {**{told: kind for kind, told in _WORDS.items()}, "reserved for": "reservation"}.get(word, word)
        return {table.rpartition(".")[2] for table in self._tables.get(kind, ())}

    def told(self, awaited: Awaited) -> dict[str, Any]:
        """As a run document has it. ``name`` only for a row that the subject's probes read as that thing."""
        row, key = awaited.row, awaited.key
        pairs = [(column, str(row[column])) for column in key] if row is not None else []
        name = self._name(awaited.table, pairs[0][1]) if len(pairs) == 1 else None
        bare = awaited.table.removeprefix("public.") or None
        return {
            "lock": "row" if awaited.kind == "tuple" else awaited.kind,
            "mode": awaited.mode,
            "table": bare,
            "name": name,
            "key": ", ".join(f"{column} = {self.names.name_of(value)}" for column, value in pairs) or None,
        }

    def _name(self, table: str, id_text: str) -> str | None:
        known = self.names.thing_of(id_text)
        if known is None or known[0] not in _WORDS:
            return None
        tables = self._tables[known[0]]
        return f"{_WORDS[known[0]]} {known[1]}" if {table, table.rpartition(".")[2]} & tables else None


def _relations(query: str) -> set[str]:
    """The tables that a query reads; none of one that cannot be parsed."""
    try:
        return set(referenced_relations(query.replace("%%", "%"))) if query else set()
    except ParseError:
        return set()
