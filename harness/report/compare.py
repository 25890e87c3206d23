"""A comparison as text, for a terminal and as Markdown: the verdict, every function with every figure, the A/A line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from harness.report.page import Page, page
from harness.report.phrases import count
from harness.report.phrases import seconds as in_words
from harness.report.table import Column, Line, table

CAUSES_MAX = 3
"""So many changes are told; more is a wall of text that nobody reads."""
NOT_LOOKED = "of a load run no cause is looked for: compare the operations with the profile functions"
_HEADS = {
    "slower": ("SLOWER: {}", "bold red"),
    "no_slowdown": ("NO SLOWDOWN of {limit} or more: {}", "green"),
    "cannot_tell": ("CAN'T TELL: {}", "yellow"),
    "not_exercised": ("NOT EXERCISED: nothing could be measured", "yellow"),
}
WORDS = {
    "slower": ("SLOWER", "bold red"),
    "no_slowdown": ("no slowdown", "green"),
    "cannot_tell": ("can't tell", "yellow"),
    "not_measured": ("not measured", "yellow"),
}
"""Of each verdict its word, and how it is coloured."""


def render_compare(
    document: Mapping[str, Any], *, width: int = 100, colour: bool = False, ascii_only: bool | None = None
) -> str:
    """A run document (harness-compare, version 1) on a page of ``width`` columns."""
    paper = page(width, colour=colour, ascii_only=ascii_only)
    _, style = _HEADS[document["verdict"]]
    head = [paper.ink(line, style) for line in paper.wrap(headline(document))]
    lines = []
    for each in document["functions"]:
        word, ink = WORDS[each["verdict"]]
        cells = (name_of(each), word, *(figure_cell(figure) for figure in _in_order(document, each)))
        lines.append(Line((*cells, waits_cell(each)), _below(each), style=ink, styled=2))
    columns = (
        Column(noun(document)),
        Column("verdict"),
        *(Column(each["title"], right=True, worth=8) for each in document["figures"]),
        Column("lock waits", right=True, worth=7),
    )
    return "\n".join(
        [
            *head,
            *paper.wrap(basis(document)),
            "",
            *(table(paper, columns, lines) if lines else []),
            "",
            *(line for note in (*marks(document), *notes(document)) for line in paper.wrap(note, 2, 2)),
            *_slow(paper, document),
            "",
            *head,
        ]
    )


def headline(document: Mapping[str, Any]) -> str:
    """The verdict in one line."""
    text, _ = _HEADS[document["verdict"]]
    named = [each for each in document["functions"] if each["verdict"] == document["verdict"]]
    limit = share(max(each["limit"] for each in document["figures"]), sign=False)
    if document["verdict"] == "slower":
        said = "; ".join(f"{name_of(each)} ({', '.join(_worse(document, each))})" for each in named)
    elif document["verdict"] == "cannot_tell":
        widths = dict.fromkeys(map(_width, named))
        said = "; ".join(
            f"{', '.join(name_of(each) for each in named if _width(each) == width)} ({width})" for width in widths
        )
    else:
        said = count(len(named), noun(document))
    head = text.format(said, limit=limit)
    return f"{head} (interrupted)" if document["interrupted"] else head


def basis(document: Mapping[str, Any]) -> str:
    """What was compared, and how."""
    base, candidate = document["base"]["given"], document["candidate"]["given"]
    rounds = sum(each["rounds"] for each in document["functions"])
    kind = "paired round" if document["paired"] else "round"
    return (
        f"{candidate} against {base} on PostgreSQL {document['server']['version']}, {document['leads']:,} leads, "
        f"{count(rounds, kind)} in {in_words(document['seconds'])}"
    )


def notes(document: Mapping[str, Any]) -> Iterator[str]:
    """The A/A line, and what could not be measured."""
    itself = document["against_itself"]
    if document["paired"] and document["base"]["digest"] == document["candidate"]["digest"]:
        yield "base and candidate are the same text: whatever differs here is chance, or how the server is today"
    if not document["paired"]:
        saved = [document[side]["saved"] for side in ("base", "candidate") if document[side]["saved"]]
        yield (
            f"NOT PAIRED, with a saved run ({', '.join(saved)}): weaker. Processor time and latency count only where "
            "they differ by more than two runs of one version can"
        )
    elif itself["widest"] is not None:
        widest = itself["widest"]
        said = f"A/A: the base against itself differs by at most {share(abs(widest['share']), sign=False)}"
        said += f" ({widest['figure']} of {widest['function']})"
        if itself["off"]:
            named = ", ".join(f"{each['figure']} of {each['function']}" for each in itself["off"])
            said += f"; it is OFF in {named}: nothing can be told of that"
        yield said
    else:
        yield "A/A: not measured"
    for each in document["figures"]:
        if each["reason"]:
            yield f"{each['title']}: not measured, {each['reason']}"

    if any(each["lock_waits"]["reason"] is None for each in document["functions"]):
        yield (
            "lock waits: base to candidate, microseconds a call when all sessions make one at once, sampled; "
            "they decide nothing"
        )


def marks(document: Mapping[str, Any]) -> Iterator[str]:
    """What the marks in the cells mean, of those that are there."""
    there = {figure["verdict"] for each in document["functions"] for figure in each["figures"]}
    told = [word for verdict, word in (("cannot_tell", "? can't tell"), ("slower", "! slower")) if verdict in there]
    if told:
        yield ", ".join(told)


def noun(document: Mapping[str, Any]) -> str:
    """What an entry of the document is."""
    return {"functions": "operation", "api": "request"}.get(document["profile"], "scenario")


def waits_cell(function: Mapping[str, Any]) -> str:
    """``310 to 420``: how long a call waits for locks, of the base and of the candidate, in microseconds."""
    waits = function["lock_waits"]
    return "-" if waits["reason"] else f"{waits['base']:,.0f} to {waits['candidate']:,.0f}"


def name_of(function: Mapping[str, Any]) -> str:
    """The operation: two of them can call the same function."""
    return str(function["id"])


def called(function: Mapping[str, Any]) -> str:
    """The functions that an operation calls, or its request; nothing where it calls none."""
    return " + ".join(function["functions"])


def figure_cell(figure: Mapping[str, Any] | None) -> str:
    """``+10.2 % !``: the mark says slower, or that it cannot be told."""
    if figure is None or figure["increase"] is None:
        return "-"
    increase = figure["increase"]
    if increase["middle"] is None:
        return "from 0"
    mark = {"cannot_tell": " ?", "slower": " !"}.get(figure["verdict"], "")
    return share(increase["middle"]) + mark


def share(value: float, *, sign: bool = True) -> str:
    """``+10.2 %``; the space does not break."""
    return f"{value * 100:{'+' if sign else ''}.1f}\xa0%"


def _in_order(document: Mapping[str, Any], function: Mapping[str, Any]) -> list[Mapping[str, Any] | None]:
    found = {each["id"]: each for each in function["figures"]}
    return [found.get(each["id"]) for each in document["figures"]]


def _worse(document: Mapping[str, Any], function: Mapping[str, Any]) -> Iterator[str]:
    titles = {each["id"]: each["title"] for each in document["figures"]}
    for each in function["figures"]:
        if each["verdict"] == "slower":
            yield f"{titles[each['id']]} {figure_cell(each).removesuffix(' !')}"


def _width(function: Mapping[str, Any]) -> str:
    """How far the interval of the least certain figure reaches to each side."""
    widths = []
    for each in function["figures"]:
        if each["verdict"] == "cannot_tell" and not each["off"]:
            increase = each["increase"]
            if increase["lower"] is None or increase["upper"] is None:
                return "too few rounds"
            widths.append((increase["upper"] - increase["lower"]) / 2)
    return f"±{share(max(widths), sign=False)}" if widths else "A/A is off"


def _below(function: Mapping[str, Any]) -> str:
    parts = [each for each in (called(function), function["reason"]) if each]
    if function["verdict"] == "cannot_tell":
        parts.append(f"can't tell: {_width(function)}")
    if function["faster"]:
        parts.append("faster")
    return "; ".join(parts)


def causes_of(document: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """What makes something slower, and the names of all that it makes so: what explains most comes first.

    At most ``CAUSES_MAX`` of them, and a line that says how many more the run document has. Those for which none was
    found come last.
    """
    texts: dict[tuple[Any, ...], str] = {}
    named: dict[tuple[Any, ...], list[str]] = {}
    unknown = []
    for each in document["functions"]:
        for cause in each["cause"]:
            key = tuple(cause[part] for part in ("kind", "function", "line", "statement"))
            key = key if any(key[1:]) else (*key, cause["text"])
            texts.setdefault(key, cause["text"])
            if name_of(each) not in named.setdefault(key, []):
                named[key].append(name_of(each))
        if each["verdict"] == "slower" and not each["cause"]:
            unknown.append(name_of(each))
    ranked = sorted(texts, key=lambda key: -len(named[key]))
    told = [(texts[key], named[key]) for key in ranked[:CAUSES_MAX]]
    if (more := len(ranked) - CAUSES_MAX) > 0:
        rest = dict.fromkeys(name for key in ranked[CAUSES_MAX:] for name in named[key])
        told.append((f"{count(more, 'more change')}, in the run document", list(rest)))
    if unknown:
        looked = "no cause was found: the statements, their plans and the source are the same"
        told.append((NOT_LOOKED if document["profile"].startswith("load:") else looked, unknown))
    return told


def _slow(paper: Page, document: Mapping[str, Any]) -> Iterator[str]:
    for text, names in causes_of(document):
        yield ""
        yield from (paper.ink(line, "bold") for line in paper.wrap(f"slower: {', '.join(names)}"))
        yield from paper.wrap(text, 2, 2)


def markdown_compare(document: Mapping[str, Any]) -> str:
    """The same for a step summary or a pull request: the verdict, a table, the causes, what to run."""
    figures = document["figures"]
    head = [noun(document), "verdict", *(each["title"] for each in figures), "lock waits"]
    rows = [
        [
            f"`{name_of(each)}`",
            f"**{WORDS[each['verdict']][0]}**" if each["verdict"] == "slower" else WORDS[each["verdict"]][0],
            *(figure_cell(figure) for figure in _in_order(document, each)),
            waits_cell(each),
        ]
        for each in document["functions"]
    ]
    lines = [
        f"### {headline(document)}",
        "",
        basis(document),
        "",
        *(f"| {' | '.join(cells)} |" for cells in [head, ["---", "---", *["--:"] * (len(figures) + 1)], *rows]),
        "",
    ]
    if told := causes_of(document):
        lines += ["**Why**", ""]
        lines += [f"- {', '.join(f'`{name}`' for name in names)}: {_unmarked(text)}" for text, names in told]
        lines.append("")
    lines += [*(f"{note}  " for note in (*marks(document), *notes(document))), "", f"`{command(document)}`"]
    return "\n".join(lines) + "\n"


def command(document: Mapping[str, Any]) -> str:
    """What to run to have it again."""
    base, candidate = (shlex.quote(document[side]["given"]) for side in ("base", "candidate"))
    profile = "" if document["profile"] == "functions" else f" --profile {document['profile']}"
    return f"harness compare {base} {candidate}{profile} --seed {document['seed']}"


def _unmarked(text: str) -> str:
    """So that no character of a statement is taken for Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", text)
