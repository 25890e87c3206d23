"""The result of a load run as text: the verdict first, then the figures of both models, refusals and what was lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.report.counterexamples import heading, sections
from harness.report.page import Page, page
from harness.report.phrases import count, seconds, sqlstate
from harness.report.table import Column, Line, table
from harness.report.verdicts import GRAVEST_FIRST, headline_style, with_verdict, words

_STYLE = {"violated": "bold red", "holds": "green", "not_applicable": "dim"}


def render_load(
    document: Mapping[str, Any], *, width: int = 100, colour: bool = False, ascii_only: bool | None = None
) -> str:
    """A run document (harness-load, version 2) on a page of ``width`` columns."""
    paper = page(width, colour=colour, ascii_only=ascii_only)
    verdict = [paper.ink(line, headline_style(document)) for line in paper.wrap(headline(document))]
    lines = [*verdict, *(line for text in totals(document) for line in paper.wrap(text))]
    lines += ["", *_properties(paper, document)]
    for each in [*with_verdict(document, "violated"), *with_verdict(document, "not_exercised")]:
        if not each["why"]:
            continue
        lines += ["", heading(paper, each["id"])]
        lines += [line for why in each["why"] for line in paper.wrap(why, 2, 2)]
        if each["more"]:
            lines += paper.wrap(f"and {each['more']:,} more", 2)
    texts = {
        "latency": _latencies(paper, document),
        "race": _race(paper, document),
        "the payment document": _published(paper, document),
        "steps": _steps(paper, document),
        "answers": answers(paper, document),
        "disturbances": disturbances(paper, document),
        "growth": _growth(paper, document),
    }
    lines += sections(paper, texts)
    return "\n".join([*lines, "", *verdict])


def headline(document: Mapping[str, Any]) -> str:
    """The result in one line."""
    name, scenario = document["subject"]["name"], document["scenario"]["name"]
    requests = count(document["requests"], "request")
    broken = [each["id"] for each in with_verdict(document, "violated")]
    match document["verdict"]:
        case "violated":
            text = f"VIOLATED: {name} breaks {', '.join(broken)} under {scenario}"
        case "not_exercised":
            idle = [each["id"] for each in with_verdict(document, "not_exercised")]
            text = f"NOT EXERCISED: {scenario} on {name} did not put to the test: {', '.join(idle)}"
        case "inconclusive":
            doubtful, lost = document["history"]["doubtful"], document["load"]["lost_processes"]
            why = []
            if doubtful:
                why.append(f"{count(doubtful, 'finding')} that another order of operations might explain")
            if lost:
                why.append(f"{count(lost, 'process', 'processes')} lost, and what they had done last")
            text = f"INCONCLUSIVE: under {scenario} {'; '.join(why)}"
        case _:
            kept = len(with_verdict(document, "holds"))
            text = f"HOLDS: {name} keeps {count(kept, 'property', 'properties')} through {requests} of {scenario}"
    return text + (" (interrupted; judged by what was run)" if document["interrupted"] else "")


def milliseconds(value: float | None) -> str:
    """Three digits that say something, and never a zero for what took time."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def totals(document: Mapping[str, Any]) -> list[str]:
    """How much was run, by whom, and what was checked."""
    load, history = document["load"], document["history"]
    model = f"open model, {load['rate']:g}/s {load['arrivals']}" if load["rate"] else "closed model"
    lines = [
        f"{count(document['requests'], 'request')} in {seconds(document['seconds'])}, "
        f"{document['per_second']:,.0f}/s, by {count(load['users'], 'user')} in "
        f"{count(load['processes'], 'process', 'processes')} ({model}), "
        f"PostgreSQL {document['server']['version']}, seed {load['seed']}",
        f"every operation checked: {history['counts']['operations']:,} against "
        f"{count(history['counts']['commits'], 'commit')} in the order of the log, in {seconds(history['seconds'])}",
    ]
    if load["lost_processes"]:
        lines.append(f"{count(load['lost_processes'], 'process', 'processes')} of the load generator did not end well")
    return lines


def _properties(paper: Page, document: Mapping[str, Any]) -> list[str]:
    columns = [Column("property"), Column("verdict"), Column("checked", right=True, worth=5)]
    lines = [
        Line(
            (each["id"], words(each["verdict"]), f"{each['checked']:,}" if each["checked"] else "-"),
            style=_STYLE.get(each["verdict"], "yellow"),
            styled=2,
        )
        for verdict in GRAVEST_FIRST
        for each in with_verdict(document, verdict)
    ]
    return table(paper, columns, lines)


def _latencies(paper: Page, document: Mapping[str, Any]) -> list[str]:
    columns = [
        Column("operation"),
        Column("requests", right=True, worth=6),
        Column("per second", right=True, worth=5),
        Column("from", worth=8),
        *(Column(name, right=True, worth=worth) for name, worth in (("p50", 8), ("p90", 3), ("p99", 7))),
        Column("p99.9", right=True, worth=2),
        Column("max ms", right=True, worth=4),
    ]
    lines = []
    for each in document["operations"]:
        for since, found in (("sending", each["closed_ms"]), ("arrival", each["open_ms"])):
            if found is not None:
                head = (each["name"], f"{each['requests']:,}", f"{each['per_second']:,.1f}")
                cells = head if since == "sending" else ("", "", "")
                figures = (milliseconds(found[name]) for name in ("p50", "p90", "p99", "p999", "max"))
                lines.append(Line((*cells, since, *figures)))
    if not lines:
        return []
    text = table(paper, columns, lines)
    late = document["lateness"]
    if late["late_ms"] is not None:
        text += paper.wrap(
            "from arrival: from the moment at which the client was to come, to its clear answer. Clients for whom "
            f"nothing stood in the way set out {milliseconds(late['late_ms']['p50'])} ms late (p99 "
            f"{milliseconds(late['late_ms']['p99'])}, max {milliseconds(late['late_ms']['max'])} ms): that is the "
            f"load generator's own. {count(late['waited_for_a_client'], 'arrival')} waited for a free user.",
            2,
        )
    return text


def _race(paper: Page, document: Mapping[str, Any]) -> list[str]:
    race = document["race"]
    if race is None or not race["rounds"]:
        return []
    return paper.wrap(
        f"one winner in {race['one_winner']:,} of {count(race['rounds'], 'round')} of {race['buyers']} buyers; a round "
        f"took {race['seconds_median']:.3f} s (the longest {race['seconds_max']:.3f} s)",
        2,
    )


def _published(paper: Page, document: Mapping[str, Any]) -> list[str]:
    columns = [
        Column("figure"),
        Column("the seed", right=True),
        Column("here", right=True),
        Column("compares", worth=8),
        Column("why not, or how far", worth=2),
    ]
    return table(
        paper,
        columns,
        [
            Line((each["figure"], theirs(each), measured(each), each["compares"], each["why"]))
            for each in document["published"]
            if each["here"] is not None
        ],
    )


def theirs(figure: Mapping[str, Any]) -> str:
    """What the payment document says of a figure."""
    if figure["published"] is not None:
        return _in_unit(figure["published"], figure["unit"])
    expected, alert = (_in_unit(figure[name], figure["unit"]) for name in ("expected", "alert"))
    return (
        expected
        if expected == alert
        else f"{'up to' if figure['unit'] == 'share' else 'under'} {expected}, alert above {alert}"
    )


def measured(figure: Mapping[str, Any]) -> str:
    """What the run has of it, with a word where it is more than was expected."""
    if figure["here"] is None:
        return "not in this run"
    text = _in_unit(figure["here"], figure["unit"])
    return text + {"above_expected": ", above", "alert": ", ALERT"}.get(figure["grade"], "")


def _in_unit(value: float, unit: str) -> str:
    match unit:
        case "ms":
            return f"{milliseconds(value)} ms"
        case "seconds":
            return f"{value:.3g} s"
        case "share":
            return f"{value * 100:.3g} %"
        case _:
            return f"{value:,.0f}"


def _steps(paper: Page, document: Mapping[str, Any]) -> list[str]:
    columns = [Column("users", right=True), Column("per second", right=True), Column("p50 ms", right=True)]
    columns.append(Column("p99 ms", right=True))
    lines = [
        Line(
            (
                f"{each['users']:,}",
                f"{each['per_second']:,.0f}",
                milliseconds(each["closed_ms"]["p50"]),
                milliseconds(each["closed_ms"]["p99"]),
            )
        )
        for each in document["steps"]
    ]
    return table(paper, columns, lines) if lines else []


def answers(paper: Page, document: Mapping[str, Any]) -> list[str]:
    """How requests ended, what they were refused for, and what became of those that nobody knew the outcome of."""
    statuses: dict[str, int] = {}
    for each in document["operations"]:
        for status, number in each["statuses"].items():
            statuses[status] = statuses.get(status, 0) + number
    lines = paper.wrap(", ".join(f"{number:,} {status}" for status, number in statuses.items()), 2, 4)
    if document["refusals"]:
        told = ", ".join(f"{code} {number:,}" for code, number in document["refusals"].items())
        lines += paper.wrap(f"refused: {told}", 2, 4)
    if document["sqlstates"]:
        told = ", ".join(f"{sqlstate(code)} {number:,}" for code, number in document["sqlstates"].items())
        lines += paper.wrap(f"SQLSTATEs: {told}", 2, 4)
    unknown = document["unknown"]
    if unknown["attempts"]:
        lines += paper.wrap(
            f"unknown outcomes: {unknown['attempts']:,} ({unknown['cut_off']:,} cut off when the time was over); asked "
            f"again with the same key until it was clear: {unknown['asked_again']:,}; by the log "
            f"{unknown['committed']:,} were committed, {unknown['rolled_back']:,} rolled back",
            2,
            4,
        )
    return lines


def disturbances(paper: Page, document: Mapping[str, Any]) -> list[str]:
    """What was done to the service, and how many errors came with it."""
    found = document["disturbances"]
    if not (found["kills"] or found["crashes"] or found["errors"]):
        return []
    text = f"{count(found['kills'], 'backend')} terminated, {count(found['crashes'], 'crash', 'crashes')} of the server"
    if found["recovery_seconds_max"] is not None:
        text += f" (up again within {seconds(found['recovery_seconds_max'])})"
    text += f"; {count(found['errors'], 'request')} had a 5xx or no answer"
    if found["covered"]:
        text += f"; in {found['covered']:.0%} of the time such an error counts as explained"
    return paper.wrap(text, 2, 4)


def _growth(paper: Page, document: Mapping[str, Any]) -> list[str]:
    columns = [
        Column("after the warm-up"),
        Column("from", right=True),
        Column("to", right=True),
        Column("a minute", right=True),
        Column("grows"),
    ]
    lines = []
    for each in document["growth"]:
        memory = each["name"].endswith("_bytes")
        name = each["name"].replace("_bytes", " memory").replace("api", "API")
        first, last = (f"{each[end] / 1e6:.1f} MB" if memory else f"{each[end]:.0f}" for end in ("first", "last"))
        grows = {None: "too short to say", False: "no", True: "YES"}[each["grows"]]
        rate = "-" if each["grows"] is None else f"{each['per_minute'] * 100:+.2f} %"
        lines.append(Line((name, first, last, rate, grows)))
    return table(paper, columns, lines) if lines else []
