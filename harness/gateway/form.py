"""Parameters as Stripe's API takes them: form-encoded, with brackets for what is nested and numbers for lists."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from harness.gateway.refusal import RefusalError

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PIECES_MAX = 1000


def read_form(body: bytes) -> dict[str, Any]:
    """``a[b]=1&c[0][d]=2`` is ``{"a": {"b": "1"}, "c": [{"d": "2"}]}``; values are text. Raises ``RefusalError``."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=_PIECES_MAX)
    except ValueError as error:
        raise RefusalError("The body is not form-encoded.") from error
    root: dict[str, Any] = {}
    for key, value in pairs:
        match = _KEY.fullmatch(key)
        if match is None:
            raise RefusalError(f"Invalid parameter name: {key}", param=key)
        _put(root, [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])], value, key)
    return {name: _lists(value) for name, value in root.items()}


def _put(node: dict[str, Any], path: list[str], value: str, key: str) -> None:
    *inner, last = path
    for name in inner:
        below = node.setdefault(name or str(len(node)), {})
        if not isinstance(below, dict):
            raise RefusalError(f"{key} is both a value and more than one.", param=key)
        node = below
    name = last or str(len(node))
    if name in node:
        raise RefusalError(f"{key} is given twice.", param=key)
    node[name] = value


def _lists(value: Any) -> Any:
    """Where every name is a number, a list was meant."""
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(below) for name, below in value.items()}
    if inner and all(name.isascii() and name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
