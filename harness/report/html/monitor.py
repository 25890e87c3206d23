"""The page of a look at a live marketplace: what alarms, and each metric beside what is expected of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from harness.report.html.shell import Body, Mood, Section, rendered
from harness.report.html.table import Cell, Column, table
from harness.report.html.verify import again
from harness.report.monitor import GRADES, basis, headline, metrics

_MOODS: dict[str, Mood] = {"alert": "bad", "ok": "good", "no_data": "plain"}


def body(document: Mapping[str, Any]) -> Body:
    """The page of a run document harness-monitor."""
    leads = [f"sold more than once: {lead}" for each in document["metrics"] for lead in each["leads"]]
    return Body(
        title=f"marketplace: {document['verdict'].replace('_', ' ')}",
        verdict=headline(document),
        mood=_MOODS.get(document["verdict"], "doubt"),
        facts=[basis(document), f"looked at {document['at']}"],
        sections=[
            Section("metrics", "Metrics", measured(document)),
            Section("leads", "Leads", rendered("lines.html.jinja", lines=leads)),
            Section("again", "Look again", again(document, [])),
        ],
    )


def measured(document: Mapping[str, Any]) -> Markup:
    """Every metric: its verdict, what was measured, and its limits."""
    columns = ("metric", "verdict", "measured", "expected", "alert")
    rows = [
        (
            Cell(metric.title, below=metric.told),
            Cell(GRADES[each["verdict"]][0], _MOODS.get(each["verdict"], "doubt")),
            Cell(metric.value, sort=each["value"]),
            metric.expected,
            metric.alert,
        )
        for each, metric in zip(document["metrics"], metrics(document), strict=True)
    ]
    return table("metrics", [Column(title) for title in columns], rows)
