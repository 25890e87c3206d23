"""The page of a verification: what broke and how, what was judged, how much was explored, and what is not proved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from harness.report.advice import commands
from harness.report.coverage import coverage, share
from harness.report.explored import hangs, not_applicable, not_exercised, opaque, problem
from harness.report.faults import faults_in_short
from harness.report.html.runs import runs
from harness.report.html.sentences import sentences
from harness.report.html.shell import MOODS, Body, Section, rendered
from harness.report.html.table import Cell, Column, table
from harness.report.phrases import bound, count, label, percent, seconds
from harness.report.terminal import totals
from harness.report.verdicts import GRAVEST_FIRST, headline, with_verdict, words


def body(document: Mapping[str, Any]) -> Body:
    """The page of a run document harness-verify."""
    broken = with_verdict(document, "violated")
    return Body(
        title=f"{document['subject']['name']}: {words(document['verdict'])}",
        verdict=headline(document),
        mood=MOODS.get(document["verdict"], "doubt"),
        facts=[totals(document)],
        sections=[
            Section("broken", "What broke", runs(document), count(len(broken), "property", "properties")),
            Section("properties", "Properties", properties(document)),
            Section("scenarios", "Scenarios", scenarios(document), count(len(document["scenarios"]), "scenario")),
            Section("coverage", "Coverage", covered(document)),
            Section("unproved", "What is not proved", unproved(document)),
            Section("again", "Run it again", again(document)),
        ],
    )


def properties(document: Mapping[str, Any]) -> Markup:
    """All properties, the gravest verdict first, with the reason where there is one."""
    columns = [Column("property"), Column("verdict"), Column("schedules", True), Column("violating", True)]
    rows = [
        (
            Cell(each["id"], below=label(each.get("why", ""))),
            Cell(words(verdict), MOODS.get(verdict, "doubt")),
            f"{each['schedules']:,}" if each["schedules"] else "-",
            f"{each['violating_schedules']:,}" if each["violating_schedules"] else "-",
            f"{len(each['scenarios']):,}" if each["scenarios"] else "-",
        )
        for verdict in GRAVEST_FIRST
        for each in with_verdict(document, verdict)
    ]
    return table("properties", [*columns, Column("scenarios", True)], rows)


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
    return Cell("VIOLATED", "bad") if scenario["violated"] else Cell("holds", "good")


def covered(document: Mapping[str, Any]) -> Markup:
    """The share of the subject's SQL that was executed, function by function, and what was not reached."""
    sql = document["coverage"]["sql"]
    rows = [
        (
            Cell(each["function"].partition("(")[0], below=_place(each)),
            Cell(share(each, "statements"), sort=each["statements_percent"]),
            Cell(share(each, "branches"), sort=each["branches_percent"]),
            ", ".join(dict.fromkeys(f"{place['line']}" for place in each["unreached"])) or "-",
        )
        for each in sql["functions"]
    ]
    columns = [Column("function"), Column("statements"), Column("branches"), Column("lines not reached")]
    told = sentences(coverage, document)
    return rendered("coverage.html.jinja", told=told, table=table("functions", columns, rows) if rows else Markup())


def _place(function: Mapping[str, Any]) -> str:
    return f"{function['file']}:{function['file_line']}" if "file" in function else ""


def unproved(document: Mapping[str, Any]) -> Markup:
    """Everything that a pass of this run leaves open."""
    sampled = [each for each in document["scenarios"] if each["certificate"] == "SAMPLED" and each["miss_bound"]]
    bounded = [each for each in document["scenarios"] if each["certificate"] == "EXHAUSTED"]
    parts = {
        "Runs that did not settle": sentences(hangs, document),
        "Never put to the test": sentences(not_exercised, document),
        "Not applicable to this subject": sentences(not_applicable, document),
        "Cannot be looked into": sentences(opaque, document),
        "Too little time": [each["name"] for each in document["scenarios"] if each["certificate"] == "INCONCLUSIVE"],
        "Sampled: the share of violating schedules that finding none leaves credible": [
            f"{each['name']}: {percent(each['miss_bound'])}" for each in sampled
        ],
        "Exhausted only up to a number of preemptions": [
            f"{each['name']}: {each['preemption_bound']}" for each in bounded if each["preemption_bound"] is not None
        ],
        "Faults": sentences(faults_in_short, document),
    }
    return rendered("unproved.html.jinja", parts={title: told for title, told in parts.items() if told})


def again(document: Mapping[str, Any]) -> Markup:
    """The command of this run, and what to do next."""
    ran = document.get("run", {}).get("command", "")
    lines = ([("This run:", ran)] if ran else []) + commands(document)
    return rendered("again.html.jinja", lines=lines) if lines else Markup()
