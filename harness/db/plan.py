"""What instrumenting a subject's functions means: the points, and what has none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Variable(NamedTuple):
    """A variable or parameter of a function; ``declared`` is the offset in its body, -1 for one declared elsewhere."""

    name: str
    declared: int


@dataclass(frozen=True, slots=True)
class Point:
    """A scheduling point. ``id`` is what ``harness.point`` is called with: from 1, without gaps.

    ``function`` is schema, name and argument types, as the server writes them; ``line`` that of the body, as in the
    context of an error; ``kind`` says what comes next and ``sql`` is its text, shortened. After a ``last`` point
    nothing is left to do but to return. ``variables`` are those that can surely be read there, in the order in which
    the telling body tells their values.
    """

    id: int
    schema: str
    function: str
    line: int
    kind: str
    sql: str
    last: bool
    variables: tuple[Variable, ...] = ()


@dataclass(frozen=True, slots=True)
class Opaque:
    """Where steps cannot be told apart: a function, perhaps with a line, a rule, a table; and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rewritten:
    """One function: its definition up to the body, the body as it is without points, and with them.

    ``telling`` is the body whose points tell the values of variables as well; empty where it is the same.
    """

    name: str
    head: str
    source: str
    instrumented: str
    telling: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """A statement or a branch: its line in the body, what it is, and which announcement tells that it was reached.

    ``told_by`` is the id of a point, or that of a mark with a minus sign.
    """

    line: int
    what: str
    told_by: int


@dataclass(frozen=True, slots=True)
class Measured:
    """The statements and branches of one function (``harness.db.marks``)."""

    function: str
    statements: tuple[Site, ...]
    branches: tuple[Site, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """``points`` in the order of their ids; ``atomic`` are the names of the functions that are one step by nature.

    ``marks`` is the number of marks: their ids are from 1, without gaps. ``measured`` are the functions with marks,
    ``unmeasured`` those without, and why.
    """

    points: tuple[Point, ...]
    opaque: tuple[Opaque, ...]
    atomic: tuple[str, ...]
    rewritten: tuple[Rewritten, ...]
    marks: int = 0
    measured: tuple[Measured, ...] = ()
    unmeasured: tuple[Opaque, ...] = ()
