"""Names beside the points of a plot, where they cover neither points nor one another."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox
from scipy.optimize import isotonic_regression

SIZE = 8  # of the letters, in points (1/72 inch)
REACHES = (7, 14, 24, 36, 50)  # points from mark to name, tried one after another
SIDES = ((1, 0), (0, 1), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))  # right, up
MARK = 5  # half the side of the square around a mark that is kept free, in points
NEAR = 14  # a name farther off than so many points gets a line to its mark


def place(
    axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str], taken: Sequence[Bbox], ink: str
) -> None:
    """Writes a name beside each point, where there is most room for it.

    Args:
        axes: on an Agg canvas, with its limits and its place in the figure final.
        points: in the axes' data coordinates.
        names: one for each point.
        taken: boxes in pixels to be kept free, besides the marks and what is written here.
        ink: colour of the names.
    """
    canvas = axes.figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    scale, frame = axes.figure.dpi / 72, axes.get_window_extent()
    marks = [axes.transData.transform(point) for point in points]
    blocked = [_box(mark, MARK * scale, MARK * scale, 0, 0, 0) for mark in marks] + list(taken)
    for point, mark, name in zip(points, marks, names, strict=True):
        text = axes.text(*point, name, fontsize=SIZE)
        extent = text.get_window_extent(canvas.get_renderer())
        text.remove()
        half = extent.width / 2, extent.height / 2
        costs = {}
        for reach, (right, up) in itertools.product(REACHES, SIDES):
            box = _box(mark, *half, reach * scale, right, up)
            outside = 4 * half[0] * half[1] - _overlap(box, frame)
            costs[reach, right, up] = sum(_overlap(box, other) for other in blocked) + 4 * outside
        reach, right, up = min(costs, key=lambda choice: round(costs[choice]))
        blocked.append(_box(mark, *half, reach * scale, right, up))
        axes.annotate(
            name,
            point,
            (right * reach, up * reach),
            textcoords="offset points",
            fontsize=SIZE,
            color=ink,
            horizontalalignment=("center", "left", "right")[right],
            verticalalignment=("center", "bottom", "top")[up],
            arrowprops={"arrowstyle": "-", "color": ink, "linewidth": 0.5, "alpha": 0.5} if reach > NEAR else None,
            zorder=5,
        )


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """The heights moved as little as may be for each two to be at least ``gap`` apart, in the order they were in."""
    order = np.argsort(heights, kind="stable")
    steps = gap * np.arange(len(heights))
    moved = np.empty(len(heights))
    moved[order] = isotonic_regression(np.array(heights, float)[order] - steps).x + steps
    return moved.tolist()


def _box(middle: Sequence[float], half_width: float, half_height: float, reach: float, right: int, up: int) -> Bbox:
    """The box of a name so far from its mark, which ends where it is nearest to the mark."""
    x, y = middle[0] + right * (reach + half_width), middle[1] + up * (reach + half_height)
    return Bbox.from_extents(x - half_width, y - half_height, x + half_width, y + half_height)


def _overlap(one: Bbox, other: Bbox) -> float:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(0.0, width) * max(0.0, height)
