"""The page of a verification: what broke and how, what was judged, how much was explored, and what is not proved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from harness.report.advice import commands
from harness.report.faults import faults_in_short
from harness.report.html.explored import certificates, covered, properties, scenarios, unproved
from harness.report.html.runs import runs
from harness.report.html.sentences import sentences
from harness.report.html.shell import MOODS, Body, Section, rendered
from harness.report.phrases import count
from harness.report.terminal import totals
from harness.report.verdicts import headline, with_verdict, words


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
            Section("explored", "How much was explored", certificates(document)),
            Section("scenarios", "Scenarios", scenarios(document), count(len(document["scenarios"]), "scenario")),
            Section("faults", "Faults", rendered("lines.html.jinja", lines=sentences(faults_in_short, document))),
            Section("coverage", "Coverage", covered(document)),
            Section("unproved", "What is not proved", unproved(document)),
            Section("again", "Run it again", again(document, commands(document))),
        ],
        styles=["runs.css"],
        scripts=["runs.js"],
    )


def again(document: Mapping[str, Any], lines: list[tuple[str, str]]) -> Markup:
    """The command of this run, and ``lines``: what else to do, and the command for it."""
    ran = document.get("run", {}).get("command", "")
    told = ([("This run:", ran)] if ran else []) + lines
    return rendered("again.html.jinja", lines=told) if told else Markup()
