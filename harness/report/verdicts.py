"""Verdicts: their words, their order from the gravest, and the line that says the whole result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.report.page import Page
from harness.report.phrases import count
from harness.report.table import Column, Line, table

GRAVEST_FIRST = ("violated", "hang", "nondeterministic", "not_exercised", "holds", "not_applicable")

_STYLE = {"violated": "bold red", "holds": "green", "not_applicable": "dim"}


def words(verdict: str) -> str:
    """``NOT EXERCISED``; lower case for what is as it should be, so that the others are seen."""
    text = verdict.replace("_", " ")
    return text if verdict in ("holds", "not_applicable") else text.upper()


def with_verdict(document: Mapping[str, Any], verdict: str) -> list[Mapping[str, Any]]:
    """The properties that have this verdict, in the order of the document."""
    return [each for each in document["properties"] if each["verdict"] == verdict]


def headline(document: Mapping[str, Any]) -> str:
    """The result in one line."""
    name = document["subject"]["name"]
    properties = document["properties"]
    of = {verdict: with_verdict(document, verdict) for verdict in GRAVEST_FIRST}
    judged = len(properties) - len(of["not_applicable"])
    if (
        (faults := document.get("faults"))
        and faults["verdict"] == document["verdict"] != "holds"
        and not any(of[verdict] for verdict in ("violated", "hang", "nondeterministic", "not_exercised"))
    ):
        return under_faults(name, faults)
    match document["verdict"]:
        case "violated":
            broken = len(of["violated"])
            text = f"VIOLATED: {name} breaks {broken} of {count(judged, 'property', 'properties')}"
        case "could_not_run":
            said = {"hang": "hangs", "nondeterministic": "is nondeterministic"}
            reasons = [f"{said[verdict]} ({_ids(of[verdict])})" for verdict in said if of[verdict]]
            text = f"NOT JUDGED: {name} {' and '.join(reasons)}"
        case "not_exercised":
            missing = _ids(of["not_exercised"]) or "any property"
            text = f"NOT EXERCISED: nothing on {name} put {missing} to the test"
        case "unbroken":
            text = f"UNBROKEN: {part_name(document)} breaks nothing; whether all holds is for the whole to say"
        case "inconclusive":
            short = sum(each["certificate"] == "INCONCLUSIVE" for each in document["scenarios"])
            text = f"INCONCLUSIVE: {name} broke nothing, but {count(short, 'scenario')} had too little time"
        case _:
            text = f"HOLDS: {name} keeps {'all ' if judged > 1 else ''}{count(judged, 'property', 'properties')}"
    return text + (" (interrupted; judged by what was run)" if document["interrupted"] else "")


def part_name(document: Mapping[str, Any]) -> str:
    """``shard 1/3 of reference``, or the subject alone where the document is of the whole."""
    shard = document.get("shard")
    return (f"shard {shard['index']}/{shard['of']} of " if shard else "") + str(document["subject"]["name"])


def under_faults(name: str, faults: Mapping[str, Any]) -> str:
    """The result of a fault sweep in one line (``faults`` of a run document, or the document of the sweep)."""
    match faults["verdict"]:
        case "violated":
            broken = faults["violated"]
            text = f"breaks {count(len(broken), 'property', 'properties')} under faults ({', '.join(broken)})"
            return f"VIOLATED: {name} {text}"
        case "could_not_run":
            return f"NOT JUDGED: {name} hangs or is nondeterministic under faults"
        case "not_exercised":
            return f"NOT EXERCISED: nothing on {name} was struck by {', '.join(faults['never_struck']) or 'a fault'}"
        case "unbroken":
            return (
                f"UNBROKEN: {part_name(faults)} breaks nothing under faults; whether all holds is for the whole to say"
            )
    kept = f"{count(faults['strikes'], 'fault')} at {count(faults['steps'], 'step')}"
    return f"HOLDS: {name} keeps every property through {kept}"


def headline_style(document: Mapping[str, Any]) -> str:
    """Red, green, or yellow for what is neither: a style of ``Page.ink``."""
    return {"violated": "bold red", "holds": "bold green"}.get(document["verdict"], "bold yellow")


def properties_table(paper: Page, document: Mapping[str, Any]) -> list[str]:
    """All properties, the gravest verdict first."""
    columns = [
        Column("property"),
        Column("verdict"),
        Column("schedules", right=True, worth=7),
        Column("violating", right=True, worth=5),
        Column("scenarios", right=True, worth=3),
    ]
    lines = [
        Line(
            (
                each["id"],
                words(each["verdict"]),
                f"{each['schedules']:,}" if each["schedules"] else "-",
                f"{each['violating_schedules']:,}" if each["violating_schedules"] else "-",
                f"{len(each['scenarios']):,}" if each["scenarios"] else "-",
            ),
            style=_STYLE.get(each["verdict"], "yellow"),
            styled=2,
        )
        for verdict in GRAVEST_FIRST
        for each in with_verdict(document, verdict)
    ]
    return table(paper, columns, lines)


def _ids(properties: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(each["id"] for each in properties)
