"""How far each scenario was explored, and what was not: labels never seen, scenarios not played, opaque places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.report.page import Page
from harness.report.phrases import bound, count, label, percent, seconds
from harness.report.table import Column, Line, table

_WEAKEST_FIRST = ("INCONCLUSIVE", "SAMPLED", "EXHAUSTED")

GROUPS_MAX, NAMES_MAX = 6, 6
"""So much is told of what was not exercised: with little time that is nearly everything, and more time the answer."""

_LEGEND = (
    "bound: every schedule of up to so many preemptions was run (all: of any number), or what share sampling may "
    "miss (-: it breaks something, and nothing is said of the rest). "
    "distinct: schedules. steps: of the median schedule. ends: distinct outcomes."
)


def scenarios(paper: Page, document: Mapping[str, Any]) -> list[str]:
    """Those with a violation or a problem in a table, the others by what they prove."""
    entries = document["scenarios"]
    told = [each for each in entries if problem(each)]
    quiet = [each for each in entries if not problem(each)]
    lines: list[str] = []
    if told:
        lines += _in_full(paper, told)
    if told and quiet:
        lines += ["", f"  {count(len(quiet), 'other scenario')}, nothing broken"]
    for name in _WEAKEST_FIRST:
        for extent, group in by_extent(each for each in quiet if each["certificate"] == name).items():
            head = f"{name} {extent}".strip()
            figures = f"{count(len(group), 'scenario')}, {count(_distinct(group), 'distinct schedule')}"
            if name == "SAMPLED":
                group.sort(key=lambda each: each["miss_bound"] or 0.0, reverse=True)
                figures += " (what each may miss at most)"
            style = "" if name == "EXHAUSTED" else "yellow"
            lines += [paper.ink(line, style) for line in paper.wrap(f"{head}: {figures}", 2, 4)]
            names = (each["name"] + _miss(each) for each in group)
            lines += [paper.ink(line, "dim") for line in paper.wrap(", ".join(names), 6)]
    return lines


def problem(scenario: Mapping[str, Any]) -> str:
    """What a reader must know of a scenario: what it breaks, a hang, a divergence; empty when there is nothing."""
    parts = []
    if scenario["hang"]:
        parts.append(f"HANG: {scenario['hang'].partition(chr(10))[0]}")
    if scenario["diverged"]:
        parts.append(f"NONDETERMINISTIC: {scenario['diverged']}")
    if scenario["violated"]:
        parts.append(f"breaks {', '.join(scenario['violated'])}")
    return "; ".join(parts)


def _in_full(paper: Page, told: list[Mapping[str, Any]]) -> list[str]:
    columns = [
        Column("scenario"),
        Column("certificate"),
        Column("bound", right=True, worth=8),
        Column("distinct", right=True, worth=7),
        Column("steps", right=True, worth=4),
        Column("ends", right=True, worth=5),
        Column("time", right=True, worth=3, least=6),
    ]
    lines = [
        Line(
            (
                each["name"],
                each["certificate"],
                bound(each),
                f"{each['distinct_schedules']:,}",
                f"{each['steps_median']:g}",
                f"{each['distinct_outcomes']:,}",
                seconds(each["seconds"]),
            ),
            below=problem(each),
        )
        for each in told
    ]
    return [*table(paper, columns, lines), "", *(paper.ink(line, "dim") for line in paper.wrap(_LEGEND, 2))]


def hangs(paper: Page, document: Mapping[str, Any]) -> list[str]:
    """The evidence for each run that did not settle: who was where, and held and wanted which locks."""
    lines = []
    for each in document["scenarios"]:
        if each["hang"]:
            why, *picture = each["hang"].splitlines()
            lines += [*paper.wrap(f"{each['name']}: {why}", 2, 4), *(f"      {paper.plain(line)}" for line in picture)]
    return lines


def not_exercised(paper: Page, document: Mapping[str, Any]) -> list[str]:
    """Which labels were never seen, and in which scenarios: the beginning of what the run document has whole."""
    lines = []
    told = set()
    for each in document["properties"]:
        if each["verdict"] == "not_exercised":
            told.add(each["id"])
            whole = label(each.get("why") or "no scenario that puts it to the test was run")
            why = some(whole.split("; "), 2, "; ")
            lines += [paper.ink(line, "yellow") for line in paper.wrap(f"{each['id']}: {why}", 2, 4)]
    groups: dict[str, list[str]] = {}
    for each in document["scenarios"]:
        untold = (labels for name, labels in each["not_exercised"].items() if name not in told)
        missed = dict.fromkeys(one for labels in untold for one in labels)
        if missed:
            groups.setdefault(", ".join(map(label, missed)), []).append(each["name"])
    ranked = sorted(groups.items(), key=lambda group: -len(group[1]))
    for labels, names in ranked[:GROUPS_MAX]:
        lines += paper.wrap(f"never saw {labels}: {some(names, NAMES_MAX)}", 2, 4)
    if left := [name for _, names in ranked[GROUPS_MAX:] for name in names]:
        lines += paper.wrap(f"never saw something else: {some(left, NAMES_MAX)}", 2, 4)
    return lines


def some(texts: Sequence[str], most: int, between: str = ", ") -> str:
    """The first of them, and how many more there are."""
    more = len(texts) - most
    return between.join(texts[:most]) + (f"{between}and {more} more" if more > 0 else "")


def not_applicable(paper: Page, document: Mapping[str, Any]) -> list[str]:
    """Properties that say nothing of this subject, and scenarios that it cannot play."""
    lines = []
    for each in document["properties"]:
        if each["verdict"] == "not_applicable":
            lines += paper.wrap(f"{each['id']}: {each.get('why') or 'nothing here concerns it'}", 2, 4)
    reasons: dict[str, list[str]] = {}
    for each in document["skipped"]:
        reasons.setdefault(each["why"], []).append(each["name"])
    for why, names in reasons.items():
        lines += paper.wrap(f"{why}: {', '.join(names)}", 2, 4)
    return lines


def opaque(paper: Page, document: Mapping[str, Any]) -> list[str]:
    """Where steps cannot be told apart: no schedule goes inside, and no scenario is EXHAUSTED."""
    places = dict.fromkeys(place for each in document["scenarios"] for place in each["opaque"])
    return [line for place in places for line in paper.wrap(place, 2, 4)]


def by_extent(entries: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Scenarios by what EXHAUSTED means for them: every schedule, or those of so many preemptions; else by nothing."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for each in entries:
        extent = ""
        if each["certificate"] == "EXHAUSTED":
            most = each["preemption_bound"]
            extent = "every schedule" if most is None else f"every schedule of up to {count(most, 'preemption')}"
        groups.setdefault(extent, []).append(each)
    return groups


def _distinct(group: Iterable[Mapping[str, Any]]) -> int:
    return sum(each["distinct_schedules"] for each in group)


def _miss(scenario: Mapping[str, Any]) -> str:
    return "" if scenario["miss_bound"] is None else f"\xa0({percent(scenario['miss_bound'])})"
