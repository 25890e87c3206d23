"""The page of a comparison: every figure of every function as an interval, before the band of no difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from harness.report.compare import WORDS, basis, called, causes_of, headline, name_of, notes, noun, share
from harness.report.html import charts
from harness.report.html.scales import Scale, number, percent, ratios, time
from harness.report.html.shell import Body, Mood, Section, rendered
from harness.report.html.table import Column, Row, table
from harness.report.phrases import count

MOODS: Mapping[str, Mood] = {"slower": "bad", "no_slowdown": "good", "cannot_tell": "doubt", "not_measured": "plain"}
REACH_MAX = 2.0
"""Twice, and half: what goes beyond is cut, and marked so, that five per cent can still be seen."""


def body(document: Mapping[str, Any]) -> Body:
    """The page of a run document harness-compare."""
    candidate, base = document["candidate"], document["base"]
    return Body(
        title=f"{candidate['given']} against {base['given']}: {headline(document)}",
        verdict=headline(document),
        mood=MOODS.get(document["verdict"], "doubt"),
        facts=[basis(document), *notes(document)],
        sections=[
            Section("why", "Why", causes(document)),
            Section("functions", f"{noun(document).capitalize()}s", forest(document), _counted(document)),
            Section("latencies", "Latencies", latencies(document), "of single calls; they decide nothing"),
            Section("versions", "What was compared", versions(document)),
            Section("again", "Run it again", again(document)),
        ],
        styles=[charts.STYLE],
    )


def _counted(document: Mapping[str, Any]) -> str:
    return count(len(document["functions"]), noun(document))


def causes(document: Mapping[str, Any]) -> Markup:
    """What has changed, and what it makes slower."""
    told = causes_of(document)
    return rendered("causes.html.jinja", causes=told) if told else Markup()


def forest(document: Mapping[str, Any]) -> Markup:
    """All intervals on one axis."""
    if not document["functions"]:
        return Markup()
    bounds = [
        1 + bound
        for each in document["functions"]
        for figure in each["figures"]
        for interval in (figure["increase"], figure["against_itself"])
        for bound in (interval or {}).values()
        if isinstance(bound, float)
    ]
    reached = ratios(bounds)
    scale = reached if reached.high <= REACH_MAX else ratios([REACH_MAX])
    kinds = {each["id"]: each for each in document["figures"]}
    return rendered(
        "forest.html.jinja",
        axis=charts.ticks(scale),
        functions=[
            {
                "name": name_of(each),
                "mood": MOODS[each["verdict"]],
                "verdict": WORDS[each["verdict"]][0],
                "below": "; ".join(_remarks(each)),
                "figures": [_figure(scale, kinds[figure["id"]], figure) for figure in each["figures"]],
            }
            for each in document["functions"]
        ],
    )


def _remarks(function: Mapping[str, Any]) -> Iterator[str]:
    yield from (each for each in (called(function), function["reason"]) if each)
    if function["faster"]:
        yield "faster"
    yield f"{count(function['rounds'], 'paired round')} of {count(function['calls'], 'call')} of each version"


def _figure(scale: Scale, kind: Mapping[str, Any], figure: Mapping[str, Any]) -> dict[str, Any]:
    increase, control = figure["increase"], figure["against_itself"]
    mood = MOODS[figure["verdict"]]
    drawn = Markup()
    if increase and increase["middle"] is not None:
        limit = kind["limit"]
        intervals = [_ratios(increase), *([_ratios(control)] if control and control["middle"] is not None else [])]
        drawn = charts.intervals(scale, intervals, (1 - limit, 1 + limit), (mood, "rest"))
    return {
        "title": kind["title"],
        "limit": percent(kind["limit"]),
        "base": _in_unit(figure["base"], kind["unit"]),
        "candidate": _in_unit(figure["candidate"], kind["unit"]),
        "drawn": drawn,
        "increase": _as_text(increase),
        "control": _as_text(control),
        "mood": mood,
        "verdict": WORDS[figure["verdict"]][0]
        + (", A/A is off" if figure["off"] else ", faster" if figure["faster"] else ""),
    }


def _ratios(interval: Mapping[str, Any]) -> tuple[float, float, float]:
    lower, upper = interval["lower"], interval["upper"]
    return (
        0.0 if lower is None else 1 + lower,
        1 + interval["middle"],
        float("inf") if upper is None else 1 + upper,
    )


def _as_text(interval: Mapping[str, Any] | None) -> tuple[str, str]:
    """The median, and how far it may be from it."""
    if interval is None:
        return "-", ""
    if interval["middle"] is None:
        return "from 0", ""
    lower, upper = ("any" if interval[bound] is None else share(interval[bound]) for bound in ("lower", "upper"))
    return share(interval["middle"]), f"{lower} to {upper}"


def _in_unit(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return time(value / 1000) if unit == "microseconds" else f"{number(value)} {unit}"


def latencies(document: Mapping[str, Any]) -> Markup:
    """Of every version the percentiles of its calls, and how often it waited for a lock."""
    sides = {"base": "base", "candidate": "candidate", "control": "control (the base again)"}
    rows: list[Row] = []
    for each in document["functions"]:
        for side, words in sides.items():
            if told := each["latency"].get(side):
                waits = each["lock_waits"].get(side)
                rows.append(
                    [
                        name_of(each),
                        words,
                        *("-" if told[name] is None else time(told[name] / 1000) for name in ("p50", "p95", "p99")),
                        "not measured" if waits is None else time(waits / 1000),
                    ]
                )
    right: Sequence[Column] = [Column(name, right=True) for name in ("p50", "p95", "p99", "waits for locks, at once")]
    return table("latencies", [Column(noun(document)), Column("version"), *right], rows) if rows else Markup()


def versions(document: Mapping[str, Any]) -> Markup:
    """Which texts, on what, and by which rule."""
    columns = [Column(name) for name in ("version", "as given", "subject", "commit", "digest of its text")]
    rows: list[Row] = [
        (
            side,
            each["given"] if each["saved"] is None else f"{each['given']} (a saved run, {each['saved']})",
            each["subject"],
            each["commit"] or "the work tree",
            each["digest"],
        )
        for side in ("base", "candidate")
        for each in [document[side]]
    ]
    rule = [
        "Of all paired rounds the median ratio counts, and the interval around it: slower is a figure whose whole "
        "interval lies above its limit, and no slowdown means that of every figure it lies below; the chance of one "
        f"false 'slower' in the whole run is at most {percent(document['alpha'])}.",
        *([] if document["paired"] else ["One side is a saved run, measured at another time: that is weaker."]),
    ]
    return table("versions", columns, rows) + rendered("lines.html.jinja", lines=rule)


def again(document: Mapping[str, Any]) -> Markup:
    """The command of this run."""
    ran = document.get("run", {}).get("command", "")
    return rendered("again.html.jinja", lines=[("This run:", ran)]) if ran else Markup()
