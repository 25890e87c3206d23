"""Names and ids: scenarios speak of ``A``, ``L1`` and ``p``, a database of keys.

Ids are the same in every run and on every machine, and in the order in which their names were declared, so that an
``ORDER BY id`` in a subject means the same thing to a reader of the scenario.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from itertools import chain
from uuid import UUID

from psycopg.types.numeric import Int8

from harness.marketplace.start import Start

SELLER = "seller"
"""The workspace that is always there."""

NOWHERE = "nowhere"
"""The purchase that nobody ever makes."""

IDS = ("uuid", "bigint")
"""The types of key that a subject may have."""

KINDS = ("workspace", "lead", "purchase", "top_up", "key")

Id = UUID | Int8


def workspaces_of(start: Start) -> tuple[str, ...]:
    """Every workspace that must be there: the seller, those that the start names, and whoever else sells a lead."""
    return tuple(dict.fromkeys(chain([SELLER], start.workspaces, (lead.seller for lead in start.leads.values()))))


class Names:
    """The ids of everything that a scenario names, and the way back.

    ``ids`` is one of ``IDS``. ``purchases_made`` are the purchases that the scenario's operations create. A name that
    nobody declared has an id, too, which exists nowhere in the database and sorts after all the others.
    """

    def __init__(self, ids: str, start: Start, purchases_made: Iterable[str] = ()) -> None:
        self.start = start
        self._integer = ids == "bigint"
        self._ids: dict[tuple[str, str], Id] = {}
        self._things: dict[str, tuple[str, str]] = {}
        declared: dict[str, Iterable[str]] = {
            "workspace": workspaces_of(start),
            "lead": start.leads,
            "purchase": dict.fromkeys(chain(start.purchases, purchases_made)),
            "top_up": start.top_ups,
        }
        for kind, names in declared.items():
            for number, name in enumerate(names, 1):
                self._remember(kind, name, number)

    def id_of(self, kind: str, name: str) -> Id:
        """The id of the thing of this kind (one of ``KINDS``) that a scenario calls ``name``."""
        known = self._ids.get((kind, name))
        if known is not None:
            return known
        digest = int(hashlib.sha256(f"{kind}:{name}".encode()).hexdigest()[:11], 16)
        # Beyond every number that is given out in order, and still within four bytes.
        number = digest % 100_000_000 + 2_000_000_000 if self._integer else digest + (0xF << 44)
        return self._remember(kind, name, number)

    def name_of(self, id_text: str) -> str:
        """The name of an id as PostgreSQL prints it; the text itself for one that is not ours."""
        known = self._things.get(id_text)
        return id_text if known is None else known[1]

    def thing_of(self, id_text: str) -> tuple[str, str] | None:
        """Kind (one of ``KINDS``) and name of what has this id; None when it is not ours."""
        return self._things.get(id_text)

    @property
    def known(self) -> Mapping[str, str]:
        """Every id so far, as PostgreSQL prints it, to its name."""
        return {id_: name for id_, (_, name) in self._things.items()}

    def _remember(self, kind: str, name: str, number: int) -> Id:
        prefix = 1 + KINDS.index(kind)
        id_: Id
        if self._integer:
            id_ = Int8(number if number >= 2_000_000_000 else prefix * 1_000_000 + number)
        else:
            id_ = UUID(f"{prefix:08d}-0000-4000-8000-{number:012x}")
        self._ids[kind, name] = id_
        self._things[str(id_)] = kind, name
        return id_
