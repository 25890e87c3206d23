"""Charts of a page: shapes that stretch with the page, and texts beside them that do not.

A chart is drawn in an SVG without a size of its own, so that it fills whatever room it has; its axes and labels are
texts of the page that stand at shares of that room, and stay legible. What is drawn can be read in a table as well:
the chart's script tells the row that is pointed at, and who sees no chart has the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from markupsafe import Markup, escape

from harness.report.html.scales import Scale
from harness.report.html.shell import rendered

STYLE = "charts.css"
SCRIPT = "charts.js"
"""Of the pages that have charts."""

SIZE = 1000
"""Of a drawing, either way, in its own units."""
LABEL_GAP = 0.09
"""How far labels beside a drawing are apart at least, as a share of its height."""
OTHER = "other"
ARROW = 16
SHAFT = 60
"""How long the head of an arrow is, and all of one at least."""

Point = tuple[float, float | None]


class Series(NamedTuple):
    """A line through points (x, y), in the order of x; where y is None it is interrupted. ``tone``: see charts.css."""

    name: str
    points: Sequence[Point]
    tone: str = "one"
    stepped: bool = False
    """A value holds until the next one."""
    dotted: bool = False
    """Each point is marked."""


class Band(NamedTuple):
    """The room between two lines: (x, lower y, upper y). It is called after its upper end."""

    name: str
    points: Sequence[tuple[float, float | None, float | None]]
    tone: str = "one"


class Layer(NamedTuple):
    """A part of every bar."""

    name: str
    values: Sequence[float]
    tone: str


class Event(NamedTuple):
    """Something that happened from ``at`` until ``until``. One with a ``label`` is told in the drawing."""

    at: float
    until: float
    kind: str
    label: str = ""


class Label(NamedTuple):
    """A text at a share of the drawing's height, from the top."""

    top: float
    text: str
    tone: str


class Values(NamedTuple):
    """The table of a chart. ``rows`` are (place on the x axis, from 0 to 1; the cells)."""

    id: str
    head: Sequence[str]
    rows: Sequence[tuple[float, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Chart:
    """What all charts have. ``about`` says in words what is seen; ``columns`` are those of ``values`` that it shows."""

    title: str
    about: str
    x: Scale
    y: Scale
    values: Values
    columns: Sequence[int]
    unit: str = ""
    events: Sequence[Event] = ()
    shared: bool = False
    """The table stands elsewhere on the page, for several charts."""
    low: bool = False
    room: int = 0
    """For names of so many letters at least: charts below one another, of one x axis, have the same."""


def lines(chart: Chart, series: Sequence[Series], bands: Sequence[Band] = ()) -> Markup:
    """Lines over the x axis, each with its name at its end."""
    shapes, ends = [], []
    for band in bands:
        shapes += [_shape("band", band.tone, d) for d in _areas(chart, band.points)]
        ends += [(band.name, high, band.tone) for _, _, high in band.points]
    for each in series:
        shapes.append(_shape("line", each.tone, path(chart.x, chart.y, each.points, stepped=each.stepped)))
        if each.dotted:
            shapes.append(_shape("dots", each.tone, path(chart.x, chart.y, each.points, dotted=True)))
        ends += [(each.name, y, each.tone) for _, y in each.points]
    last = {name: Label(1 - chart.y.at(y), name, tone) for name, y, tone in ends if name and y is not None}
    return _framed(chart, shapes, list(last.values()))


def stacked(chart: Chart, layers: Sequence[Layer], edges: Sequence[float]) -> Markup:
    """Bars between the ``edges`` (one more than there are bars), the layers of each upon one another.

    The names stand in the same order, as far apart as the layers are high in all bars together.
    """
    totals = [0.0] * (len(edges) - 1)
    whole = sum(sum(layer.values) for layer in layers)
    shapes, labels, below = [], [], 0.0
    for layer in layers:
        d = ""
        for place, value in enumerate(layer.values):
            if value > 0:
                bottom, totals[place] = totals[place], totals[place] + value
                d += _box(chart, edges[place], edges[place + 1], bottom, totals[place])
        if d:
            share = sum(layer.values) / whole
            shapes.append(_shape("bar", layer.tone, d))
            labels.append(Label(1 - below - share / 2, layer.name, layer.tone))
            below += share
    return _framed(chart, shapes, labels)


def histogram(chart: Chart, layers: Sequence[Layer], edges: Sequence[float]) -> Markup:
    """The first layer as bars, what it is compared with as outlines before it."""
    shapes, labels = [], []
    for place, layer in enumerate(layers):
        if place:
            steps = [*zip(edges, (*layer.values, 0.0), strict=True)]
            outline: list[Point] = [(edges[0], 0.0), *steps]
            shapes.append(_shape("line", layer.tone, path(chart.x, chart.y, outline, stepped=True)))
        else:
            boxes = [
                _box(chart, left, right, 0.0, value)
                for left, right, value in zip(edges, edges[1:], layer.values, strict=False)
                if value > 0
            ]
            shapes.append(_shape("bar", layer.tone, "".join(boxes)))
        labels.append(Label(1 - chart.y.at(max(layer.values, default=0.0)), layer.name, layer.tone))
    return _framed(chart, shapes, labels)


def _framed(chart: Chart, shapes: Sequence[Markup], labels: Sequence[Label]) -> Markup:
    """The drawing with its axes, labels and table."""
    grid = "".join(f"M0 {_y(chart.y.at(tick))}h{SIZE}" for tick in chart.y.ticks)
    x_places = [(chart.x.at(tick), chart.x.words(tick)) for tick in chart.x.ticks]
    return rendered(
        "chart.html.jinja",
        chart=chart,
        size=SIZE,
        grid=grid,
        shapes=Markup().join(shapes),
        events=[_event(chart, each) for each in chart.events],
        x_ticks=[
            {"left": _share(left), "text": text, "edge": _edge(left), "odd": place % 2}
            for place, (left, text) in enumerate(x_places)
        ],
        y_ticks=[{"top": _share(1 - chart.y.at(tick)), "text": chart.y.words(tick)} for tick in chart.y.ticks],
        labels=[
            {"top": _share(top), "text": text, "tone": tone}
            for top, text, tone in spread(labels, 0.14 if chart.low else LABEL_GAP)
        ],
        widest=max([chart.room, *(len(label.text) for label in labels)]),
        columns=" ".join(map(str, chart.columns)),
        table=Markup() if chart.shared else values_table(chart.values),
    )


def values_table(values: Values) -> Markup:
    """The table of one chart, or of several."""
    return rendered("values.html.jinja", values=values, size=SIZE)


def sparkline(values: Sequence[float | None], words: Callable[[float], str], *, bars: bool = False) -> Markup:
    """A line (or bars from zero) no higher than a text, with its least and greatest value as its name."""
    known = [value for value in values if value is not None]
    if not known:
        return Markup()
    low, high = (0.0 if bars else min(known)), max(known)
    y = Scale(low, high if high > low else low + 1, ())
    x = Scale(0, max(1, len(values) if bars else len(values) - 1), ())
    if bars:
        d = "".join(
            f"M{_x(x.at(place))} {SIZE}V{_y(y.at(value))}H{_x(x.at(place + 1))}V{SIZE}z"
            for place, value in enumerate(values)
            if value
        )
        shape = _shape("bar", "one", d)
    else:
        shape = _shape("line", "one", path(x, y, list(enumerate(values))))
    name = f"from {words(min(known))} to {words(max(known))}" if min(known) < max(known) else words(known[0])
    return rendered("spark.html.jinja", name=name, size=SIZE, shape=shape)


def intervals(
    scale: Scale, told: Sequence[tuple[float, float, float]], band: tuple[float, float], tones: Sequence[str]
) -> Markup:
    """One line of a forest plot: (lower, middle, upper) with a dot, before the band in which no difference counts.

    The first is the one in question, those below it are what it is compared with. An arrow ends one that goes on.
    """
    left, right = (_x(scale.at(bound)) for bound in band)
    shapes = [
        _shape("field", "plain", f"M{left} 0H{right}V{SIZE}H{left}z"),
        _shape("axis", "plain", f"M{_x(scale.at(1.0))} 0V{SIZE}"),
    ]
    for place, ((low, middle, high), tone) in enumerate(zip(told, tones, strict=False)):
        y = (350, 800)[place]
        # What is wholly outside is still an arrow with a shaft.
        d = f"M{min(_x(scale.at(low)), SIZE - SHAFT)} {y}H{max(_x(scale.at(high)), SHAFT)}"
        if low < scale.low * (1 - 1e-9):
            d += f"M{ARROW} {y - 2 * ARROW * 4}L0 {y}L{ARROW} {y + 2 * ARROW * 4}"
        if high > scale.high * (1 + 1e-9):
            d += f"M{SIZE - ARROW} {y - 2 * ARROW * 4}L{SIZE} {y}L{SIZE - ARROW} {y + 2 * ARROW * 4}"
        thin = " small" if place else ""
        shapes.append(_shape("line", tone + thin, d))
        if scale.low <= middle <= scale.high:
            shapes.append(_shape("dots", tone + thin, f"M{_x(scale.at(middle))} {y}h0"))
    low, middle, high = told[0]
    name = f"{scale.words(middle)}, from {scale.words(low)} to {scale.words(high) if high < inf else 'any'}"
    return rendered("spark.html.jinja", name=name, size=SIZE, shape=Markup().join(shapes))


def ticks(scale: Scale) -> Markup:
    """The texts of an axis, for the head of a column of drawings."""
    places = [(scale.at(tick), scale.words(tick)) for tick in scale.ticks]
    return rendered(
        "ticks.html.jinja",
        ticks=[{"left": _share(left), "text": text, "edge": _edge(left)} for left, text in places],
    )


def path(x: Scale, y: Scale, points: Sequence[Point], *, stepped: bool = False, dotted: bool = False) -> str:
    """The line as SVG has it; a point with no neighbour is a dot."""
    d, pen = "", False
    for place, (at, value) in enumerate(points):
        if value is None:
            pen = False
            continue
        here = f"{_x(x.at(at))} {_y(y.at(value))}"
        if dotted:
            d += f"M{here}h0"
        elif pen and stepped:
            d += f"H{_x(x.at(at))}V{_y(y.at(value))}"
        elif pen:
            d += f"L{here}"
        else:
            alone = place + 1 == len(points) or points[place + 1][1] is None
            d += f"M{here}" + ("h0" if alone else "")
        pen = True
    return d


def spread(labels: Sequence[Label], gap: float = LABEL_GAP) -> list[Label]:
    """From top to bottom, none nearer to the next than ``gap``, and all inside as far as there is room."""
    placed: list[Label] = []
    for label in sorted(labels, key=lambda label: label.top):
        above = placed[-1].top + gap if placed else 0.0
        placed.append(label._replace(top=max(label.top, above)))
    floor_ = 1.0
    for place in range(len(placed) - 1, -1, -1):
        placed[place] = placed[place]._replace(top=max(0.0, min(placed[place].top, floor_)))
        floor_ = placed[place].top - gap
    return placed


def largest(rows: Sequence[tuple[str, Sequence[float]]], most: int, tones: Sequence[str]) -> list[Layer]:
    """Layers in order of their sums, the largest first; those beyond ``most`` are one, ``other``."""
    ordered = sorted(rows, key=lambda row: -sum(row[1]))
    kept = ordered if len(ordered) <= most else ordered[: most - 1]
    layers = [Layer(name, values, tone) for (name, values), tone in zip(kept, tones, strict=False)]
    if rest := ordered[len(kept) :]:
        sums = [sum(column) for column in zip(*(values for _, values in rest), strict=True)]
        layers.append(Layer(f"{OTHER} ({len(rest)})", sums, "rest"))
    return layers


def _areas(chart: Chart, points: Sequence[tuple[float, float | None, float | None]]) -> list[str]:
    """One closed path for each stretch without a gap."""
    stretches: list[list[tuple[float, float, float]]] = [[]]
    for at, low, high in points:
        if low is None or high is None:
            stretches.append([])
        else:
            stretches[-1].append((at, low, high))
    found = []
    for stretch in stretches:
        if len(stretch) > 1:
            there = [f"{_x(chart.x.at(at))} {_y(chart.y.at(high))}" for at, _, high in stretch]
            back = [f"{_x(chart.x.at(at))} {_y(chart.y.at(low))}" for at, low, _ in reversed(stretch)]
            found.append("M" + "L".join([*there, *back]) + "z")
    return found


def _box(chart: Chart, left: float, right: float, bottom: float, top: float) -> str:
    x0, x1 = _x(chart.x.at(left)), _x(chart.x.at(right))
    y0, y1 = _y(chart.y.at(bottom)), _y(chart.y.at(top))
    return f"M{x0} {y0}V{y1}H{x1}V{y0}z"


def _event(chart: Chart, event: Event) -> dict[str, str]:
    left, right = chart.x.at(event.at), chart.x.at(event.until)
    return {
        "kind": event.kind,
        "left": _share(left),
        "width": _share(right - left),
        "label": event.label,
        "edge": _edge(left),
    }


def _shape(kind: str, tone: str, d: str) -> Markup:
    return Markup('<path class="{} {}" d="{}"/>').format(kind, tone, escape(d))


def _x(share: float) -> int:
    return round(share * SIZE)


def _y(share: float) -> int:
    return SIZE - round(share * SIZE)


def _share(share: float) -> str:
    return f"{share * 100:.4g}%"


def _edge(share: float) -> str:
    return "start" if share < 0.04 else "end" if share > 0.96 else "middle"
