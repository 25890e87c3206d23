"""What the rows that came back made a client see, in the step in which its statement was answered.

Who carries on with a row carries on with the last one; how many there were is told where it was not one. What an
operation itself answers with is in its ``return``, and is not told twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from harness.db.rows import Rows
from harness.marketplace.calls import COLUMNS
from harness.marketplace.names import Names
from harness.verify.sightings import shown
from harness.words.history import Call, Status

COUNT = "rows"
"""What tells how many rows there were is called by this name."""

_VERDICTS = ("success", "error_message", "refuse", "done")
"""Columns of which ``ok`` and ``refused CODE`` are made."""

_ENDS = re.compile(r"(?:COMMIT|END|ROLLBACK|ABORT)\b", re.IGNORECASE)


class Answer(NamedTuple):
    """The rows that came back to a session's client, and the step of that session which had led to them."""

    step: int
    session: int
    rows: Rows


def came_back(
    steps: Sequence[Mapping[str, Any]],
    sessions: Sequence[str],
    answers: Sequence[Answer],
    calls: Sequence[Call],
    names: Names,
) -> Iterator[tuple[int, list[dict[str, str]]]]:
    """What to add to the field ``saw`` of the steps of a story, with the numbers of the steps."""
    for step, session, rows in answers:
        row = dict(rows.last or {})
        call = next(
            (each for each in calls if each.session == session and each.invoked <= step and not _is_over(each, step)),
            None,
        )
        if call is not None and _is_last(steps, sessions[session], step, call):
            row = {name: value for name, value in row.items() if not _is_told(name, value, call, names)}
        news = [{"name": name, "value": shown(value, names, name)} for name, value in row.items()]
        if rows.count != 1:
            news.insert(0, {"name": COUNT, "value": str(rows.count)})
        if news:
            yield step, news


def _is_over(call: Call, step: int) -> bool:
    return call.returned is not None and call.returned < step


def _is_last(steps: Sequence[Mapping[str, Any]], name: str, step: int, call: Call) -> bool:
    """Whether all that the client did after this answer, in this operation, was to end its transaction."""
    until = len(steps) if call.returned is None else call.returned + 1
    return all(_ENDS.match(each.get("statement", "")) for each in steps[step + 1 : until] if each["session"] == name)


def _is_told(column: str, value: Any, call: Call, names: Names) -> bool:
    """Whether the ``return`` of the operation tells it."""
    result = call.result
    if value is None:
        return True
    if column in _VERDICTS:
        return value == result.code or (result.status in (Status.OK, Status.REFUSED) and result.code != "raised")
    told = dict(result.value).get(COLUMNS.get(column, ""))
    if isinstance(told, Decimal):
        try:
            return Decimal(value) == told
        except InvalidOperation:
            return False
    if isinstance(told, tuple):
        return isinstance(value, list) and tuple(sorted(names.name_of(str(each)) for each in value)) == told
    return told is not None and told in (value, names.name_of(str(value)))
