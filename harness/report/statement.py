"""A SQL statement told in few columns: what it does to which table goes first, what it does it with goes last."""

from __future__ import annotations

import re

from rich.cells import cell_len

_WORD = r"[\w.\"$]+"
_INTO = re.compile(rf"\s+INTO\s+(?:STRICT\s+)?{_WORD}(?:\s*,\s*{_WORD})*(?=\s+FROM\b)", re.IGNORECASE)
_CALL = re.compile(rf"({_WORD}\()[^()]*(?:\([^()]*\)[^()]*)*\)")
_UPDATE = re.compile(rf"\bUPDATE\s+(?:ONLY\s+)?({_WORD})(?:\s+(?:AS\s+)?\w+)?\s+SET\s+(.*)", re.IGNORECASE)
_ASSIGNED = re.compile(r"(?:^|,)\s*(\w+)\s*=(?!=)")
_WHERE = re.compile(r"\s+WHERE\b.*?(?=\s+(?:FOR\s+(?:NO\s+KEY\s+)?(?:UPDATE|SHARE|KEY)|RETURNING|ORDER)\b|[;…]|$)", re.I)
_LIST = re.compile(r"\bSELECT\s+(.{12,}?)\s+FROM\b", re.IGNORECASE)
_LOCK = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+UPDATE|UPDATE|SHARE|KEY\s+SHARE)(?:\s+OF\s+\w+)?(?:\s+(?:NOWAIT|SKIP\s+LOCKED))?", re.I)
_WRITE = re.compile(r"\b(?:UPDATE\s+(?!OF\b|NOWAIT\b|SKIP\b)\w|INSERT\s+INTO|DELETE\s+FROM|MERGE\s+INTO|COMMIT|ROLLBACK)", re.I)


def writes(sql: str) -> bool:
    """Whether the statement changes rows or ends a transaction, as far as its text tells."""
    return bool(_WRITE.search(_LOCK.sub(" ", sql)))


def shorten(sql: str, room: int) -> str:
    """``sql`` in at most ``room`` columns where leaving out values, conditions and column lists is enough."""
    text = " ".join(sql.split()).rstrip(";")
    for shorter in (_without_targets, _without_arguments, _without_values, _without_columns, _without_condition):
        if cell_len(text) <= room:
            return text
        text = shorter(text)
    return text


def _without_targets(text: str) -> str:
    return _INTO.sub("", text)


def _without_arguments(text: str) -> str:
    return _CALL.sub(lambda call: f"{call[1]}…)" if len(call[0]) > len(call[1]) + 3 else call[0], text)


def _without_values(text: str) -> str:
    found = _UPDATE.search(text)
    if found is None:
        return text
    assignments, where, rest = found[2].partition(" WHERE ")
    names = ", ".join(_ASSIGNED.findall(assignments))
    return f"{text[: found.start(2)]}{names}{where}{rest}" if names else text


def _without_columns(text: str) -> str:
    return _LIST.sub("SELECT … FROM", text)


def _without_condition(text: str) -> str:
    return _WHERE.sub("", text)
