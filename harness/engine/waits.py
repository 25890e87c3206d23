"""Who waits for whom: a graph, and the cycles in it, which are deadlocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def cycle_through(closer: int, waits: Mapping[int, Sequence[int]]) -> list[int]:
    """The sessions of a cycle of waits through ``closer``, closer first; empty when there is none.

    ``waits`` has for each blocked session those that it waits for; a session that is not in it goes on.
    """
    path: list[int] = []

    def search(session: int) -> bool:
        path.append(session)
        for peer in waits.get(session, ()):
            if peer == closer or (peer in waits and peer not in path and search(peer)):
                return True
        path.pop()
        return False

    return path if search(closer) else []


def rename(table: dict[int, T], old: int, new: int) -> None:
    """Give an entry another number and leave it in its place."""
    entries = [(new if number == old else number, value) for number, value in table.items()]
    table.clear()
    table.update(entries)
