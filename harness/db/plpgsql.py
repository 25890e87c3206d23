"""The structure of a PL/pgSQL routine: every statement with its exact place in the source.

PostgreSQL's own parser (libpg_query, by way of pglast) knows every statement, but of its place only the line. A walk
over the tokens finds the offsets, and is believed only when the parser tells the same tree: the same statements, of the
same kinds, on the same lines, one inside the other in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pglast.parser import ParseError, parse_plpgsql_json

from harness.db.plpgsql_walk import Body, Statement, UnreadableError, Walk

__all__ = ["Body", "Statement", "UnreadableError", "expressions", "read"]

_PREFIX = "PLpgSQL_stmt_"
_NOT_ITS_OWN = (_PREFIX, "PLpgSQL_rec", "PLpgSQL_row", "PLpgSQL_var")
"""What else has expressions: statements inside, and variables (their defaults)."""
_FOR_LOOPS = {"dynfors", "forc", "fori", "fors"}


def read(head: str, source: str) -> Statement:
    """The outermost block of the routine whose body is ``source``. Raises UnreadableError.

    ``head`` is its CREATE FUNCTION or CREATE PROCEDURE up to LANGUAGE. libpg_query knows the types of no database:
    write scalar types as built-in ones, and any unknown name for a row type.
    """
    walk = Walk(source)
    block = walk.routine()
    return _agreed(block, _parsed(head, walk.plain_source()))


def expressions(statement: Statement) -> Iterator[tuple[str, int]]:
    """(text, mode) of each expression that belongs to the statement itself and not to those inside it.

    The mode is the server's RawParseMode: 0 a whole statement of SQL, 2 an expression, 3 and more an assignment.
    """
    yield from _expressions(statement.node)


def _expressions(value: Any) -> Iterator[tuple[str, int]]:
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if key == "PLpgSQL_expr":
            yield item["query"], item.get("parseMode", 0)
        elif isinstance(item, dict | list) and not str(key).startswith(_NOT_ITS_OWN):
            yield from _expressions(item)


def _parsed(head: str, source: str) -> Mapping[str, Any]:
    tag = "$body$"
    while tag in source:
        tag = f"$_{tag[1:]}"
    try:
        (function,) = json.loads(parse_plpgsql_json(f"{head} LANGUAGE plpgsql AS {tag}{source}{tag}"))
    except (ParseError, ValueError) as error:
        raise UnreadableError(str(error.args[0])) from error
    action: Mapping[str, Any] = function["PLpgSQL_function"]["action"]
    block = action["PLpgSQL_stmt_block"]
    # The implicit RETURN may not stand in a block with a label or handlers: the server puts a block of its own around.
    outermost: Mapping[str, Any] = action if "lineno" in block else block["body"][0]
    return outermost


def _agreed(statement: Statement, parsed: Mapping[str, Any]) -> Statement:
    """The statement with what the parser says of it, if that is the same; else raises UnreadableError."""
    ((name, node),) = parsed.items()
    kind = name.removeprefix(_PREFIX)
    line = node.get("lineno")
    if (statement.kind, statement.line) != ("for" if kind in _FOR_LOOPS else kind, line):
        raise UnreadableError(
            f"{statement.kind} on line {statement.line} is {kind} on line {line} to PostgreSQL's parser"
        )
    lists = list(_written_lists(node))
    if [len(body.statements) for body in statement.bodies if body.statements] != list(map(len, lists)):
        raise UnreadableError(f"PostgreSQL's parser has other statements in the {kind} on line {line}")
    following = iter(lists)
    bodies = [
        replace(body, statements=tuple(map(_agreed, body.statements, next(following)))) if body.statements else body
        for body in statement.bodies
    ]
    return replace(statement, kind=kind, bodies=tuple(bodies), node=node)


def _written_lists(value: Any) -> Iterator[list[Mapping[str, Any]]]:
    """The lists of statements directly inside a node, in the order of the source, without the implicit RETURN."""
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, list) and item and next(iter(item[0]), "").startswith(_PREFIX):
            written = [statement for statement in item if "lineno" in next(iter(statement.values()))]
            if written:
                yield written
        elif isinstance(item, dict | list):
            yield from _written_lists(item)
