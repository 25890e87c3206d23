"""The rows that came back to a client: how many there were, and the last one in values as JSON has them.

All else than true, false, null, lists and objects is text as the server wrote it, so that an amount keeps its digits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer

_json = partial(json.loads, parse_float=str, parse_int=str)
_JSON = frozenset(psycopg.adapters.types[name].oid for name in ("json", "jsonb"))


@dataclass(frozen=True, slots=True)
class Rows:
    """``last`` is the last row by column, of columns of one name the last; None where there is none."""

    count: int
    last: Mapping[str, Any] | None


def rows_of(result: pq.abc.PGresult) -> Rows:
    """Of a result that has columns."""
    if not result.ntuples:
        return Rows(0, None)
    columns = range(result.nfields)
    return Rows(
        result.ntuples,
        {(result.fname(each) or b"").decode(errors="replace"): _cell(result, each) for each in columns},
    )


def _cell(result: pq.abc.PGresult, column: int) -> Any:
    """Of the last row."""
    data = result.get_value(result.ntuples - 1, column)
    if data is None:
        return None
    oid, as_sent = result.ftype(column), pq.Format(result.fformat(column))
    text = data.decode(errors="replace")
    if as_sent is pq.Format.TEXT and oid in _JSON:
        return _json(text)
    try:
        value = Transformer().get_loader(oid, as_sent).load(data)
    except psycopg.DataError:  # a time that Python does not know: infinity, one before Christ
        return text
    is_text = as_sent is pq.Format.TEXT and not isinstance(value, bool | list | dict)
    return text if is_text else _plain(value)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    return format(value, "f") if isinstance(value, Decimal) else str(value)
