"""Curves of trainings, each column against images seen and against time, as the bytes of a PNG file."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, SymmetricalLogLocator

from ganfill.report.plot_style import INK, SOFT, choose_looks, nothing, paper, png
from ganfill.report.table_format import heading

CLOCKS = ("kimg", "seconds")
UNITS = ((3 * 3600, 3600, "hours"), (300, 60, "minutes"), (0, 1, "seconds"))  # from so many seconds on, so many are one
WIDE = 5  # values that span such a factor are shown on a logarithmic axis
LETTERS = 110  # in a row of the legend
LINE = 0.19  # inches, of the legend


@dataclass(frozen=True)
class Line:
    """A training: the name it shares with those of its kind, and its columns, ``kimg`` and ``seconds`` among them."""

    name: str
    columns: Mapping[str, np.ndarray]


def curves(lines: Sequence[Line], columns: Sequence[str], window: float = 0) -> bytes:
    """Two panels for each column: against thousand images seen, and against the time of training.

    Args:
        lines: trainings; those of one name look the same. What one lacks is left out.
        columns: to be shown.
        window: each value becomes the mean of those around it, so wide a share of its line.
    """
    looks = choose_looks(line.name for line in lines)
    figure, panels = paper(2 * len(columns))
    slowest = max((float(np.nanmax(its)) for line in lines if len(its := _finite(line, "seconds"))), default=0.0)
    size, unit = next((size, unit) for least, size, unit in UNITS if slowest >= least)
    for index, axes in enumerate(panels):
        column, clock = columns[index // 2], CLOCKS[index % 2]
        axes.set_xlabel("thousand images seen" if clock == "kimg" else f"time of training, {unit}")
        axes.set_title(heading(column).label, loc="left", fontsize=10, fontweight="bold", color=INK)
        shown = []
        for line in lines:
            points = _points(line, clock, column)
            if not len(points):
                continue
            look, values = looks[line.name], smooth(points[:, 1], window)
            times = points[:, 0] / (1 if clock == "kimg" else size)
            style = {"color": look.colour, "linestyle": look.dashes, "linewidth": 1.4, "markersize": 5}
            axes.plot(times, values, marker=look.marker if len(points) == 1 else None, **style)
            shown.append(values)
        if shown:
            scale(axes, np.concatenate(shown))
        else:
            nothing(axes)
    ncols = max(1, min(4, LETTERS // (8 + max(map(len, looks), default=0))))
    figure.set_figheight(figure.get_figheight() + LINE * -(-len(looks) // ncols))
    handles = [
        panels[0].plot([], [], color=look.colour, linestyle=look.dashes, linewidth=1.8, label=name)[0]
        for name, look in looks.items()
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=ncols, fontsize=8, frameon=False, labelcolor=SOFT)
    return png(figure)


def _finite(line: Line, column: str) -> np.ndarray:
    values = line.columns.get(column, np.empty(0))
    return values[np.isfinite(values)]


def _points(line: Line, clock: str, column: str) -> np.ndarray:
    """The finite points (N, 2) of a line, none if it lacks a column."""
    if not {clock, column} <= line.columns.keys():
        return np.empty((0, 2))
    points = np.stack([line.columns[clock], line.columns[column]], axis=1)
    return points[np.isfinite(points).all(1)]


def smooth(values: np.ndarray, window: float) -> np.ndarray:
    """Means over a window around each value, which is cut off at the ends."""
    half = int(window * len(values) / 2)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, len(values))
    return (sums[high] - sums[low]) / (high - low) if half else values


def scale(axes: Axes, values: np.ndarray) -> None:
    """A logarithmic axis for values of many magnitudes, around zero if they have both signs."""
    sizes = np.abs(values)
    if values.min() > 0 and values.max() > WIDE * values.min():
        axes.set_yscale("log")
        decades = np.log10(values.max() / values.min())
        axes.yaxis.set_major_locator(LogLocator(subs=(1,) if decades > 2.5 else (1, 2, 5)))
    elif values.min() <= 0 and sizes.max() > WIDE**2 * (middle := float(np.median(sizes))) > 0:
        straight = 10 ** math.ceil(math.log10(middle))  # the axis is linear as far as most values
        axes.set_yscale("symlog", linthresh=straight)
        axes.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=straight))
    else:
        return
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(plain_numbers())


def plain_numbers() -> FuncFormatter:
    """Writes the numbers at an axis as they are, without an offset or a factor somewhere else."""
    return FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−"))
