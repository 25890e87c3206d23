"""Charts from plain data: every point where it belongs, gaps that stay gaps, and no value that breaks them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from harness.report.html import charts, scales
from harness.report.html.charts import Band, Chart, Event, Label, Layer, Series, Values, largest, path, spread
from harness.report.html.scales import Scale

X = scales.linear([10.0])
Y = scales.linear([100.0])


def chart(x: Scale = X, y: Scale = Y, **fields: object) -> Chart:
    values = Values("v", ["at", "value"], [(0.25, ["2.5", "<b>&"])])
    told = {"title": "T <1>", "about": "what is seen", "values": values, "columns": [1], **fields}
    return Chart(x=x, y=y, **told)  # type: ignore[arg-type]


def paths(markup: Markup, kind: str) -> list[str]:
    return re.findall(rf'<path class="{kind}[^"]*" d="([^"]*)"', markup)


def numbers(d: str) -> list[int]:
    return [int(each) for each in re.findall(r"-?\d+", d)]


def parsed(markup: Markup) -> ElementTree.Element:
    """The drawing alone: tables of a page need not close their cells."""
    return ElementTree.fromstring(re.search(r"<svg.*?</svg>", markup, re.DOTALL)[0])  # type: ignore[index]


def test_a_point_stands_at_its_share_of_either_axis() -> None:
    assert path(X, Y, [(0, 0.0), (5, 50.0), (10, 100.0)]) == "M0 1000L500 500L1000 0"
    assert path(X, Y, [(0, 0.0), (5, 50.0)], stepped=True) == "M0 1000H500V500"
    assert path(X, Y, [(5, 50.0)], dotted=True) == "M500 500h0"


def test_a_gap_interrupts_a_line_and_a_point_alone_is_a_dot() -> None:
    assert path(X, Y, [(0, 0.0), (1, None), (2, 100.0), (3, None), (4, 0.0), (5, 0.0)]) == (
        "M0 1000h0M200 0h0M400 1000L500 1000"
    )
    assert path(X, Y, []) == path(X, Y, [(1, None)]) == ""


def test_what_lies_outside_stands_at_the_edge() -> None:
    assert path(X, Y, [(-5, -1.0), (1e30, 1e30)]) == "M0 1000L1000 0"
    assert path(X, scales.logarithmic([1.0, 1000.0]), [(0, 0.0), (1, 1e9)]) == "M0 1000L100 0"


def test_a_chart_has_a_name_in_words_and_its_table() -> None:
    drawn = charts.lines(chart(unit="ms"), [Series("p50", [(0, 1.0), (10, 2.0)])])
    drawing = parsed(drawn)
    assert (drawing[0].tag, drawing[0].text, drawing[1].text) == ("title", "T <1>", "what is seen")
    assert 'role="img" aria-label="T &lt;1&gt;. what is seen"' in drawn
    assert '<tr data-x="250"><td>2.5<td>&lt;b&gt;&amp;' in drawn
    assert "<span>ms</span>" in drawn
    assert 'data-values="v" data-columns="1"' in drawn
    assert "<table>" not in charts.lines(chart(shared=True), [])


def test_axes_are_told_where_they_are() -> None:
    drawn = charts.lines(chart(), [])
    assert re.findall(r'<span style="top:([\d.]+)%">(\d+)</span>', drawn) == [
        *(("100", "0"), ("80", "20"), ("60", "40"), ("40", "60"), ("20", "80"), ("0", "100"))
    ]
    assert re.findall(r'left:([\d.]+)%">(\d+)</span>', drawn)[-1] == ("100", "10")


@pytest.mark.parametrize("points", [[], [(1.0, None)], [(1.0, 5.0)], [(0.0, 1e300), (1.0, 1e-300)], [(0.0, 0.0)]])
def test_few_and_strange_values_are_drawn(points: list[tuple[float, float | None]]) -> None:
    known = [y for _, y in points if y is not None]
    for y in (scales.linear(known), scales.logarithmic(known)):
        drawn = charts.lines(
            chart(y=y), [Series("a", points, dotted=True)], [Band("b", [(x, v, v) for x, v in points])]
        )
        assert parsed(drawn).tag.endswith("svg")
        assert all(0 <= each <= 1000 for d in (*paths(drawn, "line"), *paths(drawn, "dots")) for each in numbers(d))
        assert len(y.ticks) <= scales.TICKS_MAX + 1


def test_a_band_has_two_edges_and_ends_at_a_gap() -> None:
    points = [(0.0, 0.0, 100.0), (5.0, 50.0, 100.0), (6.0, None, 100.0), (10.0, 0.0, 1.0)]
    drawn = charts.lines(chart(), [], [Band("b", points)])
    assert paths(drawn, "band") == ["M0 0L500 0L500 500L0 1000z"]


def test_layers_stand_upon_one_another() -> None:
    layers = [Layer("ok", [50.0, 0.0], "one"), Layer("refused", [25.0, 100.0], "two"), Layer("none", [0, 0], "four")]
    drawn = charts.stacked(chart(), layers, [0, 5, 10])
    assert paths(drawn, "bar") == ["M0 1000V500H500V1000z", "M0 500V250H500V500zM500 1000V0H1000V1000z"]
    names = re.findall(r'<span class="(one|two|four)" style="top:[\d.]+%">(\w+)</span>', drawn)
    assert names == [("two", "refused"), ("one", "ok")]
    assert paths(charts.stacked(chart(), [], [0]), "bar") == []


def test_a_histogram_shows_one_as_bars_and_the_other_as_an_outline() -> None:
    layers = [Layer("closed", [50.0, 100.0], "one"), Layer("open", [0.0, 50.0], "two")]
    drawn = charts.histogram(chart(), layers, [0.0, 5.0, 10.0])
    assert paths(drawn, "bar") == ["M0 1000V500H500V1000zM500 1000V0H1000V1000z"]
    assert paths(drawn, "line") == ["M0 1000H0V1000H500V500H1000V1000"]


def test_an_event_is_a_stretch_with_its_word() -> None:
    drawn = charts.lines(chart(events=[Event(2.5, 5, "crash", "crash"), Event(6, 6, "kill")]), [])
    assert 'class="event crash" style="left:25%;width:25%"' in drawn
    assert 'class="event kill" style="left:60%;width:0%"' in drawn
    assert drawn.count('<b class="told') == 1


def test_labels_are_apart_in_their_order_and_inside() -> None:
    found = spread([Label(0.99, "c", ""), Label(0.98, "b", ""), Label(0.1, "a", ""), Label(1.0, "d", "")], gap=0.1)
    assert [label.text for label in found] == ["a", "b", "c", "d"]
    assert [round(label.top, 3) for label in found] == [0.1, 0.8, 0.9, 1.0]
    crowded = spread([Label(0.5, str(place), "") for place in range(30)], gap=0.1)
    assert all(0 <= label.top <= 1 for label in crowded)


def test_the_smallest_layers_are_one() -> None:
    rows = [(name, [float(place)] * 2) for place, name in enumerate("abcde")]
    assert [(layer.name, layer.values[0]) for layer in largest(rows, 3, ["x", "y", "z"])] == [
        *(("e", 4.0), ("d", 3.0), ("other (3)", 3.0))
    ]
    assert [layer.name for layer in largest(rows, 5, list("vwxyz"))] == list("edcba")


def test_a_sparkline_says_its_range() -> None:
    drawn = charts.sparkline([1.0, None, 3.0], scales.number)
    assert 'aria-label="from 1 to 3"' in drawn
    assert paths(drawn, "line") == ["M0 1000h0M1000 0h0"]
    assert 'aria-label="2"' in charts.sparkline([2.0], scales.number)
    assert charts.sparkline([None], scales.number) == charts.sparkline([], scales.number) == ""
    assert paths(charts.sparkline([0.0, 4.0], scales.number, bars=True), "bar") == ["M500 1000V0H1000V1000z"]


def test_an_interval_stands_before_the_band_of_no_difference() -> None:
    scale = scales.ratios([1.25])
    drawn = charts.intervals(scale, [(1.0, 1.1, 1.25), (0.9, 1.0, 1.1)], (0.95, 1.05), ("bad", "rest"))
    line, control = paths(drawn, "line")
    assert numbers(line) == [500, 350, 1000]
    assert numbers(control) == [264, 800, 714]
    assert paths(drawn, "axis") == ["M500 0V1000"]
    left, right = (numbers(paths(drawn, "field")[0])[place] for place in (0, 2))
    assert 370 < left < 390
    assert 605 < right < 615
    assert "+10 %, from same to +25 %" in drawn


def test_an_interval_that_goes_on_ends_in_an_arrow() -> None:
    scale = scales.ratios([2.0])
    drawn = charts.intervals(scale, [(0.0, 5.0, float("inf"))], (0.95, 1.05), ("bad",))
    (line,) = paths(drawn, "line")
    assert line.startswith("M0 350H1000M16 ")
    assert line.count("M") == 3
    # Its middle is not to be seen, and no dot says that it were.
    assert paths(drawn, "dots") == []
    assert "from" in drawn
    assert "to any" in drawn
    (beyond,) = paths(charts.intervals(scale, [(5.0, 6.0, 7.0)], (0.95, 1.05), ("bad",)), "line")
    assert beyond.startswith("M940 350H1000M984 ")


def test_the_axis_of_a_column_has_its_words() -> None:
    assert re.findall(r'left:([\d.]+)%">([^<]*)<', charts.ticks(scales.ratios([2.0]))) == [
        *(("0", "\N{MINUS SIGN}50 %"), ("50", "same"), ("79.25", "+50 %"))
    ]
