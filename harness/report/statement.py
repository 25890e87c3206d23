"""A SQL statement in few columns: what it does to which table stays, what it does it with goes first.

This reads the text alone, as a person would: it makes lines shorter and decides nothing.
"""

from __future__ import annotations

import re

from rich.cells import cell_len

READ_MAX = 2000
"""Characters that are looked at: nobody has room for more, and some patterns take time quadratic in them."""

HEAD_MIN = 22
"""Columns in which the table of a locking SELECT can still be told."""

_I = re.IGNORECASE
_NAME = r"[\w.\"$]+"
_STRENGTH = r"(?:NO\s+KEY\s+UPDATE|UPDATE|KEY\s+SHARE|SHARE)"
_LOCKING = rf"\bFOR\s+{_STRENGTH}(?:\s+OF\s+[\w,\s]+?)?(?:\s+(?:NOWAIT|SKIP\s+LOCKED))?(?=\W|$)"
_LOCK = re.compile(_LOCKING, _I)
_WRITE = re.compile(r"\b(?:UPDATE|INSERT\s+INTO|DELETE\s+FROM|MERGE\s+INTO|COMMIT|ROLLBACK)\b", _I)
_PARAMETER = re.compile(r"%\((\w+)\)[sbt]")
_TARGETS = re.compile(rf"\s+INTO\s+(?:STRICT\s+)?{_NAME}(?:\s*,\s*{_NAME})*(?=\s+FROM\b)", _I)
_ARGUMENTS = re.compile(rf"({_NAME}\()(?!…\)|\s*SELECT\b)(?:'[^']*'|[^()'])*\)", _I)
_SET = re.compile(rf"\bUPDATE\s+(?:ONLY\s+)?{_NAME}(?:\s+(?:AS\s+)?\w+)?\s+SET\s+(?P<list>.*?)(?=\s+WHERE\b|…?$)", _I)
_ASSIGNED = re.compile(r"(?:^|,)\s*(\w+)\s*=(?!=)")
_VALUES = re.compile(rf"(\bINSERT\s+INTO\s+{_NAME})\s*\(.*?(?=\s+ON\s+CONFLICT\b|\s+RETURNING\b|$)", _I)
_CONDITION = re.compile(rf"\s+(?:WHERE|ON\s+CONFLICT)\b.*?(?=\s+{_LOCKING}|\s+RETURNING\b|$)", _I)
_COLUMNS = re.compile(r"\b(SELECT)\s+(?!…)(?:(?!\bSELECT\b).)+?\s+(FROM)\b", _I)
_FRAME = re.compile(rf"^(?:FOR\s+{_NAME}\s+IN|RETURN\s+QUERY)\s+(?=SELECT\b)", _I)
_FROM = re.compile(r"\bSELECT … FROM\b", _I)
_RETURNING = re.compile(r"\s+RETURNING\b.*", _I)
_WITH = re.compile(r"^WITH\s+\w+\s+AS\s*\(\s*", _I)


def writes(sql: str) -> bool:
    """Whether the statement changes rows or ends a transaction, as far as its text tells."""
    return bool(_WRITE.search(_LOCK.sub(" ", sql)))


def shorten(sql: str, room: int) -> str:
    """``sql`` without more detail than fits ``room`` columns; it may still be longer, when its bones are.

    psycopg's ``%(name)s`` is written ``:name``.
    """
    text = " ".join(sql.split())
    if len(text) > READ_MAX:
        text = text[:READ_MAX] + "…"
    text = _PARAMETER.sub(r":\1", text).rstrip("; ")
    for leave_out in (_targets, _values, _arguments, _condition, _frame, _with, _returning, _columns, _from):
        if cell_len(text) <= room:
            return text
        text = leave_out(text)
    return _keep_lock(text, room)


def _targets(text: str) -> str:
    return _TARGETS.sub("", text)


def _arguments(text: str) -> str:
    before = ""
    while text != before:  # from the inside out
        before, text = text, _ARGUMENTS.sub(lambda call: f"{call[1]}…)" if call[0] != f"{call[1]})" else call[0], text)
    return text


def _values(text: str) -> str:
    found = _SET.search(text)
    if found and (names := _ASSIGNED.findall(found["list"])):
        text = f"{text[: found.start('list')]}{', '.join(names)}{text[found.end('list') :]}"
    return _VALUES.sub(r"\1 …", text)


def _condition(text: str) -> str:
    return re.sub(r"(?:\s*…)+(?=\s|$)", " …", _CONDITION.sub(" …", text))


def _frame(text: str) -> str:
    return _FRAME.sub("", text)


def _with(text: str) -> str:
    return _WITH.sub("", text)


def _returning(text: str) -> str:
    return _RETURNING.sub("", text)


def _columns(text: str) -> str:
    return _COLUMNS.sub(r"\1 … \2", text)


def _from(text: str) -> str:
    return _FROM.sub("SELECT …", text)


def _keep_lock(text: str, room: int) -> str:
    """Cut in the middle rather than at the end where a lock is taken, if there is room to name the table as well."""
    locks = list(_LOCK.finditer(text))
    if not locks or cell_len(text) <= room:
        return text
    lock = locks[-1][0]
    left = room - cell_len(lock) - 2
    return f"{text[:left].rstrip(' …')}… {lock}" if left >= HEAD_MIN else text
