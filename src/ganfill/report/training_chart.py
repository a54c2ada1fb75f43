"""Charts of one training, as SVG drawings inside its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ganfill.report.plot_style import GRID, HUES, SOFT, plain_numbers, scale_y, svg
from ganfill.report.table_format import digits

WIDTH, HEIGHT = 480, 290  # in units of the drawing
LEFT, RIGHT, TOP, BOTTOM = 60, WIDTH - 14, 12, HEIGHT - 46
FONT_SIZE = 13
MOST_POINTS = 600  # in a line
DOTTED = 24  # lines of so few points show them
TINY = 1e-4


@dataclass(frozen=True)
class ChartLine:
    """Name of a line of a chart, its values at the chart's moments, and its last value, as text."""

    name: str
    values: Sequence[str]
    last: str


@dataclass(frozen=True)
class Chart:
    """A drawing of curves over kimg that ends at ``end``; ``body`` is the content of its ``<svg>`` element."""

    title: str
    unit: str
    end: float
    lines: Sequence[ChartLine]
    body: Markup

    width, height, left, right, top, bottom = WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM

    @property
    def summary(self) -> str:
        """Describes the chart for screen readers."""
        ends = ", ".join(f"{line.name} {line.last}".strip() for line in self.lines)
        return f"{self.title} over {self.end:,.6g} thousand images seen; at the end {ends}"


def draw_chart(
    title: str,
    lines: Mapping[str, np.ndarray],
    end: float,
    pale: Sequence[tuple[int, np.ndarray]] = (),
    levels: Mapping[str, float] | None = None,
    moments: Sequence[float] = (),
    unit: str = "",
) -> Chart:
    """Draws curves over thousand images seen.

    Args:
        title: of the chart.
        lines: by name, finite points (N, 2) of kimg and value with rising kimg; at least one point in all.
        end: the kimg at the right edge; the axis begins at 0.
        pale: finite points to draw in the background, each with the index of the line whose colour it takes.
        levels: by name, values to draw as horizontal lines.
        moments: in kimg; each line reports its value nearest to each of them.
        unit: of the values.
    """
    levels = levels or {}
    figure = Figure((WIDTH / 72, HEIGHT / 72), 72)
    size = ((RIGHT - LEFT) / WIDTH, (BOTTOM - TOP) / HEIGHT)
    axes = figure.add_axes((LEFT / WIDTH, 1 - BOTTOM / HEIGHT, *size))
    curves = [points for points in (*lines.values(), *(points for _, points in pale)) if len(points)]
    for index, points in pale:
        axes.plot(*thin(points).T, color=HUES[index % len(HUES)], linewidth=1, alpha=0.3, clip_on=False)
    lines = {name: points for name, points in lines.items() if len(points)}
    for index, points in enumerate(lines.values()):
        style = {"marker": "o", "markersize": 5} if len(points) <= DOTTED else {}
        axes.plot(*thin(points).T, color=HUES[index % len(HUES)], linewidth=1.8, clip_on=False, **style)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(plain_numbers())
    for name, value in levels.items():
        axes.axhline(value, color=SOFT, linewidth=1, linestyle=(0, (5, 4)))
        label = f"{name} {_short(value)}"
        axes.annotate(label, (end, value), (0, 4), textcoords="offset points", ha="right", color=SOFT, size=FONT_SIZE)
    scale_y(axes, np.array([*np.concatenate(curves)[:, 1], *levels.values()]))
    axes.set_xlim(0, end)
    axes.spines[:].set_visible(False)
    axes.grid(axis="y", color=GRID, linewidth=1)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=FONT_SIZE, labelcolor=SOFT, color=GRID, width=1)
    axes.tick_params(axis="y", length=0, pad=8)
    figure.text(RIGHT / WIDTH, 5 / HEIGHT, "kimg", ha="right", color=SOFT, size=FONT_SIZE)
    described = [_chart_line(name, points, moments) for name, points in lines.items()]
    return Chart(title, unit, end, described, svg(figure, title))


def thin(points: np.ndarray) -> np.ndarray:
    """Reduces points (N, 2) to ``MOST_POINTS`` or fewer and keeps all peaks: the extremes of each section."""
    if len(points) <= MOST_POINTS:
        return points
    sections = np.array_split(np.arange(len(points)), MOST_POINTS // 2)
    kept = {int(rows[extreme(points[rows, 1])]) for rows in sections for extreme in (np.argmin, np.argmax)}
    return points[sorted(kept)]


def _chart_line(name: str, points: np.ndarray, moments: Sequence[float]) -> ChartLine:
    nearest = [int(np.abs(points[:, 0] - moment).argmin()) for moment in moments]
    return ChartLine(name, [_short(float(points[index, 1])) for index in nearest], _short(float(points[-1, 1])))


def _short(value: float) -> str:
    """Three significant digits, with an exponent for tiny values."""
    return digits(value, None) if not value or abs(value) >= TINY else f"{value:.2e}".replace("-", "−")
