"""The page of all past runs: when, what, which verdict, how much was explored, and how figures went over time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from harness.report.html.charts import sparkline
from harness.report.html.shell import MOODS, Body, Mood, Section, page, rendered
from harness.report.html.table import Cell, Column, table
from harness.report.phrases import count, seconds
from harness.report.verdicts import words
from harness.report.views import HEADLINE

TREND_MAX = 60
"""Runs that one trend shows: the last ones."""

_MOODS: Mapping[str, Mood] = {**MOODS, "alert": "bad", "slower": "bad", "ok": "good", "no_slowdown": "good"}
_MARKS = {"good": "✓", "bad": "✗", "doubt": "?", "plain": "·"}


@dataclass(frozen=True, slots=True)
class Known:
    """A file among the run documents, and the address of its page, if it has one.

    Without a document, ``trouble`` says why.
    """

    file: str
    document: Mapping[str, Any] | None
    page: str
    trouble: str = ""

    @property
    def began(self) -> str:
        """When, as ISO has it; empty for a document without a run."""
        return str((self.document or {}).get("run", {}).get("began", ""))

    @property
    def what(self) -> str:
        """Command and what it was about, as in the id; of one without a run, its format."""
        run = (self.document or {}).get("run", {}).get("id", "")
        found = re.fullmatch(r"\d{8}-\d{6}-(.+)-[0-9a-f]{6}", run)
        return found[1] if found else str((self.document or {})["format"]).removeprefix("harness-")


def index_page(known: Sequence[Known]) -> str:
    """The page, of whatever lies among the run documents."""
    return page(body(known), {"format": "harness-report"})


def body(known: Sequence[Known]) -> Body:
    """What is on it: the runs, the latest first; trends; and files that are none."""
    told = sorted((each for each in known if each.document is not None), key=lambda each: (each.began, each.file))
    strange = [f"{each.file}: {each.trouble}" for each in known if each.document is None]
    bad = sum(_mood(each) == "bad" for each in told)
    facts = [f"{count(bad, 'run')} broke something" if bad else "none of them broke anything"] if told else []
    return Body(
        title="runs",
        verdict=f"{count(len(told), 'run')}" if told else "There is no run yet",
        mood="plain",
        facts=facts + ([f"{count(len(strange), 'file')} could not be read"] if strange else []),
        sections=[
            Section("runs", "Runs", _runs(told[::-1]), count(len(told), "run")),
            Section("trends", "Trends", _trends(told), f"the last {TREND_MAX} of each kind, the oldest first"),
            Section("strange", "Files that are no run", rendered("lines.html.jinja", lines=strange)),
        ],
        styles=("charts.css",),
    )


def _runs(told: Sequence[Known]) -> Markup:
    columns = [
        Column("when"),
        Column("command", choice=True),
        Column("run"),
        Column("verdict", choice=True),
        Column("explored"),
        Column("took", right=True),
    ]
    rows = []
    for each in told:
        document = each.document or {}
        took = document.get("seconds")
        rows.append(
            (
                Cell(each.began.replace("T", " ").removesuffix("Z") or "-", sort=each.began),
                str(document["format"]).removeprefix("harness-"),
                Cell(_linked(each), below=_headline(document)),
                Cell(words(document["verdict"]), _mood(each)),
                _extent(document),
                Cell("-" if took is None else seconds(took), sort=took or 0),
            )
        )
    return table("runs", columns, rows, filtered=True) if rows else Markup()


def _linked(each: Known) -> Markup:
    return Markup('<a href="{}">{}</a>').format(each.page, each.what) if each.page else Markup("{}").format(each.what)


def _trends(told: Sequence[Known]) -> Markup:
    groups: dict[str, list[Known]] = {}
    for each in told:
        groups.setdefault(each.what, []).append(each)
    rows = []
    for what, runs in groups.items():
        if len(runs) < 2:
            continue
        latest = runs[-TREND_MAX:]
        marks = "".join(_MARKS[_mood(each)] for each in latest)
        rows.append((what, "verdict", Cell(marks), words((latest[-1].document or {})["verdict"])))
        measured = [dict(_figures(each.document or {})) for each in latest]
        for name in dict.fromkeys(name for figures in measured for name in figures):
            values = [figures.get(name) for figures in measured]
            rows.append((what, name, Cell(sparkline(values, _told)), _last(values)))
    columns = [Column("runs", choice=True), Column("figure"), Column("over time"), Column("latest", right=True)]
    return table("trends", columns, rows, filtered=len(groups) > 1) if rows else Markup()


def _last(values: Sequence[float | None]) -> str:
    return next((_told(value) for value in reversed(values) if value is not None), "-")


def _told(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _mood(each: Known) -> Mood:
    return _MOODS.get((each.document or {})["verdict"], "doubt")


def _headline(document: Mapping[str, Any]) -> str:
    told: Callable[[Mapping[str, Any]], str] | None = HEADLINE.get(document["format"])
    return told(document) if told else ""


def _extent(document: Mapping[str, Any]) -> str:
    match document["format"]:
        case "harness-verify":
            scenarios = count(len(document["scenarios"]), "scenario")
            return f"{count(document['schedules'], 'schedule')} of {scenarios}"
        case "harness-faults":
            return f"{count(document['histories'], 'history', 'histories')}, {count(document['strikes'], 'strike')}"
        case "harness-model":
            return f"{count(document['lives'], 'life', 'lives')} of {count(document['steps'], 'step')}"
        case "harness-load":
            return count(document["requests"], "request")
        case "harness-compare":
            return count(len(document["functions"]), "function")
        case "harness-gate":
            return count(sum(each["status"] == "ran" for each in document["parts"]), "part")
    return ""


def _figures(document: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """What is followed over time."""
    took = document.get("seconds") or 0
    match document["format"]:
        case "harness-verify":
            if took:
                yield "schedules per second", document["schedules"] / took
            if (percent := document["coverage"]["sql"].get("statements_percent")) is not None:
                yield "statements covered, %", percent
        case "harness-faults" if took:
            yield "histories per second", document["histories"] / took
        case "harness-model" if took:
            yield "lives per second", document["lives"] / took
        case "harness-load" if document["operations"]:
            yield "requests per second", document["per_second"]
            busiest = max(document["operations"], key=lambda each: each["requests"])
            for name in ("p50", "p99"):
                yield f"{busiest['name']}, {name} ms", busiest["closed_ms"][name]
        case "harness-monitor":
            for each in document["metrics"]:
                if each["value"] is not None:
                    yield each["id"], each["value"]
        case "harness-compare":
            for each in document["functions"]:
                for figure in each["figures"]:
                    if figure["increase"] and figure["increase"]["middle"] is not None:
                        yield f"{each['id']}, {figure['id']} ratio", 1 + figure["increase"]["middle"]
