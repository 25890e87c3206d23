"""What each step made its session see: the variables of its function that have another value at the next point.

The telling copies of the functions (``harness.db.instrument.telling``) announce the values at every point. When a
function is entered they are noted and no news: what counts is what they become in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from harness.db.plan import Plan, Point, Variable
from harness.db.session import Told
from harness.db.variables import FOUND
from harness.marketplace.names import Names
from harness.words.secret import HIDDEN, names_a_secret, without_secrets_in

LENGTH_MAX = 200
"""Characters of a value."""

_KINDS = {"top_up": "top-up"}
"""Kinds of things of ``Names`` that a reader calls by another word."""

_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d:\d\d[\d.:+Z-]*)?|\d\d:\d\d:\d\d[\d.:+Z-]*")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Sighting(NamedTuple):
    """What a point told of a session, and the step of that session which had led to it."""

    step: int
    session: int
    told: Told


class _Frame(NamedTuple):
    """A function that is being executed: where it was last, and the values that its variables had there."""

    point: Point
    values: Mapping[Variable, Any]


def saw(
    steps: Sequence[Mapping[str, Any]], sightings: Sequence[Sighting], plan: Plan, names: Names
) -> dict[int, list[dict[str, str]]]:
    """The field ``saw`` of the steps of a story, by number, of those that have one."""
    points = {point.id: point for point in plan.points}
    frames: dict[int, dict[int, _Frame]] = {}
    found: dict[int, list[dict[str, str]]] = {}
    statement: dict[int, int] = {}
    began = list(_statements(steps))
    for step, session, told in sightings:
        point = points[told.point]
        if statement.get(session) != began[step]:
            statement[session] = began[step]
            frames[session] = {}
        own = frames[session] = {depth: frame for depth, frame in frames[session].items() if depth <= told.depth}
        values = dict(zip(point.variables, json.loads(told.values, parse_float=str, parse_int=str), strict=True))
        before = own.get(told.depth)
        own[told.depth] = _Frame(point, values)
        if before is None or before.point.function != point.function or before.point.kind in ("return", "end"):
            continue
        # Of what was not in sight at the point before, a null is no news either.
        news = [
            {"name": _name(variable), "value": shown(value, names, variable.name)}
            for variable, value in values.items()
            if value != before.values.get(variable)
        ]
        if news:
            found[step] = list({each["name"]: each for each in [*found.get(step, ()), *news]}.values())
    return found


def shown(value: Any, names: Names, name: str) -> str:
    """What has this name, as a reader understands it, and the same in every run: ids of the scenario's things by their
    names, no clock, no other id and no secret. At most ``LENGTH_MAX`` characters."""
    text = without_secrets_in(_text(value, names, name))
    return text if len(text) <= LENGTH_MAX else f"{text[: LENGTH_MAX - 1]}…"


def _text(value: Any, names: Names, name: str) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if names_a_secret(name):
        return HIDDEN
    if isinstance(value, Mapping):
        parts = [f"{each} {_text(part, names, each)}" for each, part in value.items() if part is not None]
        return ", ".join(parts) or "null"
    if isinstance(value, list):
        return f"[{', '.join(_text(part, names, '') for part in value)}]"
    if (thing := _thing(value, names)) is not None:
        return thing
    return _UUID.sub(lambda id_: _thing(id_[0], names) or "an id", _TIME.sub("a time", value)) if value else "''"


def _thing(id_text: str, names: Names) -> str | None:
    known = names.thing_of(id_text)
    return None if known is None else f"{_KINDS.get(known[0], known[0])} {known[1]}"


def _name(variable: Variable) -> str:
    return "FOUND" if variable == FOUND else variable.name


def _statements(steps: Sequence[Mapping[str, Any]]) -> Iterator[int]:
    """For each step the one in which its session's client sent the statement that it is in."""
    since: dict[str, int] = {}
    for step in steps:
        if step["where"] == "client" or "sent" in step:
            since[step["session"]] = step["step"]
        yield since.get(step["session"], -1)
