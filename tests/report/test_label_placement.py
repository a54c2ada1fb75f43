import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from ganfill.report.label_placement import overlaps, place, spread


def _names(points, taken=()):
    """The boxes of names placed beside the points, and the frame they belong into."""
    figure = Figure((6, 4), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    figure.draw_without_rendering()
    place(axes, points, [f"search {i}" for i in range(len(points))], np.reshape(taken, (-1, 4)), "black")
    renderer = figure.canvas.get_renderer()
    boxes = []
    for text in axes.texts:
        text.update_positions(renderer)
        boxes.append(Text.get_window_extent(text, renderer).extents)  # of the words without their line
    marks = axes.transData.transform(points)
    return np.array(boxes), axes.get_window_extent().extents, np.hstack([marks - 3, marks + 3])


@pytest.mark.parametrize(
    "points",
    [
        [(0.5, 0.5)],
        [(0.99, 0.99), (0.01, 0.01), (0.99, 0.01)],
        [(0.5, 0.5)] * 6,
        [(0.4 + 0.02 * i, 0.5 + 0.01 * i) for i in range(8)],
    ],
)
def test_names_cover_neither_marks_nor_one_another_nor_leave_the_frame(points):
    boxes, frame, marks = _names(points)
    assert len(boxes) == len(points)
    for one, other in itertools.combinations(boxes, 2):
        assert overlaps(one[None], other[None]).item() < 1
    assert overlaps(boxes, marks).max() < 1
    assert (boxes[:, :2] >= frame[:2] - 1).all() and (boxes[:, 2:] <= frame[2:] + 1).all()


def test_a_name_makes_way_for_what_is_taken():
    free, frame, _ = _names([(0.5, 0.5)])
    moved, *_ = _names([(0.5, 0.5)], [free[0]])
    assert overlaps(moved, free).item() < 1
    assert overlaps(moved, frame[None]).item() > 0


def test_overlaps_are_areas():
    boxes = np.array([[0, 0, 2, 2], [5, 5, 6, 6]], float)
    assert overlaps(boxes, np.array([[1, 1, 3, 3], [2, 0, 4, 2], [5.5, 5, 9, 9]])).tolist() == [[1, 0, 0], [0, 0, 0.5]]


def test_heights_are_spread_in_their_order_and_no_more_than_needed():
    assert spread([1.0, 5.0, 3.0], 1.0) == [1.0, 5.0, 3.0]
    assert spread([2.0, 2.0], 1.0) == pytest.approx([1.5, 2.5])
    moved = spread([0.0, 0.1, 0.05, 9.0], 1.0)
    assert moved == pytest.approx([-0.95, 1.05, 0.05, 9.0])
    assert spread([], 1.0) == []
