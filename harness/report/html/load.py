"""The page of a load run: the verdict and what it rests on, then how fast it was, and what stood in the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from harness.report.html import charts, load_charts
from harness.report.html.load_values import Timeline, word
from harness.report.html.scales import clock, number, percent, time
from harness.report.html.sentences import sentences
from harness.report.html.shell import MOODS, Body, Mood, Section, rendered
from harness.report.html.table import Cell, Column, Row, table
from harness.report.load import answers, disturbances, headline, measured, milliseconds, theirs, totals
from harness.report.phrases import count, label, seconds
from harness.report.verdicts import GRAVEST_FIRST, with_verdict, words

GRADES: Mapping[str | None, Mood | None] = {"ok": "good", "above_expected": "doubt", "alert": "bad"}
COMPARES: Mapping[str, Mood] = {"yes": "good", "in part": "doubt", "no": "plain"}
PERCENTILES = ("p50", "p90", "p99", "p999", "max")


def body(document: Mapping[str, Any]) -> Body:
    """The page of a run document harness-load."""
    line = Timeline(document)
    return Body(
        title=f"{document['scenario']['name']} on {document['subject']['name']}: {words(document['verdict'])}",
        verdict=headline(document),
        mood=MOODS.get(document["verdict"], "doubt"),
        facts=[*totals(document), *([about] if (about := document["scenario"]["about"]) else [])],
        sections=[
            Section("properties", "Properties", properties(document)),
            Section("throughput", "Throughput", figures(document) + load_charts.throughput(line), _buckets(document)),
            Section("latency", "Latency", latency(line)),
            Section("distributions", "Distributions", distributions(document)),
            Section("refusals", "Answers and refusals", refusals(line)),
            Section("waits", "Waits and locks", waits(line), _looks(document)),
            Section("disturbances", "Disturbances", disturbed(document)),
            Section("growth", "Growth", growth(document), "after a warm-up of a fifth of the run"),
            Section("saturation", "Steps to saturation", saturation(document)),
            Section("history", "The history", history(document)),
            Section("published", "The payment document's figures", published(document)),
            Section("again", "Run it again", again(document)),
        ],
        styles=[charts.STYLE],
        scripts=[charts.SCRIPT],
    )


def properties(document: Mapping[str, Any]) -> Markup:
    """All of them, the gravest verdict first, with the first reasons."""
    columns = [Column("property"), Column("verdict"), Column("put to the test", right=True)]
    rows = [
        (
            Cell(each["id"], below=_why(each)),
            Cell(words(verdict), MOODS.get(verdict, "doubt")),
            f"{each['checked']:,}" if each["checked"] else "-",
        )
        for verdict in GRAVEST_FIRST
        for each in with_verdict(document, verdict)
    ]
    return table("properties", columns, rows)


def _why(judged: Mapping[str, Any]) -> str:
    more = f"; and {judged['more']:,} more" if judged["more"] else ""
    return "; ".join(judged["why"]) + more


def figures(document: Mapping[str, Any]) -> Markup:
    """The run in a few numbers."""
    closed, came, lost = document["closed_ms"], document["open_ms"], document["unknown"]
    shown = [
        (
            "answers a second",
            number(document["per_second"]),
            f"{document['requests']:,} in {seconds(document['seconds'])}",
        ),
        ("p50 from sending", _ms(closed["p50"]), f"p99 {_ms(closed['p99'])}, max {_ms(closed['max'])}"),
    ]
    if came:
        shown.append(("p50 from arrival", _ms(came["p50"]), f"p99 {_ms(came['p99'])}, max {_ms(came['max'])}"))
    refused = sum(document["refusals"].values()) + sum(document["sqlstates"].values())
    shown += [
        ("refused", percent(refused / document["requests"]) if document["requests"] else "-", f"{refused:,} requests"),
        ("5xx or no answer", f"{document['disturbances']['errors']:,}", _of_the_unknown(lost)),
    ]
    return rendered("figures.html.jinja", figures=shown)


def _of_the_unknown(lost: Mapping[str, int]) -> str:
    if not lost["attempts"]:
        return "no outcome is unknown"
    return f"{count(lost['attempts'], 'unknown outcome')}, {lost['asked_again']:,} asked again until clear"


def latency(line: Timeline) -> Markup:
    """Over time in both models, why they differ, and every operation."""
    drawn = load_charts.latencies(line)
    if not drawn:
        return Markup()
    return rendered("latency.html.jinja", why=_why_they_differ(line.document), charts=drawn, table=_operations(line))


def _why_they_differ(document: Mapping[str, Any]) -> str:
    if document["open_ms"] is None:
        return (
            "Only the closed model was run: a user asks again when the answer has come, so while the service stalls "
            "nobody sends, and a stall is in one latency of each user; a run with a rate tells of both models."
        )
    late = document["lateness"]
    return (
        "They differ by what happens before and between attempts: from sending begins when a free user sends, which a "
        "slow service puts off; from arrival counts from the moment at which the client was to come "
        f"({count(late['waited_for_a_client'], 'arrival')} waited for a free user) until a clear answer, with all that "
        "was lost and asked again in between. How late users set out for whom nothing stood in the way is the load "
        f"generator's own: p50 {_ms(late['late_ms']['p50'])}, p99 {_ms(late['late_ms']['p99'])}."
    )


def _operations(line: Timeline) -> Markup:
    document = line.document
    columns = [
        *(Column("operation"), Column("requests", right=True), Column("a second", right=True), Column("from")),
        *(Column(f"{name.replace('p999', 'p99.9')} ms", right=True) for name in PERCENTILES),
        Column("how many took how long"),
        Column("p99 over time"),
    ]
    spread = {each["operation"]: each for each in document["distributions"]["of"]}
    found = [each[key] for each in spread.values() for key in ("closed", "open") if each[key] and each[key]["counts"]]
    least = min((each["first_bin"] for each in found), default=0)
    most = max((each["first_bin"] + len(each["counts"]) for each in found), default=0)
    rows: list[Row] = []
    for each in document["operations"]:
        for model, since in (("closed", "sending"), ("open", "arrival")):
            told = each[f"{model}_ms"]
            if told is None:
                continue
            p99 = [bucket["operations"].get(each["name"], {}).get(f"{model}_p99_ms") for bucket in line.buckets]
            rows.append(
                [
                    Cell(each["name"], sort=each["name"]),
                    Cell(f"{each['requests']:,}", sort=each["requests"]),
                    f"{each['per_second']:,.1f}",
                    since,
                    *(Cell(milliseconds(told[name]), sort=told[name] or -1) for name in PERCENTILES),
                    _drawn(load_charts.shape_of(spread[each["name"]][model], least, most)),
                    _drawn(charts.sparkline(p99, time)),
                ]
            )
    return table("operations", columns, rows)


def _drawn(drawing: Markup) -> Cell:
    # Nothing is sorted by it.
    return Cell(drawing, sort="")


def distributions(document: Mapping[str, Any]) -> Markup:
    """All requests as a histogram and as quantiles."""
    drawn = load_charts.distributions(document)
    return Markup('<div class="beside">{}</div>').format(drawn) if drawn else Markup()


def refusals(line: Timeline) -> Markup:
    """What was told in a line, and refusals over time and on the whole."""
    document = line.document
    every = [*document["refusals"].items(), *document["sqlstates"].items()]
    whole = sum(told for _, told in every)
    rows: list[Row] = [
        (label(word(code)), Cell(f"{told:,}", sort=told), percent(told / whole), percent(told / document["requests"]))
        for code, told in sorted(every, key=lambda each: -each[1])
    ]
    right = [Column(name, right=True) for name in ("times", "of refusals", "of requests")]
    drawn = table("refusals", [Column("code"), *right], rows) if rows else Markup()
    return rendered("lines.html.jinja", lines=sentences(answers, document)) + load_charts.refusals(line) + drawn


def waits(line: Timeline) -> Markup:
    """What sessions were at, and the locks that were waited for."""
    if not any(row["busy"] is not None for row in line.looks):
        told = ["The server answered at no look."] if line.looks else []
        return rendered("lines.html.jinja", lines=told) if told else Markup()
    names = dict.fromkeys(name for row in line.looks for name in row["ungranted"] or {})
    rows: list[Row] = []
    for name in names:
        seen = [None if row["ungranted"] is None else row["ungranted"].get(name, 0.0) for row in line.looks]
        known = [each for each in seen if each is not None]
        mean = sum(known) / len(known)
        rows.append(
            [name, Cell(number(mean), sort=mean), number(max(known)), _drawn(charts.sparkline(seen, number, bars=True))]
        )
    right = [Column("in the mean", right=True), Column("at most", right=True)]
    drawn = (
        table("locks waited for", [Column("lock waited for"), *right, Column("over time")], rows) if rows else Markup()
    )
    told = [] if rows else ["At no look did a session wait for a lock of another."]
    idle = [] if line.busy() else ["At every look all sessions were idle."]
    return load_charts.busy(line) + drawn + rendered("lines.html.jinja", lines=[*idle, *told])


def _buckets(document: Mapping[str, Any]) -> str:
    width = document["timeline"]["bucket_seconds"]
    marks = document["disturbances"]["marks"]
    told = f"in stretches of {clock(width)}" if width else ""
    return f"{told}; \N{MULTIPLICATION X} a backend was terminated" if any(m["kind"] == "kill" for m in marks) else told


def _looks(document: Mapping[str, Any]) -> str:
    looks = sum(row["looks"] for row in document["looks"]["rows"])
    every = seconds(document["looks"]["every_seconds"])
    return f"{count(looks, 'look')}, one every {every}; what is short may be seen at none" if looks else ""


def disturbed(document: Mapping[str, Any]) -> Markup:
    """What was done to the service, one by one."""
    told = sentences(disturbances, document)
    marks = document["disturbances"]["marks"]
    if not told:
        return Markup()
    columns = [
        Column("at", right=True),
        Column("what"),
        Column("took", right=True),
        Column("up again after", right=True),
    ]
    rows: list[Row] = [
        (
            Cell(clock(round(mark["at"], 2)), sort=mark["at"]),
            {"kill": "a backend was terminated", "crash": "the server was crashed"}[mark["kind"]],
            time((mark["until"] - mark["at"]) * 1000),
            "-" if mark["recovery_seconds"] is None else time(mark["recovery_seconds"] * 1000),
        )
        for mark in marks
    ]
    every = document["disturbances"]["kills"] + document["disturbances"]["crashes"]
    more = [f"The first {len(marks)} of {every:,} are listed."] if every > len(marks) else []
    listed = table("disturbances", columns, rows) if rows else Markup()
    return rendered("lines.html.jinja", lines=[*told, *more]) + listed


def growth(document: Mapping[str, Any]) -> Markup:
    """Connections, locks and memory, with what they were over time."""
    columns = [
        Column("quantity"),
        *(Column(name, right=True) for name in ("from", "to", "a minute")),
        Column("grows"),
        Column("over time"),
    ]
    rows: list[Row] = []
    for each in document["growth"]:
        words_ = _bytes if each["name"].endswith("_bytes") else number
        grows: Mapping[bool | None, Cell] = {
            None: Cell("too short to say", "plain"),
            False: Cell("no", "good"),
            True: Cell("YES", "bad"),
        }
        rows.append(
            [
                each["name"].replace("_bytes", " memory").replace("api", "API"),
                words_(each["first"]),
                words_(each["last"]),
                "-" if each["grows"] is None else f"{each['per_minute'] * 100:+.2f} %",
                grows[each["grows"]],
                _drawn(charts.sparkline([row[each["name"]] for row in document["looks"]["rows"]], words_)),
            ]
        )
    return table("growth", columns, rows) if rows else Markup()


def saturation(document: Mapping[str, Any]) -> Markup:
    """Throughput and latency by users."""
    drawn = load_charts.saturation(document)
    return Markup('<div class="beside">{}</div>').format(drawn) if drawn else Markup()


def history(document: Mapping[str, Any]) -> Markup:
    """What the check of every operation against every commit found."""
    found = document["history"]
    rows: list[Row] = [
        (
            Cell(", ".join(each["properties"])),
            "certain" if each["certain"] else "another order might explain it",
            each["why"],
        )
        for each in found["listed"]
    ]
    listed = table(
        "findings", [Column("breaks"), Column("sure", choice=True), Column("what")], rows, filtered=len(rows) > 10
    )
    counts = {name.replace("_", " "): f"{number_:,}" for name, number_ in found["counts"].items() if number_}
    return rendered(
        "history.html.jinja",
        found=found,
        counts=counts,
        listed=listed if rows else Markup(),
        shown=[(each, _window(each)) for each in found["shown"] if each["operation"]],
    )


def _window(finding: Mapping[str, Any]) -> Markup:
    """The operation of a finding and those that overlapped it, in order, in milliseconds from its beginning."""
    operation = finding["operation"]
    begin = operation["invoked"]
    every = sorted([operation, *finding["window"]], key=lambda each: each["invoked"])
    columns = [Column("client"), Column("operation"), Column("from ms", right=True), Column("to ms", right=True)]
    rows: list[Row] = [
        (
            Cell(each["client"], "bad" if each is operation else None),
            each["operation"],
            f"{(each['invoked'] - begin) * 1000:,.1f}",
            f"{(each['returned'] - begin) * 1000:,.1f}" if each.get("returned") is not None else "no answer",
            " ".join(filter(None, (each["status"], each.get("code", "")))),
            _subject(each),
        )
        for each in every
    ]
    return table("operations that overlap", [*columns, Column("told"), Column("of")], rows)


def _subject(operation: Mapping[str, Any]) -> str:
    """What it was about, by the first letters of its ids."""
    parts = [f"{name} {str(operation[name])[:8]}" for name in ("workspace", "purchase", "event") if operation.get(name)]
    leads: Sequence[str] = operation.get("leads") or ()
    return ", ".join([*parts, *([f"lead {' '.join(lead[:8] for lead in leads)}"] if leads else [])])


def published(document: Mapping[str, Any]) -> Markup:
    """The payment document's figures, ours, and how far they can be compared."""
    columns = [Column("figure"), Column("the document", right=True), Column("here", right=True), Column("compares")]
    rows: list[Row] = [
        (
            Cell(each["figure"], below=each["why"]),
            theirs(each),
            Cell(measured(each), GRADES.get(each["grade"])),
            Cell(each["compares"], COMPARES[each["compares"]]),
        )
        for each in document["published"]
    ]
    return table("figures", columns, rows)


def again(document: Mapping[str, Any]) -> Markup:
    """The command of this run."""
    ran = document.get("run", {}).get("command", "")
    return rendered("again.html.jinja", lines=[("This run:", ran)]) if ran else Markup()


def _ms(value: float | None) -> str:
    return "-" if value is None else time(value)


def _bytes(value: float) -> str:
    return f"{value / 1e6:.1f} MB"
