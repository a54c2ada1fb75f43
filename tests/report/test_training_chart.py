import re
import time
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from ganfill.report.training_chart import BOTTOM, LEFT, MOST_POINTS, RIGHT, TOP, draw_chart, thin


def _points(values, first=1):
    return np.stack([np.arange(first, first + len(values)), values], axis=1).astype(float)


def _elements(chart):
    """The elements of a drawing."""
    return list(ElementTree.fromstring(f'<svg xmlns:xlink="x">{chart.body}</svg>').iter())


def _curve(chart, hue=0, opacity=False):
    """Coordinates (N, 2) of the curve of a hue in the drawing."""
    styles = [(element.get("style", ""), element.get("d", "")) for element in _elements(chart)]
    (path,) = (
        path for style, path in styles
        if f"stroke: var(--hue{hue})" in style and "fill: none" in style and ("opacity" in style) == opacity
    )  # fmt: skip
    return np.array(re.findall(r"[ML] (\S+) (\S+)", path), float)


def _texts(chart):
    """Words of a drawing with their places."""
    texts = [element for element in _elements(chart) if element.tag == "text"]
    return {text.text: (float(text.get("x", 0)), float(text.get("y", 0))) for text in texts}


def test_a_line_lies_where_its_ticks_say():
    chart = draw_chart("Losses", {"generator": _points([2, 4, 6, 8])}, end=4)
    places, texts = _curve(chart), _texts(chart)
    assert places[0, 0] == pytest.approx(texts["1"][0], abs=0.2) and places[-1, 0] == pytest.approx(RIGHT, abs=0.2)
    assert texts["0"][0] == pytest.approx(LEFT, abs=0.2) and "kimg" in texts
    baseline = texts["2"][1] - places[0, 1]  # from a tick to the foot of its digits
    ticks = [texts[f"{value}"][1] - baseline for value in (2, 4, 6, 8)]
    assert places[:, 1].tolist() == pytest.approx(ticks, abs=0.2) and 0 < baseline < 10
    uses = [element for element in _elements(chart) if element.tag == "use" and "hue0" in element.get("style", "")]
    assert [float(use.get("x")) for use in uses] == pytest.approx(places[:, 0].tolist())


def test_values_are_those_nearest_to_the_moments():
    chart = draw_chart("", {"": _points([0.5, 1.23456, 7e-8])}, end=10, moments=[0, 2.2, 9])
    assert chart.lines[0].values == ["0.500", "1.23", "7.00e−08"] and chart.lines[0].last == "7.00e−08"


def test_a_level_is_inside_and_labelled():
    chart = draw_chart("FD-face", {"": _points([50, 20])}, end=2, levels={"floor": 0.5})
    assert _curve(chart)[-1, 1] < _texts(chart)["floor 0.500"][1] < BOTTOM
    assert "FD-face" in chart.summary and chart.summary.endswith("20.0")


@pytest.mark.parametrize("values", [[3.0], [0.0, 0.0], [-1e6, 1e-3, 0, 5, 1, 2], [1e-9, 1e5]])
def test_odd_values_stay_inside(values):
    lines = {"": _points(values), "nothing": np.empty((0, 2))}
    chart = draw_chart("", lines, end=len(values), pale=[(0, _points(values))])
    places = _curve(chart)
    assert len(places) == len(values) and np.isfinite(places).all()
    assert ((places[:, 1] >= TOP - 0.2) & (places[:, 1] <= BOTTOM + 0.2)).all()
    assert len(chart.lines) == 1 and np.array_equal(_curve(chart, opacity=True), places)


def test_drawings_take_the_colours_and_the_font_of_the_page():
    chart = draw_chart("<b>", {"a": _points([1, 2]), "b": _points([2, 1])}, end=2, levels={"<i>": 1.5})
    colours = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", chart.body))
    assert colours == {"none", "var(--soft)", "var(--line)", "var(--hue0)", "var(--hue1)"}
    assert "font-family" not in chart.body and "<i>" not in chart.body and "://" not in chart.body


def test_the_same_curve_gives_the_same_drawing_and_drawings_share_no_ids():
    one, same, other = (draw_chart(title, {"": _points([1, 2])}, end=2) for title in ("a", "a", "b"))
    assert one.body == same.body
    ids = [re.findall(r' id="([^"]+)"', chart.body) for chart in (one, other)]
    assert ids[0] and len({*ids[0], *ids[1]}) == len(ids[0]) + len(ids[1])


def test_long_lines_are_thinned_and_keep_their_peaks():
    points = _points(np.sin(np.arange(20_000)))
    points[[7777, 12345], 1] = 50, -50
    kept = thin(points)
    assert MOST_POINTS / 2 < len(kept) <= MOST_POINTS and {50, -50} <= set(kept[:, 1])
    assert (np.diff(kept[:, 0]) > 0).all() and len(thin(points[:MOST_POINTS])) == MOST_POINTS


def test_a_chart_of_many_points_takes_no_longer_than_its_drawing():
    values = np.random.default_rng(0).random((8, 4000))
    lines = {f"line {i}": _points(row) for i, row in enumerate(values)}
    started = time.process_time()
    draw_chart("Losses", lines, end=4000)
    assert time.process_time() - started < 5
