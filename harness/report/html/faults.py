"""The page of a fault sweep: what broke and how, the matrix of steps and faults, crashes, and what is not proved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from harness.report.faults import LEGEND, SHORT, crashes, headline, totals
from harness.report.html.explored import certificates, properties, scenarios, unproved
from harness.report.html.runs import runs
from harness.report.html.sentences import sentences
from harness.report.html.shell import MOODS, Body, Section, rendered
from harness.report.html.verify import again
from harness.report.phrases import count
from harness.report.verdicts import with_verdict, words


def body(document: Mapping[str, Any]) -> Body:
    """The page of a run document harness-faults."""
    broken = with_verdict(document, "violated")
    subject = document["subject"].get("folder") or document["subject"]["name"]
    line = f"harness faults --subject {subject} --seed {document['seed']}"
    return Body(
        title=f"{document['subject']['name']} under faults: {words(document['verdict'])}",
        verdict=headline(document),
        mood=MOODS.get(document["verdict"], "doubt"),
        facts=totals(document),
        sections=[
            Section("broken", "What broke", runs(document), count(len(broken), "property", "properties")),
            Section("matrix", "Every fault at every step", matrix(document)),
            Section("crashes", "Crashes", rendered("lines.html.jinja", lines=sentences(crashes, document))),
            Section("properties", "Properties", properties(document)),
            Section("explored", "How much was explored", certificates(document)),
            Section("scenarios", "Sweeps", scenarios(document), count(len(document["scenarios"]), "sweep")),
            Section("unproved", "What is not proved", unproved(document)),
            Section("again", "Run it again", again(document, [("Everything, from the same seed:", line)])),
        ],
        styles=["runs.css", "faults.css"],
        scripts=["runs.js"],
    )


def matrix(document: Mapping[str, Any]) -> Markup:
    """For each operation a table: its steps, and in how many histories each fault struck there."""
    if not document["operations"]:
        return Markup()
    heads = [(fault, SHORT.get(fault, fault.rpartition(" ")[2])) for fault in document["faults"]]
    operations = [
        (each, sum(cell["violating"] for step in each["steps"] for cell in step["faults"].values()))
        for each in document["operations"]
    ]
    return rendered("faults.html.jinja", heads=heads, operations=operations, legend=LEGEND)
