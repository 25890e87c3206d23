"""Where the scheduling points of one PL/pgSQL routine go, and what none of them can reach.

A point stands before each statement that can touch data, before each RETURN, and before the end of a routine that may
end without one. What runs from one point to the next is one step. A place where two queries run in one step, or where
a step cannot be seen (dynamic SQL), is opaque: named, never passed over.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from harness.db.plpgsql import Body, Statement, UnreadableError, expressions
from harness.db.plpgsql_walk import tokens
from harness.db.uses import STATEMENT, Uses, constant, count_statements, uses

SQL_LENGTH_MAX = 400


def dynamic_command(statement: Statement) -> str | None:
    """The expression that makes the command which a statement runs, None when that is no dynamic SQL."""
    expression = statement.node.get(_DYNAMIC.get(statement.kind, ""))
    return None if expression is None else str(expression["PLpgSQL_expr"]["query"])


class Reach(Protocol):
    """What the catalog knows of the functions and operators in an expression."""

    def touches(self, uses: Uses) -> bool:
        """Whether evaluating it can read or change data, or take locks."""

    def ends_unseen(self, uses: Uses) -> bool:
        """Whether it calls what can change data and has no points of its own."""


class Spot(NamedTuple):
    """A point before the character ``offset`` of the source, on line ``line``.

    ``kind`` says what comes next, ``sql`` is its text, shortened; ``last`` is True when nothing is left but to return.
    """

    offset: int
    line: int
    kind: str
    sql: str
    last: bool


class Placement(NamedTuple):
    """The points of a routine in the order of the source, and its opaque places: (line, reason)."""

    spots: tuple[Spot, ...]
    opaque: tuple[tuple[int, str], ...]


def place(block: Statement, source: str, reach: Reach, *, is_procedure: bool, ends_without_return: bool) -> Placement:
    """The points of the routine with this outermost block.

    ``ends_without_return``: reaching the final END is no error (procedures, void, sets and output parameters).
    """
    placing = _Placing(source, reach, is_procedure)
    placing.routine(block, ends_without_return)
    return Placement(tuple(sorted(placing.spots)), tuple(placing.opaque))


_WORDS = {
    "assign": "assignment",
    "block": "declare",
    "dynexecute": "execute",
    "dynfors": "loop",
    "execsql": "sql",
    "foreach_a": "loop",
    "forc": "loop",
    "fori": "loop",
    "fors": "loop",
    "return_next": "return next",
    "return_query": "return query",
}
"""Kinds of statements that points call by another word."""

_COMMANDS = {
    *("execsql", "perform", "dynexecute", "dynfors", "fors", "forc"),
    *("return_query", "open", "fetch", "call", "commit", "rollback"),
}
"""What runs a command, after it has evaluated its expressions."""

_DYNAMIC = {"dynexecute": "query", "dynfors": "query", "return_query": "dynquery", "open": "dynquery"}
"""Where a kind of statement has the expression that makes its command."""


class _Loop(NamedTuple):
    label: str
    again: bool
    """Going round evaluates the condition, or fetches rows, in a way that can touch data."""


class _Placing:
    def __init__(self, source: str, reach: Reach, is_procedure: bool) -> None:
        self._source = source
        self._reach = reach
        self._is_procedure = is_procedure
        self._loops: list[_Loop] = []
        self._end_label: str | None = None
        self.spots: list[Spot] = []
        self.opaque: list[tuple[int, str]] = []

    def routine(self, block: Statement, ends_without_return: bool) -> None:
        # The first default is evaluated in the step of the caller that makes the call.
        self._count(block.line, self._touching_defaults(block))
        if ends_without_return:
            self._end_label = block.node.get("label")
        for body in block.bodies:
            self._body(body)
            if ends_without_return and not _leaves(body):
                self.spots.append(Spot(body.end, self._line(body.end), "end", "", True))

    def _body(self, body: Body) -> None:
        for statement in body.statements:
            self._statement(statement)
            loop = self._loop(statement)
            self._loops += [loop] if loop else []
            for inner in statement.bodies:
                self._body(inner)
                if loop and loop.again and not _leaves(inner):
                    self._add(statement, inner.end, "loop")
            del self._loops[len(self._loops) - bool(loop) :]

    def _statement(self, statement: Statement) -> None:
        node, kind, line = statement.node, statement.kind, statement.line
        evaluated = [uses(text, mode) for text, mode in expressions(statement) if mode != STATEMENT]
        count = sum(map(self._reach.touches, evaluated)) + self._touching_defaults(statement)
        if kind in _COMMANDS and not self._is_setting(statement):
            commands = [uses(text, mode) for text, mode in expressions(statement) if mode == STATEMENT]
            count += not commands or any(map(self._reach.touches, commands))
        if kind == "exit" and not node.get("is_exit", False):
            loop = self._target(node.get("label"))
            if loop.again and not count:
                self._add(statement, statement.start, "continue")
            elif loop.again:
                count += 1
        if count and self._is_lock(statement):
            self.opaque.append((line, "LOCK in a procedure: a point before it could take the snapshot too early"))
        elif count or self._ends(statement):
            last = not count and self._ends(statement)
            self._add(statement, statement.start, _WORDS.get(kind, kind), last=last)
        self._count(line, count)
        if kind == "return" and any(map(self._reach.ends_unseen, evaluated)):
            self.opaque.append((line, "RETURN calls what can change data and has no points: none fits after it"))
        if self._is_procedure and "isolation" in self._words(statement):
            self.opaque.append((line, "a point takes the snapshot of the new transaction before it waits"))
        if reason := _hidden(statement):
            self.opaque.append((line, reason))

    def _ends(self, statement: Statement) -> bool:
        """RETURN, or EXIT out of the outermost block."""
        node = statement.node
        if statement.kind == "exit" and node.get("is_exit", False):
            return self._end_label is not None and node.get("label") == self._end_label
        return statement.kind == "return"

    def _count(self, line: int, count: int) -> None:
        if count > 1:
            self.opaque.append((line, f"{count} things that can touch data are one step: no point fits in between"))

    def _touching_defaults(self, statement: Statement) -> int:
        return sum(self._reach.touches(uses(default)) for default in statement.defaults)

    def _loop(self, statement: Statement) -> _Loop | None:
        """The loop that a statement is, if it is one."""
        if statement.kind not in ("loop", "while", "fori", "fors", "forc", "dynfors", "foreach_a"):
            return None
        made_of = [uses(text, mode) for text, mode in expressions(statement)]
        if statement.kind == "while":
            again = any(map(self._reach.touches, made_of))
        else:
            # Rows are fetched as the loop goes round: later ones are locked, and functions called, only then.
            again = statement.kind in ("forc", "dynfors") or (
                statement.kind == "fors" and any(item.locks or self._reach.touches(_calls_of(item)) for item in made_of)
            )
        return _Loop(statement.node.get("label", ""), again)

    def _target(self, label: str | None) -> _Loop:
        return next(loop for loop in reversed(self._loops) if label is None or loop.label == label)

    def _add(self, statement: Statement, offset: int, kind: str, *, last: bool = False) -> None:
        sql = one_line(self._source[statement.start : statement.end])
        self.spots.append(Spot(offset, self._line(offset), kind, sql, last))

    def _line(self, offset: int) -> int:
        return self._source.count("\n", 0, offset) + 1

    def _words(self, statement: Statement) -> list[str]:
        """The words of a statement of SQL; none of another kind."""
        if statement.kind != "execsql":
            return []
        return [token.word for token in tokens(self._source[statement.start : statement.end])]

    def _is_setting(self, statement: Statement) -> bool:
        """SET, RESET, SHOW. After COMMIT, SET TRANSACTION must come before anything that takes a snapshot."""
        words = self._words(statement)[:2]
        return words[:1] in (["reset"], ["show"]) or (words[:1] == ["set"] and words[1:] != ["constraints"])

    def _is_lock(self, statement: Statement) -> bool:
        """LOCK where there may be no snapshot yet: under REPEATABLE READ that is what the LOCK is for."""
        return self._is_procedure and self._words(statement)[:1] == ["lock"]


def _calls_of(item: Uses) -> Uses:
    return Uses(item.functions, item.operators, reads=False, locks=False)


def _leaves(body: Body) -> bool:
    """Whether the end of the list is never reached because its last statement goes elsewhere."""
    last = body.statements[-1] if body.statements else None
    return last is not None and (last.kind == "return" or (last.kind == "exit" and "cond" not in last.node))


def _hidden(statement: Statement) -> str:
    """Why the work of a statement cannot be seen, empty if it can."""
    node, kind = statement.node, statement.kind
    if kind == "call" and not node.get("is_call", False):
        return "DO: the statements of the anonymous block have no points"
    command = dynamic_command(statement)
    if command is None:
        return ""
    try:
        text = constant(command)
        if text is None:
            return "dynamic SQL: what it runs is known only when it runs"
        return "" if count_statements(text) == 1 else "dynamic SQL with several statements: no point in between"
    except UnreadableError as error:
        return f"dynamic SQL that cannot be parsed: {error}"


def one_line(text: str) -> str:
    """A statement on one line, without comments, shortened to SQL_LENGTH_MAX characters."""
    parts = []
    end = 0
    for token in tokens(text):
        parts.append((" " if end and token.start > end else "") + text[token.start : token.end])
        end = token.end
    line = "".join(parts).replace("\n", " ")
    return line if len(line) <= SQL_LENGTH_MAX else f"{line[: SQL_LENGTH_MAX - 1]}…"
