"""What the statement of each step could see: everything that was committed up to which step.

READ COMMITTED: a statement sees what was committed when it began, so up to the step before its own. (An UPDATE that
had to wait looks at the row that it waited for once more when it is woken.) Above that level it is the first statement
of the transaction that decides, for all that follow.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

_READS_NOTHING = re.compile(r"(?:BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|SET|LOCK)\b", re.IGNORECASE)
"""Statements that take no snapshot."""


def snapshots(steps: Sequence[Mapping[str, Any]], opened: Collection[int], isolation: str) -> Iterator[int | None]:
    """For each step of a story the last step of which its statement sees the commits (-1: the start), None where
    nothing is read. ``opened`` are the steps that were the first of a transaction."""
    since: dict[str, int] = {}
    for step in steps:
        number, session = step["step"], step["session"]
        if number in opened:
            since.pop(session, None)
        statement = step.get("statement", "")
        if step["where"] == "fault" or not statement or (step["where"] == "client" and _takes_none(statement)):
            yield None
        elif isolation == "read committed":
            yield number - 1
        else:
            yield since.setdefault(session, number - 1)


def _takes_none(statement: str) -> bool:
    """Of ``BEGIN; SELECT ...`` it is the last part that counts."""
    return bool(_READS_NOTHING.match(re.sub(r"^(?:BEGIN\b[^;]*;\s*)+", "", statement, flags=re.IGNORECASE)))
