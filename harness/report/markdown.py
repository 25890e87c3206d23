"""The result as Markdown, for the summary of a CI step or a comment: verdict, table, why, a picture, how to replay."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.report import compare, faults, load, model, monitor, terminal, verdicts
from harness.report.changes import changed
from harness.report.counterexamples import Showing, provenance, reason, replay_line, showings
from harness.report.mermaid import sequence
from harness.report.phrases import count
from harness.report.verdicts import GRAVEST_FIRST, words

BYTES_MAX = 262_144
"""A step's summary may have 1 MiB, and several writers may share it."""

TEXT_MAX = 600
"""Characters of one sentence: values of a foreign schema may be of any length."""

ROWS_MAX = 200

Document = Mapping[str, Any]

_MARKS = {"violated": "❌", "alert": "❌", "slower": "❌", "holds": "✅", "ok": "✅", "no_slowdown": "✅"}
_ESCAPED = re.compile(r"[\\`*_\[\]|~]")
_ENTITY = re.compile(r"[<>&@#]")
_LIST = re.compile(r"^([-+=]+|\d+[.)])(?=\s|$)")


def markdown(document: Document) -> str:
    """The document as GitHub-flavoured Markdown, of at most ``BYTES_MAX`` bytes."""
    parts = list(FORMATS[document["format"]](document))
    text = "\n\n".join(part for part in parts if part) + "\n"
    if len(text.encode()) <= BYTES_MAX:
        return text
    left_out = "\n\n… the rest is left out: the run document has it.\n"
    kept: list[str] = []
    room = BYTES_MAX - len(left_out.encode())
    for part in parts:
        room -= len(part.encode()) + 2
        if room < 0:
            break
        kept.append(part)
    return "\n\n".join(kept) + left_out


def _verify(document: Document) -> Iterator[str]:
    yield _head(document, verdicts.headline(document))
    yield plain(terminal.totals(document))
    yield _properties(document)
    yield from _broken(document)
    yield _run(document)


def _faults(document: Document) -> Iterator[str]:
    yield _head(document, faults.headline(document))
    yield plain(
        f"{count(document['histories'], 'history', 'histories')}, {count(document['strikes'], 'fault')} at "
        f"{count(document['steps'], 'step')}, PostgreSQL {document['server']['version']}, seed {document['seed']}"
    )
    yield _properties(document)
    if (crashes := document["crashes"]) and crashes["violated"]:
        yield "**crashes:** " + plain("; ".join([", ".join(crashes["violated"]), *crashes["why"]]))
    yield from _broken(document)
    yield _run(document)


def _model(document: Document) -> Iterator[str]:
    yield _head(document, model.headline(document))
    yield plain(model.totals(document))
    yield from _broken(document)
    yield _run(document)


def _load(document: Document) -> Iterator[str]:
    yield _head(document, load.headline(document))
    entries = [each for verdict in GRAVEST_FIRST for each in verdicts.with_verdict(document, verdict)]
    rows = [(each["id"], words(each["verdict"]), f"{each['checked']:,}", "; ".join(each["why"])) for each in entries]
    yield table(("property", "verdict", "checked", "why"), rows, right=(2,))
    figures = []
    for each in document["operations"]:
        closed, opened = each["closed_ms"], each["open_ms"]
        latencies = (
            f"{closed['p50']:,.1f}",
            f"{closed['p99']:,.1f}",
            "-" if opened is None else f"{opened['p99']:,.1f}",
        )
        figures.append((each["name"], f"{each['requests']:,}", f"{each['per_second']:,.0f}", *latencies))
    heads = ("operation", "requests", "per second", "p50 ms", "p99 ms", "p99 ms from arrival")
    yield table(heads, figures, right=range(1, 6))
    if document["refusals"]:
        yield "refused: " + plain(", ".join(f"{code} {number:,}" for code, number in document["refusals"].items()))
    yield _run(document)


def _monitor(document: Document) -> Iterator[str]:
    yield _head(document, monitor.headline(document))
    yield plain(monitor.basis(document))
    rows = [
        (metric.title, monitor.GRADES[each["verdict"]][0], metric.value, metric.expected, metric.alert)
        for each, metric in zip(document["metrics"], monitor.metrics(document), strict=True)
    ]
    yield table(("metric", "verdict", "measured", "expected", "alert"), rows)
    if leads := [lead for each in document["metrics"] for lead in each["leads"]]:
        yield plain(f"sold more than once: {', '.join(leads)}")
    yield _run(document)


def _compare(document: Document) -> Iterator[str]:
    yield _head(document, compare.headline(document))
    yield plain(compare.basis(document))
    titles = [each["title"] for each in document["figures"]]
    rows = []
    for each in document["functions"]:
        by_id = {figure["id"]: figure for figure in each["figures"]}
        cells = [compare.figure_cell(by_id.get(figure["id"])) for figure in document["figures"]]
        rows.append((compare.name_of(each), words(each["verdict"]), *cells))
    yield table((compare.noun(document), "verdict", *titles), rows, right=range(2, 2 + len(titles)))
    causes = [(", ".join(names), text) for text, names in compare.causes_of(document)]
    yield table(("slower", "cause"), causes)
    yield "\n".join(f"- {plain(note)}" for note in compare.notes(document))
    yield _run(document)


FORMATS: Mapping[str, Callable[[Document], Iterator[str]]] = {
    "harness-verify": _verify,
    "harness-faults": _faults,
    "harness-model": _model,
    "harness-load": _load,
    "harness-monitor": _monitor,
    "harness-compare": _compare,
}
"""The parts of each, the gravest first; what is too long loses its last ones."""


def plain(text: str) -> str:
    """``text`` as one line that Markdown takes for nothing but text; ``@somebody`` calls nobody."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    short = line if len(line) <= TEXT_MAX else line[: TEXT_MAX - 1] + "…"
    text = _ENTITY.sub(lambda found: f"&#{ord(found[0])};", _ESCAPED.sub(lambda found: f"\\{found[0]}", short))
    return _LIST.sub(lambda found: f"{found[1][:-1]}\\{found[1][-1]}", text)


def fenced(text: str, language: str = "") -> str:
    """A block of code; its fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """A table; nothing without rows. More than ``ROWS_MAX`` are counted instead."""
    if not rows:
        return ""
    rule = ["--:" if number in right else "---" for number in range(len(heads))]
    lines = [heads, rule, *([plain(cell) or " " for cell in row] for row in rows[:ROWS_MAX])]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return text + (f"\n\n… and {len(rows) - ROWS_MAX:,} more" if len(rows) > ROWS_MAX else "")


def _head(document: Document, headline: str) -> str:
    return f"### {_MARKS.get(document['verdict'], '⚠️')} {plain(headline)}"


def _properties(document: Document) -> str:
    rows = [
        (
            each["id"],
            words(verdict),
            f"{each['schedules']:,}" if each["schedules"] else "-",
            f"{each['violating_schedules']:,}" if each["violating_schedules"] else "-",
            reason(each),
        )
        for verdict in GRAVEST_FIRST
        for each in verdicts.with_verdict(document, verdict)
    ]
    return table(("property", "verdict", "schedules", "violating", "why"), rows, right=(2, 3))


def _broken(document: Document) -> Iterator[str]:
    """Every run that breaks something: why, and how to replay it; of the shortest also the picture."""
    found = showings(document)
    if not found:
        return
    shortest = min(found, key=lambda each: (each.counterexample["preemptions"], each.counterexample["steps"]))
    for showing in [shortest, *(each for each in found if each is not shortest)]:
        yield from _shown(document, showing, picture=showing is shortest)


def _shown(document: Document, showing: Showing, *, picture: bool) -> Iterator[str]:
    found = showing.counterexample
    yield "#### " + plain(", ".join(each["id"] for each in showing.properties))
    if because := found.get("because"):
        yield f"**{plain(because['sentence'])}**"
    yield "\n".join(f"- {plain(reason(each))}" for each in showing.properties)
    yield plain("; ".join(provenance(found)))
    if picture:
        yield fenced(sequence(found["story"]), "mermaid")
        yield _changes(found["story"], showing.guilty)
    yield "Again, step by step:\n\n" + fenced(f"{replay_line(document, found)} --step", "sh")


def _changes(story: Mapping[str, Any], guilty: Mapping[str, str]) -> str:
    """The state before and after; nothing for a story that has none."""
    if "start" not in story:
        return ""
    found, _ = changed(story["start"], story["final"], guilty)
    return table(("", "before", "after"), [(each.name, each.before, each.after) for each in found])


def _run(document: Document) -> str:
    run = document.get("run")
    return (
        ""
        if run is None
        else f"<sub>run {plain(run['id'])}, harness {plain(run['harness'])}</sub>\n\n" + fenced(run["command"], "sh")
    )
