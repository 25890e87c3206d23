"""The counterexamples of a document on a page, each as a run to step through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from harness.report.changes import changed
from harness.report.counterexamples import Showing, provenance, reason, replay_line, showings
from harness.report.html.interleaving import linked, steps
from harness.report.html.shell import rendered
from harness.report.html.sources import Source, sources
from harness.report.phrases import operation
from harness.report.verdicts import with_verdict

EXPORTS = ("spec", "psql", "pytest")
"""What a run can be written as for other tools."""


def runs(document: Mapping[str, Any]) -> Markup:
    """Every run that breaks something, and what is broken without one; nothing where all holds."""
    found = showings(document)
    bodies = sources(each.counterexample["story"] for each in found)
    shown = [_run(document, showing, f"run-{number}", bodies) for number, showing in enumerate(found, 1)]
    alone = [
        (each["id"], reason(each).split("; "))
        for each in with_verdict(document, "violated")
        if not each["counterexample"]
    ]
    if not shown and not alone:
        return Markup()
    return rendered("runs.html.jinja", runs=shown, alone=alone, functions=list(bodies.values()))


def _run(document: Mapping[str, Any], showing: Showing, anchor: str, bodies: Mapping[str, Source]) -> dict[str, Any]:
    found = showing.counterexample
    story = found["story"]
    replay = replay_line(document, found)
    because = found.get("because") or {}
    shown, same = changed(story["start"], story["final"], showing.guilty) if "start" in story else ([], [])
    return {
        "id": anchor,
        "broken": [(each["id"], reason(each)) for each in showing.properties],
        "provenance": provenance(found),
        "unfaithful": found["reproduced"] < found["replays"],
        "sessions": story["sessions"],
        "before": [
            (block["at_once"], [(operation(call["operation"]), call["answer"]) for call in block["calls"]])
            for block in story.get("before", ())
        ],
        "because": linked(because.get("sentence", ""), anchor),
        "steps": steps(story, bodies, because.get("steps", ())),
        "not_shown": story.get("not_shown", ""),
        "tells_commits": any("reads" in step or "commits" in step for step in story["steps"]),
        "changed": shown,
        "same": same,
        "serial_orders": found.get("serial_orders") or (),
        "more_orders": found.get("serial_orders_more", 0),
        "replay": replay,
        "exports": [replay.replace("harness replay", "harness export", 1) + f" --as {form}" for form in EXPORTS],
    }
