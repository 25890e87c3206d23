"""The result of a gate as Markdown, for a CI step's summary: it alone must tell what is wrong and how to see it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.report.counterexamples import Showing, provenance, reason, replay_line
from harness.report.gate import (
    findings,
    headline,
    parts_in,
    result,
    runs_of,
    times,
    totals,
    verdict_of,
    whole_text,
    without_run,
)
from harness.report.guilt import Place, Sources, guilty_place
from harness.report.lanes import lanes

BYTES_MAX = 1024 * 1024 - 4096
"""GitHub takes no greater summary of a step; something is left for what others write there."""
WIDTH = 110

Document = Mapping[str, Any]


def gate_markdown(document: Document) -> str:
    """A run document (harness-gate, version 1) as Markdown of less than ``BYTES_MAX`` bytes."""
    lines = [f"## harness gate: {_text(headline(document))}", "", _text(totals(document)), ""]
    lines += ["| part | verdict | time | |", "|---|---|---|---|"]
    lines += [
        f"| {each['part']} | **{verdict_of(each)}** | {times(each)} | {_cell(result(each))} |"
        for each in document["parts"]
    ]
    for name, found in findings(document):
        for showing in runs_of(found):
            lines += ["", *_shown(document, found, showing)]
        if without := without_run(found):
            lines += ["", f"### {name}, without a run", "", *(f"- {_text(text)}" for text in without)]
        if whole := whole_text(found, WIDTH):
            lines += ["", f"### {name}", "", *_fenced(whole)]
    lines += ["", *_changes(document)]
    return within("\n".join(lines).replace("\xa0", " ") + "\n", BYTES_MAX)


def located(document: Document, counterexample: Document) -> Place | None:
    """Where a counterexample of any part goes wrong; the files are known from the coverage of the verification."""
    verified = parts_in(document, "harness-verify")
    functions = [each for found in verified for each in found["coverage"]["sql"]["functions"]]
    changed = {each["file"]: each["lines"] for each in document["changed"]}
    return guilty_place(counterexample, Sources(functions, document["files"], changed))


def _shown(document: Document, found: Document, showing: Showing) -> Iterator[str]:
    counterexample = showing.counterexample
    yield f"### Broken: {', '.join(each['id'] for each in showing.properties)}"
    yield ""
    for each in showing.properties:
        meaning = document["meanings"].get(each["id"])
        demanded = f" (demanded: {_text(meaning)})" if meaning else ""
        yield f"- **{each['id']}**: {_text(reason(each))}{demanded}"
    if sentence := counterexample.get("because", {}).get("sentence"):
        yield f"- {_text(sentence)}"
    yield ""
    if theory := document["theories"].get(counterexample["scenario"]):
        yield f"Scenario `{counterexample['scenario']}`: {_text(theory)}"
        yield ""
    where = located(document, counterexample)
    if where is not None:
        yield f"Look at `{where}`" + (", which this change has touched:" if where.touched else ":")
        yield ""
        yield from _fenced(where.statement, "sql")
        yield ""
    yield "The run: a column for each client, time downwards; below it what the run changed."
    yield ""
    yield from _fenced(lanes(counterexample["story"], width=WIDTH, guilty=showing.guilty, ascii_only=False))
    yield ""
    yield f"{_text('; '.join(provenance(counterexample)))}."
    yield ""
    yield "Find it again on your machine, from nothing:"
    yield ""
    yield from _fenced(again(document, counterexample))
    yield ""
    yield "Or run this very schedule, step by step; its file is in `reports/`, among the artifacts of the run:"
    yield ""
    yield from _fenced(f"{replay_line(found, counterexample)} --step")


def _changes(document: Document) -> Iterator[str]:
    """What the change did to the subject, when something is wrong with it."""
    if not document["exit_code"] or not document["changed"]:
        return
    yield f"### What changed since {document['base'][:12]}"
    for each in document["changed"]:
        yield ""
        yield f"`{each['file']}`" + ("" if each["diff"] else " is new")
        if each["diff"]:
            yield ""
            yield from _fenced(each["diff"], "diff")
    yield ""


def again(document: Document, counterexample: Document) -> str:
    """The command that finds a counterexample without its schedule file."""
    subject = document["subject"].get("folder") or document["subject"]["name"]
    scenario = counterexample["scenario"]
    if "~" in scenario:  # of a fault sweep: the operation, then what struck it
        operation, fault, *_ = scenario.split("~")
        kind, _, sqlstate = fault.partition("=")
        more = f" --sqlstate {sqlstate}" if sqlstate else ""
        return f"harness faults --subject {subject} --operation {operation} --fault {kind}{more}"
    return f"harness explore {scenario} --subject {subject} --preemptions {counterexample['preemptions']}"


def within(text: str, limit: int) -> str:
    """``text``, or as many of its lines as fit into so many bytes, with a note that it was cut."""
    if len(text.encode()) <= limit:
        return text
    note = "\n*The rest does not fit into this summary. The whole is in the run document.*\n"
    room = limit - len(note.encode()) - len("```\n")
    kept, fenced = [], False
    for line in text.splitlines(keepends=True):
        room -= len(line.encode())
        if room < 0:
            break
        kept.append(line)
        fenced ^= line.startswith("```")
    return "".join(kept) + ("```\n" if fenced else "") + note


def _fenced(text: str, language: str = "text") -> list[str]:
    """A block of code, whatever is in it: no run of backticks in a line begins or ends one."""
    return [f"```{language}", *(line.replace("```", "'''") for line in text.splitlines()), "```"]


def _text(text: str) -> str:
    """Words as they are: nothing in them is markup."""
    return re.sub(r"([\\`*_{}\[\]#|])", r"\\\1", html.escape(text, quote=False))


def _cell(text: str) -> str:
    return _text(" ".join(text.split()))
