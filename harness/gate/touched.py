"""Which functions a change has touched, and which operations come to them: by these it can have broken something.

This reads the text of the migrations and nothing else. What a change did outside functions (a table, an index) may
concern every operation: then it is told that these are not the ``only`` ones.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.marketplace.scenario import Scenario
from harness.marketplace.subject import call_name

_CREATE = re.compile(r"^CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\s+(?:\w+\.)?\"?(\w+)\"?\s*\(", re.I | re.M)
_BODY = re.compile(r"(\$\w*\$).*?\1", re.S)
_NOTHING = re.compile(r"\s*(--.*)?")
"""A line that says nothing to the server, where it is outside a function."""


@dataclass(frozen=True, slots=True)
class Touched:
    """``functions`` whose text has changed, and ``operations`` (names in ``[calls]``) whose calls come to them.

    ``only``: nothing else has changed, so that other operations do what they did before.
    """

    functions: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    only: bool = False

    @property
    def entry(self) -> dict[str, Any]:
        """As a run document has it."""
        return {"functions": list(self.functions), "operations": list(self.operations)}

    def concerns(self, scenario: Scenario) -> bool:
        """Whether one of the operations is in it."""
        return any(call_name(type(each)) in self.operations for each in scenario.operations)


NOTHING = Touched()
"""No change, or nobody knows which."""


def touched_by(
    changed: Sequence[Mapping[str, Any]], calls: Mapping[str, Sequence[str]], migrations: Sequence[Path]
) -> Touched:
    """``changed`` as ``harness.gate.revision.changed`` tells it; ``calls`` are operations with their statements."""
    texts: dict[str, str] = {}
    functions: set[str] = set()
    outside = {Path(each["file"]).name: set(each["lines"]) for each in changed}
    unclear = not all(outside.values())
    for path in migrations:
        text = path.read_text(encoding="utf-8-sig")
        left = outside.get(path.name, set())
        for name, body, span in _functions(text):
            texts[name] = f"{texts.get(name, '')}\n{body}"
            if inside := left & set(span):
                functions.add(name)
                left -= inside
        left -= {number for number, line in enumerate(text.splitlines(), start=1) if _NOTHING.fullmatch(line)}
    concerned = set(functions)
    while more := {name for name, text in texts.items() if name not in concerned and _mentions(text, concerned)}:
        concerned |= more
    operations = tuple(name for name, statements in calls.items() if _mentions("\n".join(statements), concerned))
    return Touched(tuple(sorted(functions)), operations, bool(functions) and not (unclear or any(outside.values())))


def _functions(text: str) -> Iterator[tuple[str, str, range]]:
    """Name, text and lines of each function of a file."""
    for found in _CREATE.finditer(text):
        body = _BODY.search(text, found.end())
        end = body.end() if body else len(text)
        first, last = (text.count("\n", 0, at) + 1 for at in (found.start(), end))
        yield found[1], text[found.start() : end], range(first, last + 1)


def _mentions(text: str, names: Collection[str]) -> bool:
    return bool(names) and re.search(rf"\b(?:{'|'.join(map(re.escape, sorted(names)))})\"?\s*\(", text) is not None
