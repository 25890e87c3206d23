"""What instrumenting a subject's functions means: the points, and what has none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """A scheduling point. ``id`` is what ``harness.point`` is called with: from 1, without gaps.

    ``function`` is schema, name and argument types, as the server writes them; ``line`` that of the body, as in the
    context of an error; ``kind`` says what comes next and ``sql`` is its text, shortened. After a ``last`` point
    nothing is left to do but to return.
    """

    id: int
    schema: str
    function: str
    line: int
    kind: str
    sql: str
    last: bool


@dataclass(frozen=True, slots=True)
class Opaque:
    """Where steps cannot be told apart: a function, perhaps with a line, a rule, a table; and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rewritten:
    """One function: its definition up to the body, the body as it is without points, and with them."""

    name: str
    head: str
    source: str
    instrumented: str


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
