"""What can be executed of a PL/pgSQL routine, its statements and its branches, and what announces each of them.

A scheduling point before a statement tells that the statement is reached. Where there is no point a *mark* stands: a
call of ``harness.mark`` (gate.sql), which announces itself, never waits and is no step. Every statement has one of the
two right before it, so nothing has to be concluded from its neighbours: any of them could have failed.

The branches are the arms of IF and CASE, the handlers of EXCEPTION, and two ways for each loop that has a choice:

- an arm, a handler or the body of a loop is entered when its first statement is reached, an empty one when its end is;
- an IF without ELSE has the branch in which no condition holds: its mark is the condition of one more, empty ELSIF;
- a FOR or FOREACH loop that goes round not once leaves FOUND false: its mark, right behind it, asks for that;
- a WHILE loop leaves nothing behind. Its second branch is that it ends, by its condition or an EXIT.

No branches are the error of a CASE that has no arm for a value, the two ways of EXIT WHEN and CONTINUE WHEN, and what
is decided inside an expression or a query. NULL statements and the words BEGIN and END do nothing, and do not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from harness.db.placement import one_line
from harness.db.plan import Site
from harness.db.plpgsql import Body, Statement
from harness.db.plpgsql_walk import tokens

_FOR_LOOPS = ("fori", "fors", "forc", "dynfors", "foreach_a")
_FOUND = ("found", '"found"')


_ASKED = "pg_catalog.texteq(pg_catalog.current_setting('harness.mark_{0}', true), '1') IS TRUE AND harness.mark({0})"
"""Where nobody asks for the mark, it is not even called: a call costs ten times what the question does."""

CONDITION = (
    r"(?:NOT FOUND AND )?pg_catalog\.texteq\(pg_catalog\.current_setting\('harness\.mark_\d+', true\), '1'\)"
    r" IS TRUE AND harness\.mark\(\d+\)"
)
"""A pattern for what asks for a mark."""


class Mark(NamedTuple):
    """A mark before the character ``offset`` of the source. ``condition`` is what is asked there, with its call."""

    offset: int
    condition: str
    is_elsif: bool


class Measure(NamedTuple):
    """The marks of a routine, and its statements and branches, each with the point or mark that tells of it."""

    marks: tuple[Mark, ...]
    statements: tuple[Site, ...]
    branches: tuple[Site, ...]


def measure(block: Statement, source: str, points: Mapping[int, int], first: int) -> Measure:
    """Where the marks of the routine with this outermost block go, numbered from ``first``.

    ``points`` are the ids of its points, by offset.
    """
    measuring = _Measuring(source, points, first)
    for number, body in enumerate(block.bodies):
        measuring.body(body)
        if number:
            measuring.arm(body, f"handler {number} of EXCEPTION")
    return Measure(tuple(measuring.marks), tuple(measuring.statements), tuple(measuring.branches))


def why_not(block: Statement, source: str, argument_names: list[str], *, is_procedure: bool) -> str:
    """Why no mark may be put into a routine, empty if they may."""
    for statement in block.all() if is_procedure else ():
        words = [token.word for token in tokens(source[statement.start : statement.end])]
        if statement.kind == "execsql" and words[:1] in (["set"], ["lock"]):
            return f"{words[0].upper()} in a procedure must come before anything that takes a snapshot"
    if "found" in argument_names or _declares_found(source):
        return "it has a variable named found"
    return ""


class _Measuring:
    def __init__(self, source: str, points: Mapping[int, int], first: int) -> None:
        self._source = source
        self._told_by = dict(points)
        self._first = first
        self.marks: list[Mark] = []
        self.statements: list[Site] = []
        self.branches: list[Site] = []

    def body(self, body: Body) -> None:
        for statement, following in zip(body.statements, _following(body), strict=True):
            text = one_line(self._source[statement.start : statement.end])
            if statement.kind != "block":
                self.statements.append(Site(statement.line, text, self._tell(statement.start)))
            for inner in statement.bodies:
                self.body(inner)
            self._branches(statement, text, following)

    def arm(self, body: Body, what: str) -> None:
        """A branch that is taken when this list of statements is entered."""
        first = body.statements[0] if body.statements else None
        line = first.line if first else self._line(body.end)
        self.branches.append(Site(line, what, self._tell(first.start if first else body.end)))

    def _branches(self, statement: Statement, text: str, following: int) -> None:
        kind, bodies, line = statement.kind, statement.bodies, statement.line
        if kind == "if":
            conditions = 1 + len(statement.node.get("elsif_list", ()))
            for number, body in enumerate(bodies):
                self.arm(body, f"arm {number + 1} of {text}" if number < conditions else f"ELSE of {text}")
            if len(bodies) == conditions:
                told_by = self._mark(bodies[-1].end, is_elsif=True)
                self.branches.append(Site(line, f"no arm of {text}", told_by))
        elif kind == "case":
            for number, body in enumerate(bodies, 1):
                is_else = statement.node.get("have_else", False) and number == len(bodies)
                self.arm(body, f"ELSE of {text}" if is_else else f"arm {number} of {text}")
        elif kind == "block":
            for number, body in enumerate(bodies[1:], 1):
                self.arm(body, f"handler {number} of EXCEPTION")
        elif kind in _FOR_LOOPS:
            self.arm(bodies[0], f"{text} goes round")
            told_by = self._mark(following, unless_found=True)
            self.branches.append(Site(line, f"{text} goes round not once", told_by))
        elif kind == "while":
            self.arm(bodies[0], f"{text} goes round")
            self.branches.append(Site(line, f"{text} ends", self._tell(following)))

    def _tell(self, offset: int) -> int:
        """Who tells that this place is reached: a point, a mark that is there, else a new one."""
        if offset not in self._told_by:
            self._told_by[offset] = self._mark(offset)
        return self._told_by[offset]

    def _mark(self, offset: int, *, is_elsif: bool = False, unless_found: bool = False) -> int:
        number = self._first + len(self.marks)
        condition = ("NOT FOUND AND " if unless_found else "") + _ASKED.format(number)
        self.marks.append(Mark(offset, condition, is_elsif))
        return -number

    def _line(self, offset: int) -> int:
        return self._source.count("\n", 0, offset) + 1


def _following(body: Body) -> Iterator[int]:
    """For each statement of a list: where that begins which is executed when it has ended and gone nowhere else."""
    yield from (statement.start for statement in body.statements[1:])
    if body.statements:
        yield body.end


def _declares_found(source: str) -> bool:
    words = ["", *(token.word for token in tokens(source)), ""]
    return any(
        word in _FOUND and before in ("declare", ";", "for") and after not in (":=", "=", "[", ".")
        for before, word, after in zip(words, words[1:], words[2:], strict=False)
    )
