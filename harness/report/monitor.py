"""A look at a live marketplace as text: what alarms first, then every metric beside what is expected of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.report.page import page
from harness.report.phrases import count, percent, seconds
from harness.report.table import Column, Line, table

TITLES = {
    "purchase-conflict-rate": "purchase conflict rate",
    "sold-count-consistency": "sold count consistency",
    "completion-time-credits": "completion time, credits",
    "completion-time-stripe": "completion time, Stripe",
    "webhook-idempotency-hit-rate": "webhook idempotency hit rate",
}
"""What each metric is called."""

_HEADS = {
    "alert": ("ALERT: {}", "bold red"),
    "could_not_run": ("NOT MEASURED: {}", "yellow"),
    "nothing_measured": ("NOTHING MEASURED: there was nothing to look at", "yellow"),
    "above_expected": ("ABOVE EXPECTED: {}", "yellow"),
    "ok": ("OK: {} as expected", "green"),
}
_DECIDES = {"alert": "alert", "could_not_run": "not_measured", "above_expected": "above_expected", "ok": "ok"}
"""Verdict of the whole to that of the metrics which its first line names."""

GRADES = {
    "ok": ("ok", "green"),
    "above_expected": ("above expected", "yellow"),
    "alert": ("ALERT", "bold red"),
    "no_data": ("no data", "dim"),
    "not_measured": ("not measured", "yellow"),
}
_COLUMNS = (
    Column("metric"),
    Column("verdict"),
    Column("measured", worth=8),
    Column("expected", worth=7),
    Column("alert", worth=7),
)


def render_monitor(
    document: Mapping[str, Any], *, width: int = 100, colour: bool = False, ascii_only: bool | None = None
) -> str:
    """A run document (harness-monitor, version 2) on a page of ``width`` columns."""
    paper = page(width, colour=colour, ascii_only=ascii_only)
    verdict = [paper.ink(line, _HEADS[document["verdict"]][1]) for line in paper.wrap(headline(document))]
    lines = []
    for each, metric in zip(document["metrics"], metrics(document), strict=True):
        grade, ink = GRADES[each["verdict"]]
        cells = (metric.title, grade, metric.value, metric.expected, metric.alert)
        lines.append(Line(cells, metric.told, style=ink, styled=2))
    leads = [line for each in document["metrics"] for line in each["leads"]]
    return "\n".join(
        [
            *verdict,
            *paper.wrap(basis(document)),
            "",
            *table(paper, _COLUMNS, lines),
            *(["", *paper.wrap(f"sold more than once: {', '.join(leads)}", 2, 2)] if leads else []),
            "",
            *verdict,
        ]
    )


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric in words: its value, its limits, and what the value is made of."""

    title: str
    value: str
    expected: str
    alert: str
    told: str


def metrics(document: Mapping[str, Any]) -> list[Metric]:
    """Every metric, in the order of the document."""
    found = []
    for each in document["metrics"]:
        value = _value(each["unit"], each["value"]) if each["value"] is not None else "-"
        told = [each["reason"]] if each["reason"] else []
        if each["counted"] or each["figures"]:
            told.append(_counted(each))
        found.append(Metric(TITLES[each["id"]], value, _expected(each), _alert(each), "; ".join(told)))
    return found


def headline(document: Mapping[str, Any]) -> str:
    """The result in one line."""
    deciding = _DECIDES.get(document["verdict"])
    named = ", ".join(TITLES[each["id"]] for each in document["metrics"] if each["verdict"] == deciding)
    return _HEADS[document["verdict"]][0].format(named)


def basis(document: Mapping[str, Any]) -> str:
    """What was looked at, and over which time."""
    said = f"PostgreSQL {document['server']['version']}, purchases completed in the last "
    said += seconds(document["window_seconds"])
    if (counters := document["counters"]) is None:
        return said
    length = counters["seconds"]
    if counters["since"] == "first_scrape":
        over = f"between two scrapes {seconds(length or 0)} apart"
    else:
        over = "since it started" + ("" if length is None else f", {seconds(length)} ago")
    return f"{said}; what the API has counted {over}"


def _value(unit: str, value: float) -> str:
    match unit:
        case "share":
            return percent(value)
        case "seconds":
            return seconds(value)
    return f"{value:,}"


def _expected(each: Mapping[str, Any]) -> str:
    text = _limit(each["unit"], each["expected"])
    return text if each["expected"] == each["alert"] else ("≤ " if each["expected_inclusive"] else "< ") + text


def _alert(each: Mapping[str, Any]) -> str:
    return "> " + _limit(each["unit"], each["alert"])


def _limit(unit: str, value: float) -> str:
    return f"{value:g}\xa0s" if unit == "seconds" else _value(unit, value)


def _counted(each: Mapping[str, Any]) -> str:
    """What the value is made of."""
    figures = each["figures"]
    if each["unit"] == "seconds":
        times = ", ".join(f"{name} {seconds(figures[name])}" for name in ("p50", "p95", "max"))
        slow = f", {figures['above_alert']:,} too slow" if figures["above_alert"] else ""
        return f"{times} of {count(each['counted'], 'purchase')}{slow}"
    told = ", ".join(f"{name} {number:,}" for name, number in sorted(figures.items(), key=lambda pair: -pair[1]))
    nouns = {"purchase-conflict-rate": "request", "webhook-idempotency-hit-rate": "delivery"}
    if each["unit"] == "leads":
        return f"{told}; {count(each['counted'], 'purchase')} in the window"
    noun = nouns[each["id"]]
    of = count(each["counted"], noun, "deliveries" if noun == "delivery" else "")
    return f"of {of}" + (f": {told}" if told else "")
