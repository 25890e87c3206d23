"""A story as the rows of a picture: in event order, each row of one session, and who waits meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.report.phrases import operation, sqlstate, strike
from harness.report.statement import writes

FOLD_MIN = 3
"""Fewer steps are shown rather than counted."""

SHORT = 16
"""A story of no more steps is shown whole."""

Step = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One row, in the lane of ``session``. ``sql`` is set after ``text``, shortened to the room that there is.

    ``step`` is the number of the step that begins here, None on its further rows. ``waiting`` are the sessions that
    wait for a lock while this happens. ``at`` is the index of the step that this is told with, ``event`` the kind of
    the event that it tells.
    """

    session: int
    text: str
    sql: str = ""
    style: str = ""
    step: int | None = None
    waiting: frozenset[int] = frozenset()
    at: int = 0
    event: str = ""


def rows(story: Mapping[str, Any], *, full: bool) -> list[Row]:
    """The rows of a ``counterexample.story``. Unless ``full``, runs of steps without news become one row."""
    return list(_Telling(story).tell(full))


class _Telling:
    def __init__(self, story: Mapping[str, Any]) -> None:
        self._steps: Sequence[Step] = story["steps"]
        self._number = {str(name): index for index, name in enumerate(story["sessions"])}
        self._waiting: frozenset[int] = frozenset()
        self._at = 0
        self._function: dict[int, str] = {}
        """The function in which the reader knows each session to be."""

    def tell(self, full: bool) -> Iterator[Row]:
        folded = frozenset() if full else without_news(self._steps)
        for index, step in enumerate(self._steps):
            self._at = index
            session = self._number[step["session"]]
            if index in folded:
                if index - 1 not in folded:
                    end = next(at for at in range(index, len(self._steps) + 1) if at not in folded)
                    yield self._row(session, f"  … {end - index} more steps", style="dim")
                continue
            if "preempts" in step:
                yield self._row(self._number[step["preempts"]], f"↯ preempted by {step['session']}", style="yellow")
            first = True
            for row in self._of_step(index, step, session):
                yield replace(row, step=int(step["step"])) if first else row
                first = False
            for commit in step.get("commits", ()) if full else ():
                change = f"{commit['name']}: {commit['before']} → {commit['after']}"
                yield self._row(session, f"  committed {change}", style="dim")

    def _of_step(self, index: int, step: Step, session: int) -> Iterator[Row]:
        events = list(step["events"])
        if "invokes" in step:
            yield self._row(session, f"▸ {operation(step['invokes'])}", style="bold")
        if step["where"] == "fault":
            struck = next((event for event in events if event["kind"] == "fault"), None)
            done = strike(struck.get("detail", ""), _names(struck)) if struck else "finds nothing to strike"
            yield self._row(session, f"  {done}", step.get("statement", ""))
            events = [event for event in events if event is not struck]
        elif step["where"] == "client":
            yield self._sent(session, step.get("statement", ""), self._next_place(index, step["session"]))
        else:
            yield from self._at_point(step, session)
        answer = _own_answer(step, events)
        if answer and not step.get("statement"):
            events.remove(answer)
            yield self._row(session, f"{_line(step):>3} → {answer['detail']}", style=_mood(answer["detail"]))
        elif step["where"] not in ("fault", "client"):
            yield self._row(session, f"{_line(step):>3} ", step.get("statement") or "end of function")
        yield from self._of_events(events)

    def _at_point(self, step: Step, session: int) -> Iterator[Row]:
        if sent := step.get("sent"):
            yield self._sent(session, sent, step["where"])
        function = _function(step["where"])
        if self._function.get(session) != function:
            self._function[session] = function
            yield self._row(session, f"  in {function}", style="dim")

    def _sent(self, session: int, sql: str, then: str) -> Row:
        """What the client sends; ``then`` is the place where the session will be after that."""
        function = _function(then)
        if function and re.search(rf"\b{re.escape(function)}\s*\(", sql):
            self._function[session] = function
            return self._row(session, f"  calls {function}")
        self._function.pop(session, None)
        return self._row(session, "  ", sql or "goes on")

    def _next_place(self, index: int, session: str) -> str:
        """Where the session takes its next step, if that belongs to what it has just sent."""
        step = next((each for each in self._steps[index + 1 :] if each["session"] == session), None)
        return "" if step is None or "sent" in step or "invokes" in step else str(step["where"])

    def _of_events(self, events: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
        failed = {event["session"] for event in events if event["kind"] in ("error", "deadlock")}
        for event in events:
            for row in self._of_event(event, failed):
                yield replace(row, event=event["kind"])

    def _of_event(self, event: Mapping[str, Any], failed: set[str]) -> Iterator[Row]:
        name, peers = event["session"], event.get("peers", [])
        session = self._number[name]
        match event["kind"]:
            case "wait":
                yield self._row(session, f"  waits for {_names(event)}{_awaited(event)}", style="yellow")
                self._waiting |= {session}
            case "wake":
                self._waiting -= {session}
                if name not in failed:
                    yield self._row(
                        session, f"  goes on: {_names(event)} let go" if peers else "  goes on", style="dim"
                    )
            case "deadlock":
                self._waiting -= {session}
                circle = " → ".join([*peers, *peers[:1]])
                yield self._row(session, f"  ✗ deadlock: {circle}", style="red")
            case "error":
                yield self._row(session, f"  ✗ {sqlstate(event.get('detail', ''))}", style="red")
            case "return":
                yield self._row(session, f"  → {event['detail']}", style=_mood(event["detail"]))

    def _row(self, session: int, text: str, sql: str = "", style: str = "") -> Row:
        return Row(session, text, sql, style, waiting=self._waiting - {session}, at=self._at)


def without_news(steps: Sequence[Step]) -> frozenset[int]:
    """The steps that tell nothing new: inside a turn, with no event, no call, and no write that is the first there."""
    if len(steps) <= SHORT:
        return frozenset()
    runs: list[list[int]] = [[]]
    seen: set[tuple[str, str]] = set()
    for index, step in enumerate(steps):
        place = (step["session"], step["where"])
        news = step["events"] or "preempts" in step or "invokes" in step
        news = news or (writes(step.get("statement", "")) and place not in seen)
        seen.add(place)
        neighbours = [steps[at]["session"] for at in (index - 1, index + 1) if 0 <= at < len(steps)]
        if news or neighbours != [step["session"]] * 2:
            runs.append([])
        else:
            runs[-1].append(index)
    return frozenset(index for run in runs if len(run) >= FOLD_MIN for index in run)


def _own_answer(step: Step, events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((each for each in events if each["kind"] == "return" and each["session"] == step["session"]), None)


def _names(event: Mapping[str, Any]) -> str:
    return " and ".join(event.get("peers", []))


def _awaited(event: Mapping[str, Any]) -> str:
    """The row that is waited for, where its name is known: ``: lead L1``."""
    row = event.get("row")
    return f": {row['name']}" if row and row["name"] else ""


def _mood(answer: str) -> str:
    return "green" if answer.startswith("ok") else "red"


def _line(step: Step) -> str:
    return str(step["where"]).rpartition(":")[2]


def _function(where: str) -> str:
    """``complete`` of ``public.complete(uuid,numeric):25``; empty for the client and a fault."""
    return where.rpartition(":")[0].partition("(")[0].rpartition(".")[2]
