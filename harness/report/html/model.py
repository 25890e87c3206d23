"""The page of a model: the smallest life that breaks a property, and what happened in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.report.html.runs import runs
from harness.report.html.shell import MOODS, Body, Section, rendered
from harness.report.html.table import Column, table
from harness.report.html.verify import again
from harness.report.model import happened, headline, totals
from harness.report.phrases import count
from harness.report.verdicts import words


def body(document: Mapping[str, Any]) -> Body:
    """The page of a run document harness-model."""
    subject = document["subject"].get("folder") or document["subject"]["name"]
    minimal = [
        "No single operation can be left out." if each["minimal"] else "It may not be the smallest."
        for each in document["properties"]
    ]
    line = f"harness model --subject {subject} --lives {document['limits']['lives']} --seed {document['seed']}"
    seen = [(what, f"{lives:,}") for what, lives in document["seen"].items()]
    failed = [f"{what} ({count(times, 'time')})" for what, times in document["unexplained"].items()]
    in_lives = [Column("what happened"), Column("in how many lives", right=True)]
    return Body(
        title=f"{document['subject']['name']}, lived: {words(document['verdict'])}",
        verdict=headline(document),
        mood=MOODS.get(document["verdict"], "doubt"),
        facts=[totals(document), *minimal],
        sections=[
            Section("broken", "What broke", runs(document)),
            Section("failed", "Failed, though no fault had struck", rendered("lines.html.jinja", lines=failed)),
            Section("happened", "What happened", rendered("lines.html.jinja", lines=happened(document["seen"]))),
            Section("lives", "In how many lives", table("labels", in_lives, seen, filtered=True)),
            Section("again", "Run it again", again(document, [("As many lives, from the same seed:", line)])),
        ],
        styles=["runs.css"],
        scripts=["runs.js"],
    )
