"""A run in lanes: a column per session, a row per step, time downwards, and under it what the run has changed.

In the manner of PostgreSQL's isolationtester (who waits is said where it happens) and of Elle (first what, then why).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.changes import changes
from harness.report.page import Page, page
from harness.report.statement import shorten, writes

LANE_MIN = 28
"""Narrower lanes would show nothing of a statement: then the lanes become marks, and the text stands beside them."""

FOLD_MIN = 3
"""Fewer steps are shown rather than counted."""

SQLSTATES = {
    "08006": "connection lost",
    "22003": "number out of range",
    "22P02": "malformed value",
    "23502": "not-null violation",
    "23503": "foreign key violation",
    "23505": "unique violation",
    "23514": "check violation",
    "25P02": "transaction is aborted",
    "40001": "serialization failure",
    "40P01": "deadlock detected",
    "42501": "permission denied",
    "42P01": "no such table",
    "55P03": "lock not available",
    "57014": "statement cancelled",
    "57P01": "session terminated",
    "P0001": "exception raised",
    "P0002": "no such row",
    "P0004": "assertion failed",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the picture: ``text`` in the lane of ``session``. ``step`` is None on its further lines.

    ``sql`` is set after ``text`` as far as there is room.
    """

    session: int
    text: str
    sql: str = ""
    step: int | None = None
    style: str = ""
    function: str = ""


def lanes(
    story: Mapping[str, Any],
    *,
    width: int = 100,
    full: bool = False,
    colour: bool = False,
    guilty: Mapping[str, str] | None = None,
    ascii_only: bool | None = None,
) -> str:
    """The picture of a story (``counterexample.story`` in the run document), 60 columns or wider.

    ``full``: no step is left out. ``guilty``: the values that show the violation; their rows are marked.
    """
    paper = page(width, colour=colour, ascii_only=ascii_only)
    names = [str(name) for name in story["sessions"]]
    rows = told(story, full=full)
    lane = (paper.width - 4 - 2 * len(names)) // max(len(names), 1)
    lines = _columns(paper, names, rows, lane) if lane >= LANE_MIN else _marks(paper, names, rows)
    lines += ["", *changes(paper, story["start"], story["final"], guilty or {})]
    return "\n".join(line.rstrip() for line in lines)


def told(story: Mapping[str, Any], *, full: bool) -> list[Row]:
    """The rows of a story, in event order."""
    number = {str(name): index for index, name in enumerate(story["sessions"])}
    steps: Sequence[Mapping[str, Any]] = story["steps"]
    rows: list[Row] = []
    hidden = frozenset() if full else _without_news(steps)
    function: dict[int, str] = {}
    skipped = 0
    for index, step in enumerate(steps):
        session = number[step["session"]]
        if index in hidden:
            skipped += 1
            if index + 1 not in hidden:
                rows.append(Row(session, f"… {skipped} more steps", style="dim"))
                skipped = 0
            continue
        following = next((each for each in steps[index + 1 :] if each["session"] == step["session"]), None)
        if "preempts" in step:
            rows.append(Row(number[step["preempts"]], f"┊ preempted by {step['session']}", style="yellow"))
        own = _step_rows(step, session, following, function)
        first, *rest = own
        rows.append(Row(first.session, first.text, first.sql, int(step["step"]), first.style, first.function))
        rows += rest
        rows += _event_rows(step, number)
    return rows


def operation(text: str) -> str:
    """``CompleteCredit(purchase='p', amount=Decimal('10'))`` as people write it: ``CompleteCredit(purchase=p, amount=10)``."""
    text = re.sub(r"Decimal\('([^']*)'\)", r"\1", text)
    text = re.sub(r"\((('[^']*'(, )?)*),?\)", lambda found: "[" + found[1].rstrip(", ") + "]", text)
    return text.replace("'", "")


def sqlstate(detail: str) -> str:
    """``40P01 deadlock detected`` from ``40P01``, or from a detail that has a message of its own."""
    code, _, message = detail.partition(" ")
    return f"{code} {message or SQLSTATES.get(code, 'error')}"


def _step_rows(
    step: Mapping[str, Any], session: int, following: Mapping[str, Any] | None, function: dict[int, str]
) -> list[Row]:
    rows = []
    where, sql = step["where"], step.get("statement", "")
    if "invokes" in step:
        rows.append(Row(session, f"▸ {operation(step['invokes'])}", style="bold"))
    if where == "cancel":
        function.pop(session, None)
        return rows or [Row(session, "cancels")]
    if where == "client":
        inside = following["where"] if following and "sent" not in following and "invokes" not in following else ""
        callee = _function(inside)
        if callee and re.search(rf"\b{re.escape(callee)}\s*\(", sql):
            function[session] = callee
            return [*rows, Row(session, f"  calls {callee}")]
        function.pop(session, None)
        return [*rows, Row(session, "  ", sql or "…")]
    callee = _function(where)
    if sent := step.get("sent", ""):
        if re.search(rf"\b{re.escape(callee)}\s*\(", sent):
            function[session] = callee
            rows.append(Row(session, f"  calls {callee}"))
        else:
            rows.append(Row(session, "  ", sent))
    if function.get(session) != callee:
        function[session] = callee
        rows.append(Row(session, f"  in {callee}", style="dim"))
    line = where.rpartition(":")[2]
    return [*rows, Row(session, f"{line:>5}  ", sql or "end", function=callee)]


def _event_rows(step: Mapping[str, Any], number: Mapping[str, int]) -> list[Row]:
    events = step["events"]
    failed = {event["session"] for event in events if event["kind"] in ("error", "deadlock")}
    rows = []
    for event in events:
        who, peers = event["session"], event.get("peers", [])
        others = " and ".join(peers)
        match event["kind"]:
            case "wait":
                rows.append(Row(number[who], f"  waits for {others}", style="yellow"))
            case "wake" if who not in failed:
                rows.append(Row(number[who], f"  goes on, {others} let go" if others else "  goes on", style="dim"))
            case "deadlock":
                circle = " → ".join([*peers, peers[0]]) if peers else who
                rows.append(Row(number[who], f"  × deadlock: {circle}", style="red"))
            case "error":
                rows.append(Row(number[who], f"  × {sqlstate(event.get('detail', ''))}", style="red"))
            case "cancel":
                rows.append(Row(number[who], f"  cancels the statement of {others}", style="yellow"))
            case "return":
                answer = event.get("detail", "")
                rows.append(Row(number[who], f"→ {answer}", style="green" if answer.startswith("ok") else "red"))
    return rows


def _without_news(steps: Sequence[Mapping[str, Any]]) -> frozenset[int]:
    """Steps that tell nothing new: inside a turn, no event, no call, no write that was not seen before at that place."""
    dull: list[int] = []
    runs: list[list[int]] = []
    seen: set[tuple[str, str]] = set()
    for index, step in enumerate(steps):
        place = (step["session"], step["where"])
        new_write = writes(step.get("statement", "")) and place not in seen
        seen.add(place)
        neighbours = [steps[at]["session"] for at in (index - 1, index + 1) if 0 <= at < len(steps)]
        inside = len(neighbours) == 2 and set(neighbours) == {step["session"]}
        if inside and not (step["events"] or "preempts" in step or "invokes" in step or new_write):
            dull.append(index)
        elif dull:
            runs.append(dull)
            dull = []
    return frozenset(index for run in runs if len(run) >= FOLD_MIN for index in run)


def _function(where: str) -> str:
    """``complete`` of ``public.complete(uuid,numeric):25``; empty for the client and a cancel."""
    if ":" not in where:
        return ""
    return where.rpartition(":")[0].partition("(")[0].rpartition(".")[2]


def _columns(paper: Page, names: Sequence[str], rows: Sequence[Row], lane: int) -> list[str]:
    bar = paper.plain("│")
    empty = " " * lane
    header = f" {bar} ".join(paper.ink(paper.fit(name, lane - 1), "bold") for name in names)
    rule = paper.plain("┼").join(paper.plain("─") * (lane + 1 if index == 0 else lane + 1) for index in range(len(names)))
    lines = [f"step {bar} {header}", f"{paper.plain('─') * 5}{paper.plain('┼')}{rule}"]
    for row in rows:
        text = paper.ink(paper.fit(_text(row, lane - 1), lane - 1), row.style)
        cells = [text if index == row.session else empty[:-1] for index in range(len(names))]
        count = "    " if row.step is None else f"{row.step:>4}"
        lines.append(f"{count} {bar} " + f" {bar} ".join(cells))
    return lines


def _marks(paper: Page, names: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """A narrow page or many sessions: one mark per lane, the text on the right."""
    who = max(len(name) for name in names)
    room = paper.width - 6 - 2 * len(names) - who - 2
    bar = paper.plain("│")
    lines = []
    for row in rows:
        marks = " ".join(("*" if row.step is not None else "+") if at == row.session else bar for at in range(len(names)))
        count = "    " if row.step is None else f"{row.step:>4}"
        name = paper.fit(names[row.session], who) if row.step is not None else " " * who
        lines.append(f"{count}  {marks}  {name}  {paper.ink(paper.fit(_text(row, room), room), row.style)}")
    return lines


def _text(row: Row, room: int) -> str:
    return row.text + shorten(row.sql, room - len(row.text))
