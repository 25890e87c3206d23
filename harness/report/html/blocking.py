"""Who waits for whom, drawn: a box for each session, an arrow to whoever it waits for, and what for below it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from harness.report.html.shell import rendered

_BOX = (92.0, 26.0)
"""Width and height of a session's box, in pixels."""

_NAME_MAX = 12
"""Characters of a session's name that fit into its box."""

_LOCKS = {"transactionid": "the end of its transaction", "advisory": "an advisory lock", "relation": "a whole table"}
"""What is waited for where no row is known."""


@dataclass(frozen=True, slots=True)
class Wait:
    """``waiter`` waits for ``holder``; ``what`` says for which lock, and is empty where nobody knows."""

    waiter: str
    holder: str
    what: str = ""


@dataclass(frozen=True, slots=True)
class _Arrow:
    """A line and where its head points to; ``number`` stands beside its middle, and in the list below."""

    x1: float
    y1: float
    x2: float
    y2: float
    degrees: float
    number: int


def lock(row: Mapping[str, Any] | None) -> str:
    """``lead L1 (FOR UPDATE)``: a row that is waited for, in words."""
    if not row:
        return ""
    name = row.get("name") or " ".join(part for part in (row.get("table"), row.get("key")) if part)
    name = name or _LOCKS.get(row.get("lock", ""), row.get("lock", ""))
    return f"{name} ({row['mode']})" if row.get("mode") else str(name)


def blocking(waits: Sequence[Wait], *, circle: bool = False) -> Markup:
    """The picture of some waits; ``circle``: they are a deadlock."""
    names = list(dict.fromkeys(name for wait in waits for name in (wait.waiter, wait.holder)))
    width, height = (300.0, 74.0) if len(names) < 3 else (340.0, 190.0)
    middles = dict(zip(names, _middles(len(names), width, height), strict=True))
    pairs = {(wait.waiter, wait.holder) for wait in waits}
    arrows = [
        _arrow(middles[wait.waiter], middles[wait.holder], number, (wait.holder, wait.waiter) in pairs)
        for number, wait in enumerate(waits, 1)
    ]
    boxes = [(name, name if len(name) <= _NAME_MAX else name[: _NAME_MAX - 1] + "…", *middles[name]) for name in names]
    return rendered(
        "blocking.html.jinja", boxes=boxes, arrows=arrows, waits=waits, circle=circle, size=(width, height), box=_BOX
    )


def _middles(number: int, width: float, height: float) -> list[tuple[float, float]]:
    """Where the boxes are: side by side, or around an ellipse from the top."""
    across, down = width / 2 - _BOX[0] / 2 - 4, height / 2 - _BOX[1] / 2 - 4
    if number < 3:
        return [(width / 2 - across, height / 2), (width / 2 + across, height / 2)][:number]
    turns = [math.tau * index / number - math.pi / 2 for index in range(number)]
    return [(width / 2 + across * math.cos(turn), height / 2 + down * math.sin(turn)) for turn in turns]


def _arrow(start: tuple[float, float], end: tuple[float, float], number: int, both_ways: bool) -> _Arrow:
    """From the border of one box to that of the other; beside the middle line when another comes back."""
    turn = math.atan2(end[1] - start[1], end[0] - start[0])
    aside = 9.0 if both_ways else 0.0
    x, y = -math.sin(turn) * aside, math.cos(turn) * aside
    gap = _to_border(turn) + 4
    step_x, step_y = math.cos(turn) * gap, math.sin(turn) * gap
    return _Arrow(
        start[0] + step_x + x,
        start[1] + step_y + y,
        end[0] - step_x + x,
        end[1] - step_y + y,
        math.degrees(turn),
        number,
    )


def _to_border(turn: float) -> float:
    """How far it is from the middle of a box to its border, in a direction."""
    across, down = abs(math.cos(turn)), abs(math.sin(turn))
    return min(_BOX[0] / 2 / across if across else math.inf, _BOX[1] / 2 / down if down else math.inf)
