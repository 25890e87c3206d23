"""The rows that a commit of the marketplace may write, in neutral words, and how logical decoding prints them.

A row is ``[word, kind, *values]``: what it is about, whether it was inserted, updated or deleted (``I``, ``U``, ``D``),
and its values after that, as text, in the order of ``TABLES``. NULL, and what a subject's table does not have, is the
empty text; text that is empty in the database is ``EMPTY``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from harness.words.errors import CouldNotRun

Row = list[str]

EMPTY = "\0"
"""No text in PostgreSQL has this character."""

TABLES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "workspace_credits": ("balance", ("workspace_id", "balance")),
    "leads": ("lead", ("id", "workspace_id", "price", "marketplace_status", "sold_count")),
    "marketplace_purchases": (
        "purchase",
        ("id", "workspace_id", "payment_method", "status", "total", "credit_balance_after"),
    ),
    "marketplace_purchase_items": ("item", ("purchase_id", "lead_id", "price")),
    "credit_purchases": ("top_up", ("id", "workspace_id", "amount", "status", "credit_balance_after")),
    "credit_ledger": ("entry", ("workspace_id", "kind", "amount", "purchase_id", "credit_purchase_id")),
    "lead_reservations": ("reservation", ("purchase_id", "lead_id", "expires_at")),
    "processed_webhook_events": ("event", ("event_id", "event_type", "purchase_id")),
    "api_idempotency_keys": ("key", ("workspace_id", "endpoint", "key", "status")),
}
"""Table to the word for its rows and the columns that are kept. What else a commit writes is of no account."""

# ``name[type]:value``, a name quoted if need be, a value unless it is a number or the like (test_decoding).
_COLUMN = re.compile(r""" ("(?:[^"]|"")*"|[^\[ ]+)\[(?:[^\[\]]|\[\])*\]:('(?:[^']|'')*'|[^ ]*)""")
_KINDS = {"INSERT": "I", "UPDATE": "U", "DELETE": "D"}


class Reader:
    """Reads what the plugin test_decoding prints for one change, for tables of these schemas."""

    def __init__(self, schemas: Sequence[str]) -> None:
        self._tables = {f"{schema}.{table}": known for schema in schemas for table, known in TABLES.items()}

    def rows(self, change: str) -> Iterator[Row]:
        """The rows of one change: none for a table that is of no account, two when a key was changed.

        Raises ``CouldNotRun`` for a TRUNCATE, which says nothing of the rows that it removes.
        """
        table, _, rest = change.removeprefix("table ").partition(": ")
        known = self._tables.get(table)
        if known is None:
            return
        verb, _, columns = rest.partition(":")
        if verb not in _KINDS:
            raise CouldNotRun(
                "journal-unreadable", f"a transaction did {verb} {table} while the load ran", remedy="do not do that"
            )
        if columns.startswith(" old-key:"):
            before, _, columns = columns.removeprefix(" old-key:").partition(" new-tuple:")
            if verb == "UPDATE" and self._key(known, before) != self._key(known, columns):
                yield self._row(known, "D", before)
        yield self._row(known, _KINDS[verb], columns)

    def _row(self, known: tuple[str, tuple[str, ...]], kind: str, columns: str) -> Row:
        word, names = known
        values = dict(_COLUMN.findall(columns))
        return [word, kind, *(_plain(values.get(name, "null")) for name in names)]

    def _key(self, known: tuple[str, tuple[str, ...]], columns: str) -> Row:
        return self._row(known, "", columns)[2 : 2 + _KEY_LENGTHS.get(known[0], 1)]


def settled(rows: Sequence[Row]) -> list[Row]:
    """What the rows of one transaction come to: of versions of one row the last, of one that went again none."""
    last: dict[tuple[str, ...], Row] = {}
    for row in rows:
        word, kind = row[0], row[1]
        identity = (word, *row[2 : 2 + _KEY_LENGTHS.get(word, 1)]) if word != "entry" else (word, str(len(last)))
        before = last.pop(identity, None)
        if before is not None and before[1] == "I" and kind == "D":
            continue
        if before is not None and kind != "D":
            row = [word, "I" if before[1] == "I" else "U", *row[2:]]
        last[identity] = row
    return list(last.values())


_KEY_LENGTHS = {"item": 2, "reservation": 2, "key": 3}


def _plain(printed: str) -> str:
    if printed == "null":
        return ""
    if printed.startswith("'"):
        return printed[1:-1].replace("''", "'") or EMPTY
    return printed
