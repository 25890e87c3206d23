"""The result of a fault sweep as text: the verdict, the matrix of steps and faults, what unknown outcomes came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.report.counterexamples import heading, sections, showings, shown
from harness.report.explored import hangs, not_applicable
from harness.report.page import Page, page
from harness.report.phrases import count, seconds
from harness.report.statement import shorten
from harness.report.verdicts import headline_style, under_faults, with_verdict

_CELL = 7
"""Columns of one fault in the matrix."""

SHORT = {
    "cancel": "cancel",
    "terminate": "kill",
    "cut-before-send": "unsent",
    "cut-after-send": "sent",
    "lock-timeout": "nowait",
}
"""Heads of the columns; an error's is its SQLSTATE."""

LEGEND = (
    "In each cell: the histories in which this fault struck at this step; with ✗ those that broke a property; · where "
    "it has nothing to strike. kill: the backend is terminated. unsent, sent: the client's connection is cut "
    "before or after the statement is sent. nowait: who has to wait for a lock in this step fails. A code is the "
    "error that is raised."
)


def render_faults(
    document: Mapping[str, Any], *, width: int = 100, colour: bool = False, ascii_only: bool | None = None
) -> str:
    """A run document (harness-faults, version 2) on a page of ``width`` columns."""
    paper = page(width, colour=colour, ascii_only=ascii_only)
    verdict = [paper.ink(line, headline_style(document)) for line in paper.wrap(headline(document))]
    lines = [*verdict, *(line for text in totals(document) for line in paper.wrap(text))]
    for operation in document["operations"]:
        lines += ["", *_matrix(paper, operation, document["faults"])]
    if document["operations"]:
        lines += ["", *(paper.ink(line, "dim") for line in paper.wrap(LEGEND, 2))]
    for showing in showings(document):
        lines += ["", *shown(paper, document, showing)]
    texts = {
        "crashes": crashes(paper, document),
        "hangs": hangs(paper, document),
        "not applicable": not_applicable(paper, {**document, "properties": _judged_nowhere(document)}),
    }
    lines += sections(paper, texts)
    return "\n".join([*lines, "", *verdict])


def headline(document: Mapping[str, Any]) -> str:
    """The result in one line."""
    broken = [each["id"] for each in with_verdict(document, "violated")]
    broken += [each for each in (document["crashes"] or {}).get("violated", ()) if each not in broken]
    text = under_faults(document["subject"]["name"], {**document, "violated": broken})
    return text + (" (interrupted; judged by what was run)" if document["interrupted"] else "")


def faults_in_short(paper: Page, document: Mapping[str, Any]) -> list[str]:
    """What a verification tells of its fault sweep; nothing where there was none."""
    faults = document.get("faults")
    if faults is None:
        return []
    lines = paper.wrap(under_faults(document["subject"]["name"], faults), 2, 4)
    histories = count(faults["histories"], "history", "histories")
    lines += paper.wrap(f"{histories}; {_unknown(faults)}; leaked connections and locks: {faults['leaks']:,}", 2, 4)
    lines += [line for text in _extents(faults) for line in paper.wrap(text, 2, 4)]
    lines += [f"      harness replay {file}" for file in faults["counterexamples"]]
    subject = document["subject"].get("folder") or document["subject"]["name"]
    return [*lines, *paper.wrap("Step by step, fault by fault:", 2), f"      harness faults --subject {subject}"]


def totals(document: Mapping[str, Any]) -> list[str]:
    """How much was run, how far the sweep went, and what became of unknown outcomes."""
    server = document["server"]
    return [
        f"{count(document['histories'], 'history', 'histories')} in {seconds(document['seconds'])}, "
        f"PostgreSQL {server['version']}, {count(server['workers'], 'worker')}, seed {document['seed']}",
        *_extents(document),
        _unknown(document),
        f"leaked connections and locks: {document['leaks']:,}",
    ]


def _extents(document: Mapping[str, Any]) -> list[str]:
    """How far the sweep went: what was enumerated, and how much was drawn."""
    single = document["single"]
    histories = count(single["histories"], "history", "histories")
    lines = [f"single faults: {histories} of {count(single['scenarios'], 'sweep')}, {single['exhausted']} exhausted"]
    for part, what in (("pairs", "pairs of faults"), ("beside", "a fault beside another client")):
        if document[part]["scenarios"]:
            found = document[part]
            lines.append(
                f"{what}: {count(found['histories'], 'history', 'histories')} drawn from "
                f"{count(found['scenarios'], 'combination')}"
            )
    return lines


def _judged_nowhere(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The properties without those that the crashes have put to the test."""
    broken = (document["crashes"] or {}).get("violated", ())
    return [each for each in document["properties"] if each["id"] not in broken]


def crashes(paper: Page, document: Mapping[str, Any]) -> list[str]:
    """What crashes of the server under load have shown; nothing where there were none."""
    found = document["crashes"]
    if found is None:
        return []
    told = (
        f"{count(found['rounds'], 'crash', 'crashes')} under six clients, recovered in at most "
        f"{seconds(found['recovery_seconds_max'])}: {found['acknowledged']:,} acknowledged, "
        f"{found['lost']:,} lost; {found['refused']:,} refused; "
        f"unknown outcomes: {found['committed']:,} committed, {found['rolled_back']:,} rolled back"
    )
    style = "red" if found["lost"] or found["violated"] else ""
    lines = [paper.ink(line, style) for line in paper.wrap(told, 2, 4)]
    if found["violated"]:
        lines += paper.wrap(f"breaks {', '.join(found['violated'])}", 2, 4)
    return lines + [line for why in found["why"] for line in paper.wrap(why, 6, 2)]


def _unknown(document: Mapping[str, Any]) -> str:
    unknown = document["unknown"]
    return (
        f"unknown outcomes: {unknown['committed']:,} committed, {unknown['rolled_back']:,} rolled back, "
        f"{unknown['ambiguous']:,} made no difference"
        + (f", {unknown['unexplained']:,} unexplained" if unknown["unexplained"] else "")
    )


def _matrix(paper: Page, operation: Mapping[str, Any], faults: Sequence[str]) -> list[str]:
    room = paper.width - 2 - _CELL * len(faults)
    heads = "".join(f"{SHORT.get(fault, fault.rpartition(' ')[2]):>{_CELL}}" for fault in faults)
    lines = [heading(paper, operation["name"]), *(paper.ink(line, "dim") for line in paper.wrap(operation["theory"]))]
    lines.append(paper.ink(" " * (paper.width - len(heads)) + heads, "dim"))
    function = None
    for step in operation["steps"]:
        called, _, line = str(step["where"]).rpartition(":")
        called = called.partition("(")[0].rpartition(".")[2]
        if called and called != function:
            lines.append(paper.ink(f"  in {called}", "dim"))
        function = called
        place = f"{line:>3} " if called else ""
        text = f"  {place}{shorten(step['statement'], max(room - len(place) - 1, 20)) or 'end of function'}"
        cells = "".join(_cell(paper, step["faults"].get(fault)) for fault in faults)
        lines.append(paper.fit(text, room + 1) + " " + cells)
    return lines


def _cell(paper: Page, struck: Mapping[str, int] | None) -> str:
    if struck is None:
        return paper.plain("·").rjust(_CELL)
    if struck["violating"]:
        return paper.ink(f"{paper.plain('✗')}{struck['violating']}".rjust(_CELL), "red")
    return f"{struck['histories']}".rjust(_CELL)
