"""Names beside the points of a plot, where they cover neither points nor one another."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from scipy.optimize import isotonic_regression

SIZE = 8  # of the letters, in points (1/72 inch)
REACHES = (7, 14, 24, 36, 50)  # points from mark to name
SIDES = ((1, 0), (0, 1), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))  # right, up
SPOTS = np.array([(reach * right, reach * up) for reach, (right, up) in itertools.product(REACHES, SIDES)])
MARK = 5  # half the side of the square around a mark that is kept free, in points
NEAR = 12  # a name farther off than so many points gets a line to its mark


def place(axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str], taken: np.ndarray, ink: str) -> None:
    """Writes a name beside each point, as near as it covers nothing.

    Args:
        axes: on an Agg canvas, with its limits and its place in the figure final.
        points: in the axes' data coordinates.
        names: one for each point.
        taken: boxes (N, 4) in pixels, left, bottom, right, top, to be kept free besides the marks and these names.
        ink: colour of the names.
    """
    scale, frame = axes.figure.dpi / 72, np.array([axes.get_window_extent().extents])
    marks = axes.transData.transform(np.reshape(points, (-1, 2)))
    squares = np.hstack([marks - MARK * scale, marks + MARK * scale])
    taken = np.concatenate([taken, squares])
    way = (SPOTS[:, None] * np.linspace(0, 1, 12)[:, None] * scale).reshape(-1, 2)  # of the lines to the names
    for index, (point, mark, name) in enumerate(zip(points, marks, names, strict=True)):
        half = np.array(_extent(axes, name)) / 2
        middles = mark + SPOTS * scale + np.sign(SPOTS) * half
        boxes = np.hstack([middles - half, middles + half])
        outside = 4 * half.prod() - overlaps(boxes, frame).sum(1)
        crossed = overlaps(np.hstack([mark + way - scale, mark + way + scale]), np.delete(squares, index, 0))
        costs = overlaps(boxes, taken).sum(1) + 4 * outside + crossed.reshape(len(SPOTS), -1).sum(1)
        chosen = int(np.argmin(np.round(costs)))  # the first and so the nearest of equals
        taken = np.concatenate([taken, boxes[[chosen]]])
        right, up = np.sign(SPOTS[chosen]).astype(int)
        axes.annotate(
            name,
            point,
            tuple(SPOTS[chosen]),
            textcoords="offset points",
            fontsize=SIZE,
            color=ink,
            horizontalalignment=("center", "left", "right")[right],
            verticalalignment=("center", "bottom", "top")[up],
            arrowprops=line(ink) if math.hypot(*SPOTS[chosen]) > NEAR else None,
            zorder=5,
        )


def line(colour: str) -> dict[str, object]:
    """The thin line between a name and its mark, as ``annotate`` takes it."""
    return {"arrowstyle": "-", "color": colour, "linewidth": 0.6, "alpha": 0.6, "shrinkA": 1, "shrinkB": 3}


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """The heights moved as little as may be for each two to be at least ``gap`` apart, in the order they were in."""
    order = np.argsort(heights, kind="stable")
    steps = gap * np.arange(len(heights))
    moved = np.empty(len(heights))
    moved[order] = isotonic_regression(np.array(heights, float)[order] - steps).x + steps
    return moved.tolist()


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The area (N, M) that each of the boxes (N, 4) shares with each of the others (M, 4): left, bottom, right, top."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.maximum(high - low, 0).prod(-1)


def _extent(axes: Axes, name: str) -> tuple[float, float]:
    """Width and height of a written name, in pixels."""
    canvas = axes.figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    text = axes.text(0, 0, name, fontsize=SIZE)
    box = text.get_window_extent(canvas.get_renderer())
    text.remove()
    return box.width, box.height
