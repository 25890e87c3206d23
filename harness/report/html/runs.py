"""The counterexamples of a document on a page, each in lanes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from harness.report.counterexamples import provenance, reason, replay_line, showings
from harness.report.html.shell import rendered
from harness.report.lanes import lanes
from harness.report.verdicts import with_verdict


def runs(document: Mapping[str, Any]) -> Markup:
    """Every run that breaks something, and what is broken without one; nothing where all holds."""
    shown = [
        {
            "broken": [(each["id"], reason(each)) for each in showing.properties],
            "provenance": provenance(showing.counterexample),
            "lanes": lanes(showing.counterexample["story"], width=130, guilty=showing.guilty, ascii_only=False),
            "replay": replay_line(document, showing.counterexample),
        }
        for showing in showings(document)
    ]
    alone = [(each["id"], reason(each)) for each in with_verdict(document, "violated") if not each["counterexample"]]
    return rendered("runs.html.jinja", runs=shown, alone=alone) if shown or alone else Markup()
