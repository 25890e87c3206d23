"""The result of a model as text: the verdict, the smallest life that breaks a property, and what happened in all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.report.counterexamples import Showing, heading, shown
from harness.report.page import page
from harness.report.phrases import count, seconds

_HEADS = {
    "holds": ("HOLDS: {} keeps every property in {}", "green"),
    "violated": ("VIOLATED: {} breaks {}", "bold red"),
    "nondeterministic": ("NOT JUDGED: {} breaks {}, and not every time", "yellow"),
    "not_exercised": ("NOT EXERCISED: too little happened on {} in {} to say anything", "yellow"),
}

_OPERATIONS = ("ok", "refused", "busy", "failed", "unknown")


def render_model(
    document: Mapping[str, Any], *, width: int = 100, colour: bool = False, ascii_only: bool | None = None
) -> str:
    """A run document (harness-model, version 2) on a page of ``width`` columns."""
    paper = page(width, colour=colour, ascii_only=ascii_only)
    verdict = [paper.ink(line, _HEADS[document["verdict"]][1]) for line in paper.wrap(headline(document))]
    lines = [*verdict, *paper.wrap(totals(document))]
    for each in document["properties"]:
        lines += ["", *shown(paper, document, Showing([each]))]
        minimal = "No single operation can be left out." if each["minimal"] else "It may not be the smallest."
        lines += ["", *paper.wrap(minimal)]
    if failed := document["unexplained"]:
        told = ", ".join(f"{what} ({count(times, 'time')})" for what, times in failed.items())
        lines += ["", heading(paper, "failed, though no fault had struck"), *paper.wrap(told, 2, 4)]
    if document["seen"]:
        lines += ["", heading(paper, "in how many lives")]
        lines += [line for row in happened(document["seen"]) for line in paper.wrap(row, 2, 4)]
    return "\n".join([*lines, "", *verdict])


def headline(document: Mapping[str, Any]) -> str:
    """The result in one line."""
    lives = count(document["lives"], "life", "lives")
    broken = ", ".join([each["id"] for each in document["properties"]] + document["also_broken"])
    text = _HEADS[document["verdict"]][0].format(document["subject"]["name"], broken or lives)
    return text + (" (interrupted; judged by what was lived)" if document["interrupted"] else "")


def totals(document: Mapping[str, Any]) -> str:
    """How much was lived, where, and from which seed."""
    replayed = f"{count(document['replayed'], 'recording')} again, " if document["replayed"] else ""
    return (
        f"{replayed}{count(document['lives'], 'life', 'lives')} of {count(document['steps'], 'step')}, "
        f"{count(document['blocks'], 'block')} at once ({document['distinct_blocks']:,} distinct, "
        f"{count(document['outcomes'], 'outcome')}) in {seconds(document['seconds'])}, "
        f"PostgreSQL {document['server']['version']}, seed {document['seed']}"
    )


def happened(seen: Mapping[str, int]) -> list[str]:
    """What was seen, in lines: answers by operation, refusals and errors by word, the rest."""
    lines = []
    for status in _OPERATIONS:
        found = {
            label.removeprefix(f"{status}:"): lives for label, lives in seen.items() if label.startswith(f"{status}:")
        }
        if found:
            told = ", ".join(f"{name} {lives}" for name, lives in sorted(found.items(), key=lambda pair: -pair[1]))
            lines.append(f"{status}: {told}")
    rest = {label: lives for label, lives in seen.items() if label.partition(":")[0] not in _OPERATIONS}
    if rest:
        lines.append(", ".join(f"{label.replace(':', ' ')} {lives}" for label, lives in rest.items()))
    return lines
