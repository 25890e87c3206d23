"""Counterexamples as a trace in Chrome's JSON format, for Perfetto: what happened when, as if steps took time.

Each session is a process of its own; steps and lock waits are slices, an arrow leads from who let go to who goes on,
and errors, deadlocks and faults are instants. One step is one millisecond: order is meant, not duration.

Perfetto takes the ids of arrows for hexadecimal numbers, names threads by their id alone, whosever they are, and takes
one with the id of its process for the main thread. So ids are numbers, and no thread's is another's or a process's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from harness.report.counterexamples import Showing, reason, showings
from harness.report.phrases import operation, sqlstate
from harness.report.statement import shorten

STEP_US = 1000
"""Microseconds in the trace, for one step."""

GAP_US = 100_000
"""Between the beginnings of two counterexamples at least, which follow each other on one axis."""

THREADS = ("steps", "lock waits", "operations")
"""Of each process; the first has the id of its process and 1 as its own."""

APART = 10
"""From the id of one process to that of the next."""

TEXT_MAX = 80

Event = dict[str, Any]

_INSTANTS = {"deadlock": "deadlock", "error": "error", "fault": "fault"}


def trace(document: Mapping[str, Any]) -> str:
    """The trace of all counterexamples of a run document, as JSON text; each has processes of its own."""
    events: list[Event] = []
    pid, start = APART, 0
    arrows = count(1)
    for number, showing in enumerate(showings(document)):
        story = showing.counterexample["story"]
        events += _processes(showing, pid, number)
        events += _Tracing(story, pid, start, arrows).events()
        events.append(_broken(showing, pid, start + len(story["steps"]) * STEP_US))
        pid += len(story["sessions"]) * APART
        start += max(GAP_US, (len(story["steps"]) + 2) * STEP_US)
    run = document.get("run", {})
    about = {"verdict": document["verdict"], "subject": document["subject"]["name"], **run}
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms", "otherData": about}, indent=1) + "\n"


def _processes(showing: Showing, pid: int, number: int) -> Iterator[Event]:
    broken = ", ".join(each["id"] for each in showing.properties)
    why = "; ".join(reason(each) for each in showing.properties)
    for index, name in enumerate(showing.counterexample["story"]["sessions"]):
        own = pid + index * APART
        here = {"ph": "M", "pid": own, "tid": own + 1, "ts": 0}
        yield {**here, "name": "process_name", "args": {"name": f"{name} ({number + 1}: {broken})"}}
        yield {**here, "name": "process_labels", "args": {"labels": why}}
        yield {**here, "name": "process_sort_index", "args": {"sort_index": own}}
        for tid, thread in enumerate(THREADS, own + 1):
            yield {**here, "tid": tid, "name": "thread_name", "args": {"name": thread}}
            yield {**here, "tid": tid, "name": "thread_sort_index", "args": {"sort_index": tid}}


def _broken(showing: Showing, pid: int, at: int) -> Event:
    """What came of it, across all sessions when they have ended."""
    name = "; ".join(f"{each['id']}: {reason(each)}" for each in showing.properties)
    return {"ph": "i", "s": "g", "pid": pid, "tid": pid + 1, "ts": at, "name": name, "cat": "broken", "args": {}}


class _Tracing:
    """One story, whose sessions are processes from ``pid`` on, and whose step 0 begins at ``start`` microseconds.

    ``arrows`` gives the ids of its arrows.
    """

    def __init__(self, story: Mapping[str, Any], pid: int, start: int, arrows: Iterator[int]) -> None:
        self._steps: Sequence[Mapping[str, Any]] = story["steps"]
        self._pid = {str(name): pid + index * APART for index, name in enumerate(story["sessions"])}
        self._start = start
        self._arrows = arrows
        self._waited: dict[str, int] = {}
        self._waits: dict[str, tuple[int, Mapping[str, Any]]] = {}
        self._operations: dict[str, tuple[int, str]] = {}

    def events(self) -> Iterator[Event]:
        for index, step in enumerate(self._steps):
            at = self._at(index)
            if "invokes" in step:
                self._operations[step["session"]] = (at, operation(step["invokes"]))
            yield self._slice(step["session"], self._name(step), at, STEP_US - 100, self._arguments(step), "step")
            for event in step["events"]:
                yield from self._event(event, step, at)
        end = self._at(len(self._steps))
        for session, (since, event) in self._waits.items():
            yield self._wait(session, since, end, event)
        for session, (since, name) in self._operations.items():
            yield self._operation(session, name, since, end, "no answer")

    def _event(self, event: Mapping[str, Any], step: Mapping[str, Any], at: int) -> Iterator[Event]:
        session, kind = event["session"], event["kind"]
        late = at + STEP_US - 100
        if kind == "wait" and session not in self._waits:
            self._waits[session] = (max(late, self._waited.get(session, 0)), event)
        if kind in ("wake", "deadlock") and session in self._waits:
            since, waited = self._waits.pop(session)
            until = self._waited[session] = max(since + 1, late)
            yield self._wait(session, since, until, waited)
            if kind == "wake":
                yield from self._arrow(step["session"], session, at, until - 1)
        if kind in _INSTANTS:
            detail = event.get("detail", "")
            name = sqlstate(detail) if kind == "error" and detail else f"{_INSTANTS[kind]} {detail}".strip()
            yield {
                **self._here(session, at + STEP_US // 2),
                "ph": "i",
                "s": "p",
                "name": name,
                "cat": kind,
                "args": {"peers": list(event.get("peers", []))},
            }
        if kind == "return" and session in self._operations:
            since, name = self._operations.pop(session)
            yield self._operation(session, name, since, late, event["detail"])

    def _arrow(self, giver: str, taker: str, at: int, until: int) -> Iterator[Event]:
        # A flow binds to the slice that encloses its moment: the step of the one, the wait of the other.
        arrow = {"name": "let go", "cat": "lock", "id": next(self._arrows)}
        yield {**self._here(giver, at + STEP_US // 2), **arrow, "ph": "s"}
        yield {**self._here(taker, until, thread=2), **arrow, "ph": "f", "bp": "e"}

    def _wait(self, session: str, since: int, until: int, event: Mapping[str, Any]) -> Event:
        row = event.get("row") or {}
        on = " ".join(str(row[name]) for name in ("table", "name", "key") if row.get(name))
        name = f"waits for {' and '.join(event.get('peers', [])) or 'a lock'}" + (f" on {on}" if on else "")
        return self._slice(session, name, since, until - since, {}, "wait", thread=2)

    def _operation(self, session: str, name: str, since: int, until: int, answer: str) -> Event:
        return self._slice(session, name, since, max(until - since, 1), {"answer": answer}, "operation", thread=3)

    def _slice(
        self, session: str, name: str, at: int, length: int, arguments: Mapping[str, Any], kind: str, thread: int = 1
    ) -> Event:
        here = self._here(session, at, thread)
        return {**here, "ph": "X", "dur": length, "name": name, "cat": kind, "args": dict(arguments)}

    def _here(self, session: str, at: int, thread: int = 1) -> Event:
        return {"pid": self._pid[session], "tid": self._pid[session] + thread, "ts": at}

    def _at(self, index: int) -> int:
        return self._start + index * STEP_US

    @staticmethod
    def _name(step: Mapping[str, Any]) -> str:
        if step["where"] == "fault":
            return "fault"
        return shorten(step.get("statement") or "", TEXT_MAX)[:TEXT_MAX] or "end of function"

    @staticmethod
    def _arguments(step: Mapping[str, Any]) -> dict[str, Any]:
        wanted = ("step", "where", "statement", "sent", "preempts", "reads")
        found = {name: step[name] for name in wanted if name in step}
        found |= {f"saw {each['name']}": each["value"] for each in step.get("saw", [])}
        return found | {
            f"commits {each['name']}": f"{each['before']} → {each['after']}" for each in step.get("commits", [])
        }
