"""The page of a gate: the verdict of each part, what broke and where to look, and what the change did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from harness.report.gate import (
    findings,
    headline,
    order,
    result,
    runs_of,
    times,
    totals,
    verdict_of,
    whole_text,
    without_run,
)
from harness.report.gate_markdown import again, located
from harness.report.html.runs import runs
from harness.report.html.shell import MOODS, Body, Mood, Section, rendered
from harness.report.html.table import Cell, Column, table

Document = Mapping[str, Any]


def body(document: Document) -> Body:
    """The page of a run document harness-gate."""
    found = list(findings(document))
    return Body(
        title=f"{document['subject']['name']}: gate",
        verdict=headline(document),
        mood=MOODS.get(document["verdict"], "doubt"),
        facts=[each for each in (totals(document), order(document)) if each],
        sections=[
            Section("parts", "Parts", parts(document)),
            *(Section(f"broken-{name}", f"What broke: {name}", runs(part)) for name, part in found if runs_of(part)),
            Section("look", "Where to look", places(document)),
            Section("changes", "What changed", changes(document)),
            *(Section(f"said-{name}", f"What is said: {name}", said(part)) for name, part in found),
        ],
        styles=["runs.css"],
        scripts=["runs.js"],
    )


def parts(document: Document) -> Markup:
    """Each part with its verdict, and what it took."""
    columns = [Column("part"), Column("verdict"), Column("time", right=True)]
    rows = [
        (Cell(each["part"], below=result(each)), Cell(verdict_of(each), _mood(each)), times(each))
        for each in document["parts"]
    ]
    return table("parts", columns, rows)


def places(document: Document) -> Markup:
    """For each run that breaks something the statement that is to blame; below, the commands that find them again."""
    rows, commands = [], []
    for _, found in findings(document):
        for showing in runs_of(found):
            where = located(document, showing.counterexample)
            what = ", ".join(each["id"] for each in showing.properties)
            if where is not None:
                told = f"{where.statement} ({'' if where.touched else 'not '}touched by the change)"
                rows.append((Cell(what, "bad"), Cell(_broken_at_folders(str(where)), below=told)))
                commands.append((f"Find {what} again:", again(document, showing.counterexample)))
    if not rows:
        return Markup()
    told_where = table("places", [Column("broken"), Column("place")], rows)
    return told_where + rendered("again.html.jinja", lines=commands)


def _broken_at_folders(path: str) -> Markup:
    """A path that goes on in the next line where there is no room for it."""
    return Markup("/<wbr>").join(path.split("/"))


def changes(document: Document) -> Markup:
    """The files of the subject that the change touched, when something is wrong with it."""
    if not document["exit_code"]:
        return Markup()
    return Markup().join(
        Markup("<h3>{}</h3><pre>{}</pre>").format(each["file"], each["diff"] or "new") for each in document["changed"]
    )


def said(found: Document) -> Markup:
    """What a part that is not green says without a run."""
    text = "\n".join([*without_run(found), *whole_text(found, WIDTH).splitlines()])
    return Markup('<pre class="said">{}</pre>').format(text) if text else Markup()


WIDTH = 110
"""Columns of such a text."""


def _mood(part: Document) -> Mood:
    if part["exit_code"] is None:
        return "plain"
    return {0: "good", 1: "bad", 4: "bad"}.get(part["exit_code"], "doubt")  # type: ignore[return-value]
