"""The result of a verification as text: the verdict, what is broken and by which run, what was explored, what next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.report.advice import advice
from harness.report.counterexamples import heading, reason, sections, showings, shown
from harness.report.coverage import coverage
from harness.report.explored import hangs, not_applicable, not_exercised, opaque, scenarios
from harness.report.faults import faults_in_short
from harness.report.page import page
from harness.report.phrases import count, seconds
from harness.report.verdicts import headline, headline_style, properties_table, with_verdict


def render(
    document: Mapping[str, Any], *, width: int = 100, colour: bool = False, ascii_only: bool | None = None
) -> str:
    """A run document (harness-verify, version 2) on a page of ``width`` columns.

    ``ascii_only`` None: when the standard output has no box drawing.
    """
    paper = page(width, colour=colour, ascii_only=ascii_only)
    verdict = [paper.ink(line, headline_style(document)) for line in paper.wrap(headline(document))]
    lines = [*verdict, *paper.wrap(totals(document))]
    lines += ["", *properties_table(paper, document)]
    for showing in showings(document):
        lines += ["", *shown(paper, document, showing)]
    for each in with_verdict(document, "violated"):
        if each["counterexample"] is None:
            lines += ["", heading(paper, each["id"])]
            lines += [line for part in reason(each).split("; ") for line in paper.wrap(part, 2, 2)]
    texts = {
        "hangs": hangs(paper, document),
        "scenarios": scenarios(paper, document),
        "not exercised": not_exercised(paper, document),
        "not applicable": not_applicable(paper, document),
        "opaque": opaque(paper, document),
        "coverage": coverage(paper, document),
        "faults": faults_in_short(paper, document),
        "next": advice(paper, document),
    }
    lines += sections(paper, texts)
    # Whoever looks at the end of a log first finds the verdict there, too.
    return "\n".join([*lines, "", *verdict])


def _scenarios(document: Mapping[str, Any]) -> str:
    number = count(len(document["scenarios"]), "scenario")
    shard = document.get("shard")
    return f"{number} (shard {shard['index']}/{shard['of']})" if shard else number


def totals(document: Mapping[str, Any]) -> str:
    """How much was run, where, and from which seed."""
    server = document["server"]
    distinct = f"{document['distinct_schedules']:,} distinct"
    return (
        f"{count(document['schedules'], 'schedule')} ({distinct}) of {_scenarios(document)} "
        f"in {seconds(document['seconds'])}, PostgreSQL {server['version']}, "
        f"{count(server['workers'], 'worker')}, seed {document['seed']}"
    )
