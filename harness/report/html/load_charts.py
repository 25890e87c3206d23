"""The charts of a load run: over its time, distributions of its latencies, and the way to saturation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from harness.report.html.charts import (
    Band,
    Chart,
    Layer,
    Series,
    Values,
    histogram,
    lines,
    sparkline,
    stacked,
    values_table,
)
from harness.report.html.load_values import Timeline
from harness.report.html.scales import Scale, clock, doubling, linear, logarithmic, nines, number, percent, time

MODELS = (("closed_ms", "sending", "one"), ("open_ms", "arrival", "two"))
ROOM = 20
"""For the names beside the charts that have the whole width."""
MODEL_NAMES = (("closed", "from sending", "one"), ("open", "from arrival", "two"))


def throughput(line: Timeline) -> Markup:
    """Answers a second by status, with the table of all charts over the run's time."""
    if not line.buckets:
        return Markup()
    layers = line.statuses()
    chart = Chart(
        title="Answers by status",
        unit="a second, when they came",
        about=f"{number(line.document['per_second'])} a second on the whole: " + _sums(layers, line),
        x=line.x,
        y=linear(bucket["per_second"] for bucket in line.buckets),
        values=line.values(),
        columns=line.places("answers/s", *(f"{layer.name}/s" for layer in layers)),
        events=line.events(),
        shared=True,
        room=ROOM,
    )
    return stacked(chart, layers, line.edges) + values_table(line.values())


def latencies(line: Timeline) -> Markup:
    """Latency over time, both models on one scale."""
    models = MODELS if line.opened else MODELS[:1]
    known = [value for model, _, _ in models for name in ("p50", "p99") for _, value in line.line(model, name) if value]
    if not known:
        return Markup()
    y = logarithmic(known)
    return Markup().join(_latency(line, y, *model) for model in models)


def _latency(line: Timeline, y: Scale, model: str, since: str, tone: str) -> Markup:
    whole = line.document[model]
    began = "sent" if model == "closed_ms" else "were to come"
    chart = Chart(
        title=f"Latency from {since}",
        unit=f"of those who {began} then",
        about=f"on the whole p50 {time(whole['p50'])}, p90 {time(whole['p90'])}, p99 {time(whole['p99'])}",
        x=line.x,
        y=y,
        values=line.values(),
        columns=line.places(*(f"{since} {name}" for name in ("p50", "p90", "p99", "max"))),
        events=line.events(),
        shared=True,
    )
    lower, upper = line.line(model, "p50"), line.line(model, "p90")
    band = [(at, low, high) for (at, low), (_, high) in zip(lower, upper, strict=True)]
    series = [Series("p99", line.line(model, "p99"), f"{tone} thin"), Series("p50", lower, tone)]
    return lines(chart, series, [Band("p90", band, tone)])


def refusals(line: Timeline) -> Markup:
    """Refusals a second by their word."""
    layers = line.refusals()
    if not layers:
        return Markup()
    chart = Chart(
        title="Refusals by code",
        unit="a second",
        about=_sums(layers, line),
        x=line.x,
        y=linear(_totals(layers)),
        values=line.values(),
        columns=line.places(*(f"{layer.name}/s" for layer in layers)),
        events=line.events(),
        shared=True,
        low=True,
        room=ROOM,
    )
    return stacked(chart, layers, line.edges)


def busy(line: Timeline) -> Markup:
    """What the sessions were at, at each look."""
    layers = line.busy()
    if not layers:
        return Markup()
    moments = [row["at"] for row in line.looks]
    every = line.document["looks"]["every_seconds"]
    widths = [later - at for at, later in pairwise(moments)] or [every]
    edges = [*moments, moments[-1] + sorted(widths)[len(widths) // 2]]
    chart = Chart(
        title="Sessions that are not idle",
        unit="at each look, by what they are at",
        about=", ".join(f"{layer.name} {number(sum(layer.values) / len(moments))}" for layer in layers)
        + " in the mean",
        x=line.x,
        y=linear(_totals(layers)),
        values=Values(
            "looks-values",
            ["from", *(layer.name for layer in layers), "locks", "connections"],
            [
                (
                    line.x.at(row["at"]),
                    [
                        clock(round(row["at"], 1)),
                        *("?" if row["busy"] is None else number(layer.values[place]) for layer in layers),
                        *("?" if row[name] is None else number(row[name]) for name in ("locks", "connections")),
                    ],
                )
                for place, row in enumerate(line.looks)
            ],
        ),
        columns=range(1, len(layers) + 3),
        events=line.events(),
        low=True,
        room=ROOM,
    )
    return stacked(chart, layers, edges)


def distributions(document: Mapping[str, Any]) -> Markup:
    """Of all requests: how many took how long, and how long the slowest share took."""
    if not document["distributions"]["of"]:
        return Markup()
    whole = document["distributions"]["of"][0]
    models = [(whole[key], name, tone) for key, name, tone in MODEL_NAMES if whole[key] and whole[key]["counts"]]
    return _bins(document, models) + _quantiles(models) if models else Markup()


def _bins(document: Mapping[str, Any], models: Sequence[tuple[Mapping[str, Any], str, str]]) -> Markup:
    decade = document["distributions"]["bins_per_decade"]
    least = min(found["first_bin"] for found, _, _ in models)
    most = max(found["first_bin"] + len(found["counts"]) for found, _, _ in models)
    edges = [10 ** (number_ / decade) for number_ in range(least, most + 1)]
    layers = []
    for found, name, tone in models:
        whole = sum(found["counts"])
        counts = [0] * (found["first_bin"] - least) + found["counts"]
        counts += [0] * (most - least - len(counts))
        layers.append(Layer(name, [each / whole for each in counts], tone))
    x = logarithmic([edges[0], edges[-1]])
    chart = Chart(
        title="How many took how long",
        unit="share of all requests, bins of equal ratio",
        about=f"between {time(edges[0])} and {time(edges[-1])}",
        x=x,
        y=linear((share for layer in layers for share in layer.values), percent),
        values=Values(
            "bins-values",
            ["from", *(layer.name for layer in layers)],
            [
                (
                    x.at(edges[place] * 10 ** (0.5 / decade)),
                    [time(edges[place]), *(percent(each.values[place]) for each in layers)],
                )
                for place in range(most - least)
            ],
        ),
        columns=range(1, len(layers) + 1),
    )
    return histogram(chart, layers, edges)


def _quantiles(models: Sequence[tuple[Mapping[str, Any], str, str]]) -> Markup:
    points = {name: {each["share"]: each["ms"] for each in found["quantiles"]} for found, name, _ in models}
    shares = sorted({share for each in points.values() for share in each})
    x = nines(max((share for share in shares if share < 1), default=0.5))
    chart = Chart(
        title="So large a share took no longer",
        unit="beyond p99 is one request of a hundred, beyond p99.9 one of a thousand; the last is the longest",
        about="; ".join(
            f"{name} p50 {time(each.get(0.5, 0.0))}, at most {time(each[1.0])}" for name, each in points.items()
        ),
        x=x,
        y=logarithmic(ms for each in points.values() for ms in each.values()),
        values=Values(
            "quantiles-values",
            ["share", *points],
            [
                (
                    x.at(share),
                    [
                        "max" if share == 1 else x.words(share),
                        *(time(each[share]) if share in each else "-" for each in points.values()),
                    ],
                )
                for share in shares
            ],
        ),
        columns=range(1, len(points) + 1),
    )
    return lines(chart, [Series(name, sorted(points[name].items()), tone, dotted=True) for _, name, tone in models])


def saturation(document: Mapping[str, Any]) -> Markup:
    """Throughput and latency by the number of users."""
    steps = document["steps"]
    if len(steps) < 2:
        return Markup()
    x = doubling([float(step["users"]) for step in steps])
    values = Values(
        "steps-values",
        ["users", "answers/s", "p50", "p99"],
        [
            (
                x.at(step["users"]),
                [
                    f"{step['users']:,} users",
                    number(step["per_second"]),
                    *("-" if (ms := step["closed_ms"][name]) is None else time(ms) for name in ("p50", "p99")),
                ],
            )
            for step in steps
        ],
    )
    rates = [(float(step["users"]), step["per_second"]) for step in steps]
    best = max(steps, key=lambda step: step["per_second"])
    rate = Chart(
        title="Throughput by users",
        unit="answers a second",
        about=f"the most with {best['users']} users: {number(best['per_second'])} a second",
        x=x,
        y=linear(value for _, value in rates),
        values=values,
        columns=[1],
    )
    known = [value for step in steps for value in (step["closed_ms"]["p50"], step["closed_ms"]["p99"]) if value]
    latency = Chart(
        title="Latency by users",
        unit="from sending",
        about=f"with {best['users']} users p50 {time(best['closed_ms']['p50'] or 0)}",
        x=x,
        y=logarithmic(known),
        values=values,
        columns=[2, 3],
        shared=True,
    )
    series = [
        Series(name, [(float(step["users"]), step["closed_ms"][name]) for step in steps], tone, dotted=True)
        for name, tone in (("p50", "one"), ("p99", "one thin"))
    ]
    return lines(rate, [Series("", rates, "one", stepped=True, dotted=True)]) + lines(latency, series)


def shape_of(distribution: Mapping[str, Any] | None, least: int, most: int) -> Markup:
    """A histogram as small as a text, between two bins, so that several can be compared."""
    if not distribution or not distribution["counts"]:
        return Markup()
    counts: list[float | None] = [0.0] * (most - least)
    first = distribution["first_bin"] - least
    counts[first : first + len(distribution["counts"])] = distribution["counts"]
    return sparkline(counts, number, bars=True)


def _totals(layers: Sequence[Layer]) -> list[float]:
    return [sum(column) for column in zip(*(layer.values for layer in layers), strict=True)]


def _sums(layers: Sequence[Layer], line: Timeline) -> str:
    """What every layer comes to in the mean."""
    places = max(1, len(line.buckets))
    return ", ".join(f"{layer.name} {number(sum(layer.values) / places)}" for layer in layers) + " a second in the mean"
