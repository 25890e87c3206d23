"""The result of a gate as text and as JUnit XML: the verdict of each part, what it took, and all that was found."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from harness.report.compare import headline as compare_headline
from harness.report.compare import render_compare
from harness.report.counterexamples import Showing, heading, reason, showings, shown
from harness.report.explored import some
from harness.report.faults import headline as faults_headline
from harness.report.junit import finished, legal
from harness.report.load import headline as load_headline
from harness.report.load import render_load
from harness.report.page import Page, page
from harness.report.phrases import label, seconds
from harness.report.table import Column, Line, table
from harness.report.verdicts import headline as verify_headline
from harness.report.verdicts import headline_style, words
from harness.words.secret import HIDDEN

Document = Mapping[str, Any]

_HEADLINES = {
    "harness-verify": verify_headline,
    "harness-faults": faults_headline,
    "harness-load": load_headline,
    "harness-compare": compare_headline,
}


def render_gate(document: Document, *, width: int = 100, colour: bool = False, ascii_only: bool | None = None) -> str:
    """A run document (harness-gate, version 1) on a page of ``width`` columns."""
    paper = page(width, colour=colour, ascii_only=ascii_only)
    verdict = [paper.ink(line, headline_style(document)) for line in paper.wrap(headline(document))]
    lines = [*verdict, *paper.wrap(totals(document)), *paper.wrap(order(document)), "", *_parts(paper, document)]
    for name, found in findings(document):
        for showing in runs_of(found):
            lines += ["", *shown(paper, found, showing)]
        if without := without_run(found):
            lines += ["", heading(paper, f"{name}, without a run")]
            lines += [line for text in without for line in paper.wrap(text, 2, 4)]
        if whole := whole_text(found, paper.width, colour=colour, ascii_only=paper.ascii_only):
            lines += ["", heading(paper, name), *(f"  {line}" for line in whole.splitlines())]
    if again := advice(document):
        lines += ["", heading(paper, "next"), *(f"      {paper.plain(command)}" for command in again)]
    return "\n".join([*lines, "", *verdict])


def headline(document: Document) -> str:
    """The result in one line."""
    name = document["subject"]["name"]
    shard = document.get("shard")
    part = f"shard {shard['index']}/{shard['of']} of " if shard else ""
    said = {
        "holds": f"HOLDS: {name} passes the gate",
        "unbroken": f"UNBROKEN: {part}{name} breaks nothing; whether all holds is for all shards together to say",
        "violated": f"VIOLATED: {part}{name} does not pass the gate",
        "could_not_run": f"NOT JUDGED: {part}{name} does not pass the gate, for not all of it could run",
        "slower": f"SLOWER: {name} does not pass the gate",
        "not_exercised": f"NOT EXERCISED: {part}{name} does not pass the gate",
        "inconclusive": f"INCONCLUSIVE: {part}{name} does not pass the gate",
    }[document["verdict"]]
    red = [
        each["part"] for each in document["parts"] if each["exit_code"] and each["exit_code"] == document["exit_code"]
    ]
    if all(each["status"] == "left_out" for each in document["parts"]):
        said += ": every part was left out"
    return said + (f" ({', '.join(red)})" if red else "") + (" (interrupted)" if document["interrupted"] else "")


def totals(document: Document) -> str:
    """What it took, of what it was given, and what the change was compared with."""
    base = f", against {document['base'][:12]}" if document["base"] else ""
    budget = seconds(document["budget_seconds"])
    return f"{seconds(document['seconds'])} of a budget of {budget}, seed {document['seed']}{base}"


def order(document: Document) -> str:
    """Which scenarios were explored before the others, in a sentence; nothing where there was no reason for any."""
    hurried = document.get("hurried")
    if not hurried or not hurried["operations"]:
        return ""
    functions, operations = (", ".join(hurried[each]) for each in ("functions", "operations"))
    return f"explored first: scenarios that come to {functions}, which the change has touched ({operations})"


def result(part: Document) -> str:
    """What came of one part, in one line."""
    found = part["document"]
    if found is None:
        return str(part["why"])
    if found["format"] == "tests":
        last = next((line for line in reversed(found["last"]) if line.strip()), "")
        return f"{found['command']} ended with {found['ended']}" + (f": {last.strip(' =')}" if last else "")
    return _HEADLINES[found["format"]](found)


def verdict_of(part: Document) -> str:
    """Its verdict in a word or two: lower case for what is as it should be, and for what is not there."""
    if part["status"] != "ran":
        return "left out" if part["status"] == "left_out" else "NOT RUN"
    if part["part"] == "tests":
        return {"holds": "passed", "violated": "FAILED", "not_exercised": "NO TESTS"}.get(part["verdict"], "NOT JUDGED")
    return "NOT JUDGED" if part["verdict"] == "could_not_run" else words(part["verdict"])


def findings(document: Document) -> Iterator[tuple[str, Document]]:
    """The parts that ran and are not green: name and document."""
    for part in document["parts"]:
        if part["exit_code"] and part["document"] is not None:
            yield part["part"], part["document"]


def runs_of(found: Document) -> list[Showing]:
    """The runs that break something in a part that explores schedules."""
    return showings(found) if found["format"] in _EXPLORES else []


def without_run(found: Document) -> list[str]:
    """What keeps such a part from being green and has no run to show, a sentence each."""
    if found["format"] not in _EXPLORES:
        return []
    red = (each for each in found["properties"] if each["verdict"] not in ("holds", "not_applicable"))
    told = []
    for each in red:
        if each["counterexample"] is None:
            why = label(reason(each))
            if each["verdict"] == "not_exercised":
                why = some(why.split("; "), SENTENCES_MAX, "; ")
            told.append(f"{each['id']}: {words(each['verdict'])}; {why}".rstrip("; "))
    struck = found.get("never_struck", ())
    return told + ([f"nothing was struck by {', '.join(struck)}"] if struck else [])


def whole_text(found: Document, width: int, *, colour: bool = False, ascii_only: bool = False) -> str:
    """The part as its own command tells it, where that is short; for the tests the last that they said."""
    if found["format"] == "tests":
        return "\n".join(found["last"])
    render = {"harness-load": render_load, "harness-compare": render_compare}.get(found["format"])
    return render(found, width=width - 2, colour=colour, ascii_only=ascii_only) if render else ""


_EXPLORES = ("harness-verify", "harness-faults")

SENTENCES_MAX = 3
"""So many of the scenarios of a property that was not exercised are named; the part's document has all."""


def advice(document: Document) -> list[str]:
    """What to do next, as commands to copy: the same again, with more time where time was what was missing."""
    scant = document["verdict"] in ("not_exercised", "inconclusive")
    budget_s = document["budget_seconds"] * (MORE if scant else 1)
    subject = shlex.quote(document["subject"].get("folder") or document["subject"]["name"])
    words = [f"harness gate --subject {subject} --budget {budget_s:.0f}s"]
    if document["base"]:
        words.append(f"--base {document['base'][:12]}")
    for each in document["parts"]:
        if each["status"] == "left_out" and each["why"].startswith(WITHOUT):
            words.append(each["why"])
        command = (each["document"] or {}).get("command") if each["part"] == "tests" else None
        if command and HIDDEN not in command:
            words.append(f"--tests {shlex.quote(command)}")
    return [" ".join(words)]


MORE = 2
"""Times as long, where too little was tried."""
WITHOUT = "--without "
"""So begins why a part was left out that nobody wanted."""


def times(part: Document) -> str:
    """What it took, and what it was given."""
    if part["budget_seconds"] is None:
        return "-"
    return f"{seconds(part['seconds'])} of {seconds(part['budget_seconds'])}"


def _parts(paper: Page, document: Document) -> list[str]:
    columns = [Column("part"), Column("verdict"), Column("time", right=True, worth=5)]
    style = {None: "dim", 0: "green", 1: "bold red"}
    lines = [
        Line(
            (each["part"], verdict_of(each), times(each)),
            below=result(each),
            style=style.get(each["exit_code"], "yellow"),
            styled=2,
        )
        for each in document["parts"]
    ]
    return table(paper, columns, lines)


def gate_junit(document: Document) -> str:
    """The gate as XML text: a test case for each part, green exactly when the command ends with 0."""
    subject = document["subject"]["name"]
    root = Element("testsuites", name="harness gate")
    suite = SubElement(root, "testsuite", name=subject, time=f"{document['seconds']:.3f}")
    for each in document["parts"]:
        case = SubElement(
            suite, "testcase", classname=f"{subject}.gate", name=each["part"], time=f"{each['seconds']:.3f}"
        )
        told = legal(result(each))
        if each["status"] == "left_out":
            SubElement(case, "skipped", message=told)
        elif each["exit_code"] in (1, 4):
            SubElement(case, "failure", type=each["verdict"], message=told).text = legal(_explained(each))
        elif each["exit_code"]:
            SubElement(case, "error", type=each["verdict"] or each["status"], message=told)
    return finished(root, suite, document, subject, legal(headline(document)).replace("\xa0", " "))


def _explained(part: Document) -> str:
    found = part["document"]
    paper = page(100, ascii_only=False)
    lines = [line for showing in runs_of(found) for line in (*shown(paper, found, showing), "")]
    return "\n".join([*lines, *without_run(found), whole_text(found, paper.width)])


def parts_in(document: Document, *formats: str) -> Sequence[Document]:
    """The documents of the parts that ran, of these formats."""
    found = (each["document"] for each in document["parts"] if each["document"] is not None)
    return [each for each in found if each["format"] in formats]
