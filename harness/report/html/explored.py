"""How far the scenarios of a document were explored, and what is not proved: for the pages of all that explore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from harness.report.coverage import coverage, share
from harness.report.explored import by_extent, hangs, not_applicable, not_exercised, opaque, problem
from harness.report.html.sentences import sentences
from harness.report.html.shell import MOODS, rendered
from harness.report.html.table import Cell, Column, table
from harness.report.phrases import bound, label, percent, seconds
from harness.report.verdicts import GRAVEST_FIRST, with_verdict, words

_MEANING = {
    "EXHAUSTED": "each of these schedules was run",
    "SAMPLED": "schedules were drawn; what finding nothing is worth stands in the column bound",
    "INCONCLUSIVE": "too little was run to say anything",
}


def properties(document: Mapping[str, Any]) -> Markup:
    """All properties, the gravest verdict first; with the reason where it does not stand elsewhere on the page."""
    columns = [Column("property"), Column("verdict"), Column("schedules", True), Column("violating", True)]
    rows = [
        (
            Cell(each["id"], below=label(each.get("why", "")) if verdict == "not_applicable" else ""),
            Cell(words(verdict), MOODS.get(verdict, "doubt")),
            f"{each['schedules']:,}" if each["schedules"] else "-",
            f"{each['violating_schedules']:,}" if each["violating_schedules"] else "-",
            f"{len(each['scenarios']):,}" if each["scenarios"] else "-",
        )
        for verdict in GRAVEST_FIRST
        for each in with_verdict(document, verdict)
    ]
    return table("properties", [*columns, Column("scenarios", True)], rows) if rows else Markup()


def certificates(document: Mapping[str, Any]) -> Markup:
    """How many scenarios were explored how far."""
    columns = [Column("certificate"), Column("which schedules"), Column("scenarios", True), Column("distinct", True)]
    rows = [
        (
            Cell(name, "good" if name == "EXHAUSTED" else "doubt"),
            Cell(extent or "some", below=_MEANING[name]),
            f"{len(group):,}",
            f"{sum(each['distinct_schedules'] for each in group):,}",
        )
        for name in _MEANING
        for extent, group in by_extent(each for each in document["scenarios"] if each["certificate"] == name).items()
    ]
    return table("certificates", columns, rows) if rows else Markup()


def scenarios(document: Mapping[str, Any]) -> Markup:
    """How far each scenario was explored; those first that broke something."""
    columns = [
        Column("scenario"),
        Column("result", choice=True),
        Column("certificate", choice=True),
        Column("bound", right=True),
        Column("schedules", right=True),
        Column("distinct", right=True),
        Column("steps", right=True),
        Column("ends", right=True),
        Column("time", right=True),
    ]
    rows = [
        (
            Cell(each["name"], below=problem(each)),
            _result(each),
            each["certificate"],
            bound(each),
            f"{each['schedules']:,}",
            f"{each['distinct_schedules']:,}",
            f"{each['steps_median']:g}",
            f"{each['distinct_outcomes']:,}",
            Cell(seconds(each["seconds"]), sort=each["seconds"]),
        )
        for each in sorted(document["scenarios"], key=lambda each: not problem(each))
    ]
    return table("scenarios", columns, rows, filtered=True) if rows else Markup()


def _result(scenario: Mapping[str, Any]) -> Cell:
    if scenario["hang"]:
        return Cell("HANG", "doubt")
    if scenario["diverged"]:
        return Cell("NONDETERMINISTIC", "doubt")
    if scenario["violated"]:
        return Cell("VIOLATED", "bad")
    return Cell("undecided", "doubt") if scenario["certificate"] == "INCONCLUSIVE" else Cell("holds", "good")


def covered(document: Mapping[str, Any]) -> Markup:
    """The share of the subject's SQL that was executed, function by function, and what was not reached."""
    sql = document["coverage"]["sql"]
    rows = [
        (
            Cell(
                each["function"].partition("(")[0],
                below=f"{each['file']}:{each['file_line']}" if "file" in each else "",
            ),
            Cell(share(each, "statements"), sort=each["statements_percent"]),
            Cell(share(each, "branches"), sort=each["branches_percent"]),
            ", ".join(dict.fromkeys(f"{place['line']}" for place in each["unreached"])) or "-",
        )
        for each in sql["functions"]
    ]
    columns = [Column("function"), Column("statements"), Column("branches"), Column("lines not reached")]
    told = sentences(coverage, document)
    return rendered("coverage.html.jinja", told=told, table=table("functions", columns, rows) if rows else Markup())


def unproved(document: Mapping[str, Any]) -> Markup:
    """Everything that a pass of this run leaves open."""
    found = document["scenarios"]
    sampled = [each for each in found if each["certificate"] == "SAMPLED" and each["miss_bound"]]
    bounded = [each for each in found if each["certificate"] == "EXHAUSTED" and each["preemption_bound"] is not None]
    short = [each["name"] for each in found if each["certificate"] == "INCONCLUSIVE"]
    parts = {
        "Runs that did not settle": sentences(hangs, document),
        "Never put to the test": sentences(not_exercised, document),
        "Not applicable to this subject": sentences(not_applicable, document),
        "Cannot be looked into": sentences(opaque, document),
        "Too little time": [", ".join(short)] if short else [],
        "Sampled only": [
            "The share of violating schedules, among those that are drawn, with which finding none is still credible: "
            + ", ".join(f"{each['name']} {percent(each['miss_bound'])}" for each in sampled)
        ]
        if sampled
        else [],
        "Exhausted up to a number of preemptions only": [
            ", ".join(f"{each['name']} ({each['preemption_bound']})" for each in bounded)
        ]
        if bounded
        else [],
    }
    return rendered("unproved.html.jinja", parts={title: told for title, told in parts.items() if told})
