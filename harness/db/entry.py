"""Client statements that do nothing by themselves: BEGIN, and the plain call of one function.

Nothing is read or written between the moment at which a client sends ``SELECT * FROM f($1)`` and the first statement
inside ``f``. Where the call takes no snapshot that lasts (READ COMMITTED), stopping at both would only make more
schedules of the same histories. What is not surely so simple is no entry.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from pglast import ast, parse_sql
from pglast.enums import TransactionStmtKind
from pglast.parser import ParseError

from harness.db.plan import Plan

_DEFAULT = re.compile(r":=|=|\bDEFAULT\b|\bCURSOR\b", re.IGNORECASE)
_RELEASES = re.compile(r"\bEXCEPTION\s+WHEN\b|\bCOMMIT\b|\bROLLBACK\b|unlock", re.IGNORECASE)
_BEGIN = re.compile(r"\bBEGIN\b", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"%\(\w+\)[sbt]|%[sbt]")
_HARMLESS = (ast.ParamRef, ast.A_Const)

BEGIN = "begin"
"""What ``entry`` says of a statement that opens a transaction."""


def entries(plan: Plan) -> dict[str, frozenset[int]]:
    """The functions that a call may enter without stopping before their first statement, with the ids of their points.

    By bare name: instrumented, not overloaded, and without a variable whose initial value might be a query (anything
    that looks like one is enough to be left out).
    """
    named = Counter(_bare(item.name) for item in plan.rewritten)
    simple = {
        item.name: _bare(item.name)
        for item in plan.rewritten
        if named[_bare(item.name)] == 1 and not _DEFAULT.search(_BEGIN.split(item.source, maxsplit=1)[0])
    }
    found: dict[str, set[int]] = {}
    for point in plan.points:
        if point.function in simple:
            found.setdefault(simple[point.function], set()).add(point.id)
    return {name: frozenset(ids) for name, ids in found.items()}


def keeps_locks(plan: Plan) -> bool:
    """No function of the plan can give back a lock before it ends: no EXCEPTION block, no COMMIT, no unlocking.

    Judged by words in the sources; a word in a comment is enough to say no.
    """
    return not any(_RELEASES.search(item.source) for item in plan.rewritten)


def _bare(function: str) -> str:
    return function.partition("(")[0].rpartition(".")[2].strip('"')


@lru_cache(maxsize=4096)
def entry(statement: str) -> str | None:
    """The bare name of the only function that the statement enters, ``BEGIN`` for one that opens a transaction.

    None for every other statement, and for one that cannot be read.
    """
    try:
        parsed = parse_sql(_PLACEHOLDER.sub("$1", statement).replace("%%", "%"))
    except ParseError:
        return None
    if len(parsed) != 1:
        return None
    tree = parsed[0].stmt
    if isinstance(tree, ast.TransactionStmt):
        opens = tree.kind in (TransactionStmtKind.TRANS_STMT_BEGIN, TransactionStmtKind.TRANS_STMT_START)
        # An isolation level of its own is for the server to see, not for us to guess at.
        return BEGIN if opens and not tree.options else None
    if isinstance(tree, ast.SelectStmt):
        return _entered(tree)
    return None


def _entered(select: ast.SelectStmt) -> str | None:
    if select.withClause or select.valuesLists or select.larg or select.limitCount or select.limitOffset:
        return None
    call = _only_call(select.fromClause or (), select)
    if not isinstance(call, ast.FuncCall) or not all(map(_is_harmless, call.args or ())):
        return None
    names: tuple[ast.String, ...] = call.funcname or ()
    return str(names[-1].sval)


def _only_call(sources: Sequence[ast.Node], select: ast.SelectStmt) -> ast.Node | None:
    """What the statement calls, when it is ``SELECT ... FROM f(...)`` or ``SELECT f(...)`` and nothing more."""
    if not sources:
        targets: tuple[ast.ResTarget, ...] = select.targetList or ()
        return targets[0].val if len(targets) == 1 and not select.whereClause else None
    source = sources[0]
    if len(sources) > 1 or not isinstance(source, ast.RangeFunction):
        return None
    functions: tuple[tuple[ast.Node, ...], ...] = source.functions or ()
    return functions[0][0] if len(functions) == 1 else None


def _is_harmless(argument: ast.Node | None) -> bool:
    if isinstance(argument, ast.TypeCast):
        return _is_harmless(argument.arg)
    if isinstance(argument, ast.A_ArrayExpr):
        return all(map(_is_harmless, argument.elements or ()))
    return isinstance(argument, _HARMLESS)
