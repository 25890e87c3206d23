"""The result of a gate as Markdown, for a CI step's summary: it alone must tell what is wrong and how to see it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from harness.report.counterexamples import Showing, provenance, reason, replay_line
from harness.report.gate import (
    findings,
    headline,
    order,
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
from harness.report.markdown import fenced, plain
from harness.report.mermaid import sequence

BYTES_MAX = 1024 * 1024 - 4096
"""GitHub takes no greater summary of a step; something is left for what others write there."""
WIDTH = 110

Document = Mapping[str, Any]


def gate_markdown(document: Document) -> str:
    """A run document (harness-gate, version 1) as Markdown of less than ``BYTES_MAX`` bytes."""
    lines = [f"## harness gate: {plain(headline(document))}", "", *_in_short(document)]
    lines += [plain("; ".join(each for each in (totals(document), order(document)) if each)), ""]
    lines += ["| part | verdict | time | |", "|---|---|---|---|"]
    lines += [
        f"| {each['part']} | **{verdict_of(each)}** | {times(each)} | {plain(result(each))} |"
        for each in document["parts"]
    ]
    for name, found in findings(document):
        runs = runs_of(found)
        shortest = min(runs, key=_length, default=None)
        for showing in runs:
            lines += ["", *_shown(document, found, showing, picture=showing is shortest)]
        if without := without_run(found):
            lines += ["", f"### {name}, without a run", "", *(f"- {plain(text)}" for text in without)]
        if whole := whole_text(found, WIDTH):
            lines += ["", f"### {name}", "", fenced(whole, "text")]
    lines += ["", *_changes(document)]
    return within("\n".join(lines).replace("\xa0", " ") + "\n", BYTES_MAX)


def located(document: Document, counterexample: Document) -> Place | None:
    """Where a counterexample of any part goes wrong; the files are known from the coverage of the verification."""
    verified = parts_in(document, "harness-verify")
    functions = [each for found in verified for each in found["coverage"]["sql"]["functions"]]
    changed = {each["file"]: each["lines"] for each in document["changed"]}
    return guilty_place(counterexample, Sources(functions, document["files"], changed))


def _in_short(document: Document) -> Iterator[str]:
    """What is wrong, where, and how to see it: a paragraph for each run that breaks something."""
    for _, found in findings(document):
        for showing in runs_of(found):
            counterexample = showing.counterexample
            ids = ", ".join(f"**{each['id']}**" for each in showing.properties)
            where = located(document, counterexample)
            place = "" if where is None else f" Look at {_place(where)}."
            # That no serial order ends like that says least of what went wrong.
            plainest = min(showing.properties, key=lambda each: each["id"] == "serializable")
            how = ". ".join(plain(each) for each in (reason(plainest), _how(counterexample)) if each)
            yield f"- {ids}: {how}.{place} Replay it: `{_replay(document, found, counterexample)}`"
            yield ""


def _how(counterexample: Document) -> str:
    """How it came, in a sentence: the story's own, or else who was stopped where; nothing where nobody was."""
    if because := counterexample.get("because"):
        return str(because["sentence"])
    steps = counterexample["story"]["steps"]
    step = next((each for each in steps if each.get("preempts")), None)
    if step is None:
        return ""
    stopped = step["preempts"]
    last = [each for each in steps[: steps.index(step)] if each["session"] == stopped][-1]
    function, _, line = last["where"].rpartition(":")
    inside = f" (line {line} of {function.partition('(')[0].rpartition('.')[2]})" if function else ""
    return f"{stopped} was stopped after step {last['step']}{inside}, and {step['session']} took step {step['step']}"


def _place(where: Place) -> str:
    name = where.function.partition("(")[0].rpartition(".")[2]
    return f"`{where}`" + (f" in `{name}`" if where.file else "") + (", which this change has touched" * where.touched)


def _replay(document: Document, found: Document, counterexample: Document) -> str:
    return f"{replay_line(found, counterexample)}{_scenario_files(document)} --step"


def _shown(document: Document, found: Document, showing: Showing, *, picture: bool) -> Iterator[str]:
    counterexample = showing.counterexample
    yield f"### Broken: {', '.join(each['id'] for each in showing.properties)}"
    yield ""
    for each in showing.properties:
        meaning = document["meanings"].get(each["id"])
        demanded = f" (demanded: {plain(meaning)})" if meaning else ""
        yield f"- **{each['id']}**: {plain(reason(each))}{demanded}"
    if how := _how(counterexample):
        yield f"- how it came: {plain(how)}"
    for serial in counterexample.get("serial_orders", ())[:1]:
        yield f"- right would be, one after the other ({plain('; '.join(serial['order']))}): {plain(serial['ends'])}"
    yield ""
    if theory := document["theories"].get(counterexample["scenario"]):
        yield f"Scenario `{counterexample['scenario']}`: {plain(theory)}"
        yield ""
    where = located(document, counterexample)
    if where is not None:
        yield f"Look at {_place(where)}:"
        yield ""
        yield fenced(where.statement, "sql")
        yield ""
    if picture:
        yield fenced(sequence(counterexample["story"]), "mermaid")
        yield ""
    yield "The run: a column for each client, time downwards; below it what the run changed."
    yield ""
    yield fenced(lanes(counterexample["story"], width=WIDTH, guilty=showing.guilty, ascii_only=False), "text")
    yield ""
    yield f"{plain('; '.join(provenance(counterexample)))}."
    yield ""
    yield "Find it again on your machine, in a checkout of this change:"
    yield ""
    yield fenced(again(document, counterexample), "sh")
    yield ""
    yield "Or run this very schedule, step by step; its file is an artifact of the run, to be unpacked into `reports/`:"
    yield ""
    yield fenced(_replay(document, found, counterexample), "sh")


def _changes(document: Document) -> Iterator[str]:
    """What the change did to the subject, when something is wrong with it."""
    if not document["exit_code"] or not document["changed"]:
        return
    yield f"### What changed since {document['base'][:12]}"
    for each in document["changed"]:
        yield ""
        yield f"**{plain(each['file'])}**" + ("" if each["diff"] else " is new")
        if each["diff"]:
            yield ""
            yield fenced(each["diff"], "diff")
    yield ""


def again(document: Document, counterexample: Document) -> str:
    """The command that finds a counterexample without its schedule file, as a shell takes it."""
    subject = shlex.quote(document["subject"].get("folder") or document["subject"]["name"])
    scenario = counterexample["scenario"]
    level = counterexample["isolation"]
    isolation = "" if level == "read committed" else f" --isolation {shlex.quote(level)}"
    if "~" not in scenario:
        asked = f"{shlex.quote(scenario)} --subject {subject} {_until_found(document, counterexample)}"
        return f"harness explore {asked}{isolation}{_scenario_files(document)}"
    # Of a fault sweep: the operation, what struck it, and whether another client was there.
    operation, *struck = scenario.split("~")
    beside = struck[-1] == "beside"
    pairs = [fault.partition("=") for fault in (struck[:-1] if beside else struck)]
    words = [f"--subject {subject}", f"--operation {shlex.quote(operation)}"]
    words += dict.fromkeys(f"--fault {kind}" for kind, _, _ in pairs)
    words += dict.fromkeys(f"--sqlstate {sqlstate}" for _, _, sqlstate in pairs if sqlstate)
    # What is drawn and is not this is not drawn.
    words += [] if len(pairs) > 1 else ["--pairs 0"]
    words += [] if beside and len(pairs) == 1 else ["--beside 0"]
    return f"harness faults {' '.join(words)} --crashes 0{isolation}"


def _until_found(document: Document, counterexample: Document) -> str:
    """All schedules of so few preemptions; where there may be too many of those, as many as it took."""
    if counterexample["proved_minimum"] or counterexample["preemptions"] <= 1:
        return f"--preemptions {counterexample['preemptions']}"
    return f"--strategy mixture --seed {document['seed']} --max {counterexample['found_after_schedules']}"


def _scenario_files(document: Document) -> str:
    named = document.get("scenario_files")
    return f" --scenario-files {shlex.quote(named)}" if named else ""


def _length(showing: Showing) -> tuple[int, int]:
    return showing.counterexample["preemptions"], showing.counterexample["steps"]


_FENCE = re.compile("`{3,}")


def within(text: str, limit: int) -> str:
    """``text``, or as many of its lines as fit into so many bytes, with a note that it was cut."""
    if len(text.encode()) <= limit:
        return text
    note = "\n*The rest does not fit into this summary. The whole is in the run document.*\n"
    room = limit - len(note.encode())
    kept, fence = [], ""
    for line in text.splitlines(keepends=True):
        room -= len(line.encode())
        found = _FENCE.match(line)
        after = fence
        if not fence and found:
            after = found[0]
        elif fence and line.rstrip() == fence:
            after = ""
        if room < (len(after) + 1 if after else 0):
            break
        kept.append(line)
        fence = after
    return "".join(kept) + (f"{fence}\n" if fence else "") + note
