"""What schemas are tried with: a document with one thing in it made wrong, and the names of all their fields."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any


def altered(document: Any, path: Sequence[str | int], value: Any) -> Any:
    """A copy in which what stands at ``path`` is ``value``."""
    wrong = copy.deepcopy(document)
    place = wrong
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return wrong


def fields_of(part: Any) -> Iterator[str]:
    """The names of all properties that a schema defines, wherever it does."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "properties" and "type" in part:
                yield from value
            if key not in ("if", "then", "else", "oneOf"):
                yield from fields_of(value)
    elif isinstance(part, list):
        for value in part:
            yield from fields_of(value)
