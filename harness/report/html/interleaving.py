"""A run as it is stepped through: what each step does in whose lane, sees and commits, and who waits meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from harness.report.html.blocking import Wait, blocking, lock
from harness.report.html.sources import Source
from harness.report.rows import Row, rows, without_news
from harness.report.statement import shorten

ROOM = 60
"""Characters of a statement in a lane; the whole of it stands beside."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """Across the lanes, from who waits to who holds what is wanted."""

    waiter: int
    holder: int
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a step. ``lane`` counts from 1. ``name`` is the session's where another one's line was before.

    ``arrows`` go across the lanes below it.
    """

    lane: int
    text: Markup
    style: str
    name: str
    arrows: Sequence[Arrow] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step as the page has it: ``line`` to ``until`` are the lines of ``source`` that it executes."""

    number: int
    session: str
    lines: Sequence[Line]
    waiting: frozenset[int]
    source: Source | None
    line: int
    until: int
    statement: str
    sent: str
    saw: Sequence[Mapping[str, Any]]
    reads: str
    commits: Sequence[Mapping[str, Any]]
    picture: Markup
    still: Sequence[Wait]
    folded: bool
    key: bool
    """It is one of those that the explanation names."""


def steps(story: Mapping[str, Any], bodies: Mapping[str, Source], because: Sequence[int]) -> list[Step]:
    """The steps of a ``counterexample.story``. ``because``: the numbers of those that explain it."""
    lanes = {str(name): number for number, name in enumerate(story["sessions"], 1)}
    told: dict[int, list[Row]] = {}
    for row in rows(story, full=True):
        told.setdefault(row.at, []).append(row)
    folded = without_news(story["steps"])
    waits = _waits(story)
    found = []
    for index, (step, now) in enumerate(zip(story["steps"], waits, strict=True)):
        function, _, line = str(step["where"]).rpartition(":")
        source = bodies.get(function)
        news = any(event["kind"] in ("wait", "deadlock") for event in step["events"])
        circle = next((event["cycle"] for event in step["events"] if event.get("cycle")), None)
        found.append(
            Step(
                number=step["step"],
                session=step["session"],
                lines=list(_lines(told.get(index, []), step, lanes)),
                waiting=frozenset(number + 1 for row in told.get(index, [])[-1:] for number in row.waiting),
                source=source,
                line=int(line) if source else 0,
                until=source.until(int(line)) if source else 0,
                statement=step.get("statement", ""),
                sent=step.get("sent", ""),
                saw=step.get("saw", ()),
                reads=_reads(step),
                commits=step.get("commits", ()),
                picture=_circle(circle) if circle else blocking(now) if now and news else Markup(),
                still=() if news else now,
                folded=index in folded and step["step"] not in because,
                key=step["step"] in because,
            )
        )
    return found


def linked(sentence: str, run: str) -> Markup:
    """A sentence in which ``step 7`` is a link to that step of the run whose anchor is ``run``."""
    parts = re.split(r"\b(step (\d+))\b", sentence)
    link = Markup('<a href="#{}-step-{}">{}</a>')
    texts = (escape(text) for text in parts[::3])
    links = (link.format(run, number, text) for text, number in zip(parts[1::3], parts[2::3], strict=True))
    return Markup().join(part for pair in zip(texts, [*links, ""], strict=True) for part in pair)


def _lines(told: Sequence[Row], step: Mapping[str, Any], lanes: Mapping[str, int]) -> Iterator[Line]:
    sessions = list(lanes)
    waits = iter([event for event in step["events"] if event["kind"] == "wait"])
    before = None
    for row in told:
        # A long name may be broken where it has an underscore.
        text = Markup("_<wbr>").join(escape(part) for part in (row.text + shorten(row.sql, ROOM)).split("_"))
        arrows = list(_arrows(next(waits), lanes)) if row.event == "wait" else []
        yield Line(row.session + 1, text, row.style, "" if row.session == before else sessions[row.session], arrows)
        before = row.session


def _arrows(event: Mapping[str, Any], lanes: Mapping[str, int]) -> Iterator[Arrow]:
    """From the session that waits to each that it waits for; none to a client that is not ours."""
    for peer in event.get("peers", ()):
        if peer in lanes and peer != event["session"]:
            yield Arrow(lanes[event["session"]], lanes[peer], lock(event.get("row")))


def _waits(story: Mapping[str, Any]) -> list[list[Wait]]:
    """Who waits for whom when each step is over."""
    now: dict[str, list[Wait]] = {}
    found = []
    for step in story["steps"]:
        for event in step["events"]:
            if event["kind"] == "wait":
                what = lock(event.get("row"))
                now[event["session"]] = [Wait(event["session"], peer, what) for peer in event.get("peers", ())]
            elif event["kind"] in ("wake", "deadlock", "error", "return"):
                now.pop(event["session"], None)
        found.append([wait for waits in now.values() for wait in waits])
    return found


def _circle(cycle: Sequence[Mapping[str, Any]]) -> Markup:
    return blocking([Wait(each["session"], each["waits_for"], lock(each.get("row"))) for each in cycle], circle=True)


def _reads(step: Mapping[str, Any]) -> str:
    if (upto := step.get("reads")) is None:
        return ""
    return "what was there at the start" if upto < 0 else f"what was committed up to step {upto}"
