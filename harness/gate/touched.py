"""Which operations a change can have made slower: those whose calls come to a function that it touched.

This reads the text of the migrations and nothing else. Where it is not sure (a table, an index, a new file), it names
none: then all of them have to be looked at.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_CREATE = re.compile(r"^CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\s+(?:\w+\.)?\"?(\w+)\"?\s*\(", re.I | re.M)
_BODY = re.compile(r"(\$\w*\$).*?\1", re.S)


def touched_operations(
    calls: Mapping[str, Sequence[str]], migrations: Sequence[Path], changed: Sequence[Mapping[str, Any]]
) -> tuple[str, ...]:
    """Of ``calls``, operations with their statements; ``changed`` as ``harness.gate.revision.changed`` tells it."""
    texts: dict[str, str] = {}
    touched: set[str] = set()
    lines = {Path(each["file"]).name: set(each["lines"]) for each in changed}
    outside = {name: set(numbers) for name, numbers in lines.items()}
    for path in migrations:
        for name, text, span in _functions(path.read_text(encoding="utf-8-sig")):
            texts[name] = f"{texts.get(name, '')}\n{text}"
            if inside := outside.get(path.name, set()) & set(span):
                touched.add(name)
                outside[path.name] -= inside
    if not touched or any(outside.values()) or not all(lines.values()):
        return ()
    while more := {name for name, text in texts.items() if name not in touched and _mentions(text, touched)}:
        touched |= more
    return tuple(name for name, statements in calls.items() if _mentions("\n".join(statements), touched))


def _functions(text: str) -> Iterator[tuple[str, str, range]]:
    """Name, text and lines of each function of a file."""
    for found in _CREATE.finditer(text):
        body = _BODY.search(text, found.end())
        end = body.end() if body else len(text)
        first, last = (text.count("\n", 0, at) + 1 for at in (found.start(), end))
        yield found[1], text[found.start() : end], range(first, last + 1)


def _mentions(text: str, names: Collection[str]) -> bool:
    return re.search(rf"\b(?:{'|'.join(map(re.escape, sorted(names)))})\"?\s*\(", text) is not None
