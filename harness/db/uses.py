"""What an expression or a statement of SQL makes use of, read from its parse tree: functions, operators, queries."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from pglast.parser import ParseError, parse_sql_json

from harness.db.plpgsql_walk import UnreadableError, tokens

STATEMENT, EXPRESSION = 0, 2
"""The server's RawParseMode; above these are the modes for assignments (``target := expression``)."""


@dataclass(frozen=True, slots=True)
class Uses:
    """``functions`` and ``operators`` are names as they are written (the schema first, where given)."""

    functions: frozenset[tuple[str, ...]]
    operators: frozenset[tuple[str, ...]]
    reads: bool
    """A table or a subquery occurs, or it is a statement other than SELECT."""
    locks: bool
    """FOR UPDATE, FOR SHARE or the like occurs."""


UNKNOWN = Uses(frozenset({("",)}), frozenset(), reads=True, locks=True)
"""What is assumed of a text that cannot be parsed: a function that nobody knows."""


@lru_cache(maxsize=4096)
def uses(text: str, mode: int = EXPRESSION) -> Uses:
    """What a text uses, UNKNOWN when it cannot be parsed."""
    try:
        tree = _tree(text if mode == STATEMENT else f"SELECT {text if mode == EXPRESSION else _sides(text)}")
    except UnreadableError:
        return UNKNOWN
    found = _Found()
    found.add(tree)
    selects = all("SelectStmt" in item["stmt"] for item in tree.get("stmts", ()))
    return Uses(frozenset(found.functions), frozenset(found.operators), found.reads or not selects, found.locks)


def constant(text: str) -> str | None:
    """The value of an expression that is nothing but a string literal, else None."""
    if len(tokens(text)) != 1:
        return None
    (target,) = _tree(f"SELECT {text}")["stmts"][0]["stmt"]["SelectStmt"]["targetList"]
    value = target["ResTarget"]["val"].get("A_Const", {}).get("sval")
    return None if value is None else str(value.get("sval", ""))


def count_statements(text: str, *, in_body: bool = False) -> int:
    """How many statements of SQL a text has; or the body of the function that it defines. Raises UnreadableError."""
    statements = _tree(text).get("stmts", ())
    if not in_body:
        return len(statements)
    body = statements[0]["stmt"]["CreateFunctionStmt"]["sql_body"]
    return len(body["List"]["items"][0].get("List", {}).get("items", ())) if "List" in body else 1


def called_names(source: str) -> Uses:
    """Every name in a text of PL/pgSQL that an opening parenthesis follows, as a function. Raises UnreadableError."""
    words = [token.word for token in tokens(source)]
    names = {(word.strip('"'),) for word, following in pairwise(words) if following == "("}
    return Uses(frozenset(names), frozenset(), reads=True, locks=False)


def _tree(text: str) -> Any:
    try:
        return json.loads(parse_sql_json(text))
    except (ParseError, ValueError) as error:
        raise UnreadableError(str(error.args[0])) from error


def _sides(assignment: str) -> str:
    """``a[i] := b`` as ``a[i], b``: the subscripts of the target are evaluated too."""
    depth = 0
    for token in tokens(assignment):
        if depth == 0 and token.word in (":=", "="):
            return f"{assignment[: token.start]}, {assignment[token.end :]}"
        depth += (token.word in ("(", "[")) - (token.word in (")", "]"))
    raise UnreadableError(f"{assignment} is no assignment")


_READING = {"SubLink", "RangeVar", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"}
"""The nodes of a query, of a table in one, and of what WITH can hold besides."""


class _Found:
    def __init__(self) -> None:
        self.functions: set[tuple[str, ...]] = set()
        self.operators: set[tuple[str, ...]] = set()
        self.reads = False
        self.locks = False

    def add(self, value: Any) -> None:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if key in ("FuncCall", "funccall"):
                self.functions.add(_name(item["funcname"]))
            elif key == "A_Expr":
                self.operators.add(_name(item["name"]))
            elif key in _READING:
                self.reads = True
            elif key == "lockingClause":
                self.locks = True
            if isinstance(item, dict | list):
                self.add(item)


def _name(parts: Any) -> tuple[str, ...]:
    return tuple(part["String"].get("sval", "") for part in parts)
