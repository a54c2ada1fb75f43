import re

import numpy as np
import pytest

from ganfill.report.svg_charts import HEIGHT, LEFT, STEPS, WIDTH, draw, thin


def _points(values, first=1):
    return np.stack([np.arange(first, first + len(values)), values], axis=1).astype(float)


def _coordinates(path):
    assert re.fullmatch(r"M[-\d.,L]+", path)
    return np.array([pair.split(",") for pair in path[1:].split("L")], float)


def test_a_line_lies_where_its_ticks_say():
    chart = draw("Losses", {"generator": _points([2, 4, 6, 8])}, end=4)
    (line,) = chart.lines
    places = _coordinates(line.path)
    across, up = ({float(word): place for place, word in ticks} for ticks in (chart.across, chart.up))
    assert places[0, 0] == pytest.approx(across[1], abs=0.2) and places[-1, 0] == pytest.approx(chart.right, abs=0.2)
    assert places[:, 1].tolist() == pytest.approx([up[value] for value in (2, 4, 6, 8)], abs=0.2)
    assert chart.across[0] == (pytest.approx(LEFT), "0") and line.dots == [tuple(place) for place in places]
    assert ((places >= 0) & (places <= (WIDTH, HEIGHT))).all()


def test_values_are_those_nearest_to_the_moments():
    chart = draw("", {"": _points([0.5, 1.23456, 7e-8])}, end=10, moments=[0, 2.2, 9])
    assert chart.lines[0].values == ["0.500", "1.23", "7.00e−08"] and chart.lines[0].last == "7.00e−08"


def test_a_level_is_inside_and_told():
    chart = draw("FD-face", {"": _points([50, 20])}, end=2, levels={"floor": 0.5})
    ((y, words),) = chart.levels
    assert words == "floor 0.500" and _coordinates(chart.lines[0].path)[-1, 1] < y < chart.bottom
    assert "FD-face" in chart.summary and chart.summary.endswith("20.0")


@pytest.mark.parametrize("values", [[3.0], [0.0, 0.0], [-1e6, 1e-3, 0, 5, 1, 2], [1e-9, 1e5]])
def test_odd_values_stay_inside(values):
    chart = draw("", {"": _points(values), "nothing": np.empty((0, 2))}, end=len(values), pale=[(0, _points(values))])
    places = _coordinates(chart.lines[0].path)
    assert len(places) == len(values) and np.isfinite(places).all()
    assert ((places[:, 1] >= chart.top - 0.2) & (places[:, 1] <= chart.bottom + 0.2)).all()
    assert len(chart.lines) == 1 and chart.pale == [(0, chart.lines[0].path)] and chart.up


def test_long_lines_are_thinned_and_keep_their_peaks():
    points = _points(np.sin(np.arange(20_000)))
    points[[7777, 12345], 1] = 50, -50
    kept = thin(points)
    assert STEPS < len(kept) <= 2 * STEPS and {50, -50} <= set(kept[:, 1]) and (np.diff(kept[:, 0]) > 0).all()
    assert thin(points[: 2 * STEPS]) is not kept and len(thin(points[: 2 * STEPS])) == 2 * STEPS
