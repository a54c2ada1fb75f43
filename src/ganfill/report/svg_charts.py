"""Curves as vector drawings inside a page: they take its colours, light or dark, and suit any width."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ganfill.report.png_curves import plain_numbers, scale
from ganfill.report.table_format import digits

WIDTH, HEIGHT, DPI = 480, 290, 100  # of a drawing, in its own units
LEFT, RIGHT, TOP, BOTTOM = 60, 14, 12, 46
STEPS = 300  # a line has no more than twice as many points
DOTTED = 24  # lines of so few points show them
TINY = 1e-4


@dataclass(frozen=True)
class Drawn:
    """A line of a chart: its name, an SVG path, its points (x, y) if they are to be seen, its values as words."""

    name: str
    path: str
    dots: Sequence[tuple[float, float]]
    values: Sequence[str]
    last: str


@dataclass(frozen=True)
class Chart:
    """A drawing, in units from the upper left corner: ticks and levels are places with their words."""

    title: str
    unit: str
    end: float
    across: Sequence[tuple[float, str]]
    up: Sequence[tuple[float, str]]
    levels: Sequence[tuple[float, str]]
    lines: Sequence[Drawn]
    pale: Sequence[tuple[int, str]]

    width, height, left, right, top, bottom = WIDTH, HEIGHT, LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM

    @property
    def summary(self) -> str:
        """The chart in words, for those who do not see it."""
        ends = ", ".join(f"{line.name} {line.last}".strip() for line in self.lines)
        return f"{self.title} over {self.end:,.6g} thousand images seen; at the end {ends}"


def draw(
    title: str,
    lines: Mapping[str, np.ndarray],
    end: float,
    pale: Sequence[tuple[int, np.ndarray]] = (),
    levels: Mapping[str, float] | None = None,
    moments: Sequence[float] = (),
    unit: str = "",
) -> Chart:
    """A chart over thousand images seen.

    Args:
        title: above it.
        lines: by name, finite points (N, 2) of kimg and value each, with rising kimg; at least one point in all.
        end: the kimg at its right edge; it begins at 0.
        pale: finite points that stand behind, with the index of the line whose colour they have.
        levels: by name, values that are drawn right across.
        moments: in kimg, for which every line tells the value nearest to them.
        unit: of the values.
    """
    levels = levels or {}
    axes = Figure((WIDTH / DPI, HEIGHT / DPI), DPI).add_axes(
        (LEFT / WIDTH, BOTTOM / HEIGHT, 1 - (LEFT + RIGHT) / WIDTH, 1 - (TOP + BOTTOM) / HEIGHT)
    )
    drawn = [points for points in (*lines.values(), *(points for _, points in pale)) if len(points)]
    for points in drawn:
        axes.plot(*points.T)
    for value in levels.values():
        axes.axhline(value)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(plain_numbers())
    scale(axes, np.array([*np.concatenate(drawn)[:, 1], *levels.values()]))
    axes.set_xlim(0, end)
    low, high = axes.get_ylim()  # settles them
    places = _places(axes, [(0, value) for value in levels.values()])
    return Chart(
        title,
        unit,
        end,
        _ticks(axes, axes.xaxis, [(tick, low) for tick in _within(axes.xaxis, 0, end)], 0),
        _ticks(axes, axes.yaxis, [(0, tick) for tick in _within(axes.yaxis, low, high)], 1),
        [(y, f"{name} {_told(levels[name])}") for name, (_, y) in zip(levels, places, strict=True)],
        [_drawn(axes, name, points, moments) for name, points in lines.items() if len(points)],
        [(index, _path(axes, points)) for index, points in pale if len(points)],
    )


def thin(points: np.ndarray) -> np.ndarray:
    """No more than 2 * STEPS of the points (N, 2), with all peaks: the least and the greatest of each part."""
    if len(points) <= 2 * STEPS:
        return points
    parts = np.array_split(np.arange(len(points)), STEPS)
    kept = {int(part[end(points[part, 1])]) for part in parts for end in (np.argmin, np.argmax)}
    return points[sorted(kept)]


def _drawn(axes: Axes, name: str, points: np.ndarray, moments: Sequence[float]) -> Drawn:
    dots = _places(axes, points) if len(points) <= DOTTED else []
    nearest = [int(np.abs(points[:, 0] - moment).argmin()) for moment in moments]
    values = [_told(float(points[index, 1])) for index in nearest]
    return Drawn(name, _path(axes, points), dots, values, _told(float(points[-1, 1])))


def _told(value: float) -> str:
    """Three significant digits, with an exponent where they would come after many zeros."""
    return digits(value, None) if not value or abs(value) >= TINY else f"{value:.2e}".replace("-", "−")


def _path(axes: Axes, points: np.ndarray) -> str:
    return "M" + "L".join(f"{x:g},{y:g}" for x, y in _places(axes, thin(points)))


def _places(axes: Axes, points: np.ndarray | Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Where points of the data lie in the drawing, to a tenth of its unit."""
    found = axes.transData.transform(np.reshape(points, (-1, 2)))
    return [(round(float(x), 1), round(HEIGHT - float(y), 1)) for x, y in found]


def _within(axis: Axis, low: float, high: float) -> list[float]:
    return [float(tick) for tick in axis.get_majorticklocs() if low <= tick <= high]


def _ticks(axes: Axes, axis: Axis, points: Sequence[tuple[float, float]], along: int) -> list[tuple[float, str]]:
    words = axis.get_major_formatter().format_ticks([point[along] for point in points])
    return [(place[along], word) for place, word in zip(_places(axes, points), words, strict=True)]
