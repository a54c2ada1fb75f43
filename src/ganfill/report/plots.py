"""Plots of evaluations and sweeps, as the bytes of PNG files."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from ganfill.report.plot_style import (
    PAPER,
    SOFT,
    add_legend,
    line_styles,
    note_empty,
    png,
    scale_y,
    set_title,
    subplots,
)
from ganfill.report.table_format import heading, number, plain_time

BINS = 8
CLOCKS = ("kimg", "seconds")
UNITS = ((3 * 3600, 3600, "hours"), (300, 60, "minutes"), (0, 1, "seconds"))  # least longest time, size, name


@dataclass(frozen=True)
class RunCurve:
    """A training of a sweep: the name it shares with those of its kind, and its columns, including ``CLOCKS``."""

    name: str
    columns: Mapping[str, np.ndarray]


def sweep_curves(runs: Sequence[RunCurve], columns: Sequence[str], window: float = 0) -> bytes:
    """Draws two panels for each column: against thousand images seen, and against the time of training.

    Args:
        runs: trainings; those of one name look the same. Columns that a training lacks are left out.
        columns: to be shown.
        window: share of a curve over which each of its values is averaged.

    Returns:
        A PNG file.
    """
    styles = line_styles(run.name for run in runs)
    figure, panels = subplots(2 * len(columns))
    longest = max(
        (float(times.max()) for run in runs if len(times := finite_rows(run.columns, "seconds"))), default=0.0
    )
    unit_size, unit = next((size, unit) for least, size, unit in UNITS if longest >= least)
    for index, axes in enumerate(panels):
        column, clock = columns[index // 2], CLOCKS[index % 2]
        axes.set_xlabel("thousand images seen" if clock == "kimg" else f"time of training, {unit}")
        set_title(axes, heading(column).label)
        shown = []
        for run in runs:
            points = finite_rows(run.columns, clock, column)
            if not len(points):
                continue
            style, values = styles[run.name], smooth(points[:, 1], window)
            times = points[:, 0] / (1 if clock == "kimg" else unit_size)
            marker = style.marker if len(points) == 1 else None
            axes.plot(
                times, values, marker=marker, color=style.colour, linestyle=style.dashes, linewidth=1.4, markersize=5
            )
            shown.append(values)
        if shown:
            scale_y(axes, np.concatenate(shown))
        else:
            note_empty(axes)
    handles = {}
    for name, style in styles.items():
        (handles[name],) = panels[0].plot([], [], color=style.colour, linestyle=style.dashes, linewidth=1.8)
    add_legend(figure, handles)
    return png(figure)


def share_bars(shares: Mapping[str, float]) -> bytes:
    """Draws a horizontal bar for each share (0 to 1), in the given order from the top, as a PNG file."""
    figure, (axes,) = subplots(1)
    names = list(shares)
    bars = axes.barh(
        names, [100 * shares[name] for name in names], color=next(iter(line_styles(["share"]).values())).colour
    )
    axes.bar_label(bars, fmt="%.0f %%", fontsize=8, color=SOFT, padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("share, %")
    return png(figure)


def smooth(values: np.ndarray, window: float) -> np.ndarray:
    """Moving average over a share ``window`` of the values; the window is cut off at both ends."""
    half = int(window * len(values) / 2)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, len(values))
    return (sums[high] - sums[low]) / (high - low) if half else values


def finite_rows(columns: Mapping[str, np.ndarray], *names: str) -> np.ndarray:
    """Returns the rows (N, len(names)) of columns in which all values are finite; none if a column is missing."""
    if not set(names) <= columns.keys():
        return np.empty((0, len(names)))
    rows = np.stack([columns[name] for name in names], axis=1)
    return rows[np.isfinite(rows).all(1)]


def quality_against_time(rows: Sequence[Mapping[str, object]]) -> bytes:
    """Draws hole PSNR with its interval against the time for a picture, one panel for each kind of hole.

    Args:
        rows: with ``search``, ``mask``, ``psnr`` in dB, ``psnr_low`` and ``psnr_high`` if known, and ``seconds``.
            Rows without a PSNR are left out; a search that takes no time, or an unknown time, is a dashed level.

    Returns:
        A PNG file.
    """
    measured = [(row, psnr) for row in rows if (psnr := number(row.get("psnr"))) is not None]
    times = [seconds for row, _ in measured if (seconds := number(row.get("seconds")))]
    styles = line_styles(str(row["search"]) for row, _ in measured if number(row.get("seconds")))
    masks = list(dict.fromkeys(str(row["mask"]) for row in rows)) or [""]
    figure, panels = subplots(len(masks))
    handles: dict[str, Line2D] = {}
    for axes, mask in zip(panels, masks, strict=True):
        set_title(axes, mask)
        axes.set_xlabel("time for a picture")
        axes.set_ylabel("PSNR of the hole, dB")
        _time_axis(axes, times)
        shown = [(row, psnr) for row, psnr in measured if str(row["mask"]) == mask]
        for row, psnr in shown:
            search = str(row["search"])
            low, high, seconds = (number(row.get(key)) for key in ("psnr_low", "psnr_high", "seconds"))
            if not seconds:
                axes.axhline(psnr, color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
                at_right = axes.get_yaxis_transform()
                axes.text(0.99, psnr, search, transform=at_right, ha="right", va="bottom", size=8, color=SOFT)
                continue
            style = styles[search]
            if low is not None and high is not None:
                axes.vlines(seconds, low, high, color=style.colour, linewidth=1.4, alpha=0.6)
            mark = {"color": style.colour, "markersize": 7, "markeredgecolor": PAPER, "linestyle": "none"}
            (handles[search],) = axes.plot(seconds, psnr, style.marker, zorder=4, **mark)
        axes.margins(y=0.12)
        if not shown:
            note_empty(axes)
    add_legend(figure, handles)
    return png(figure)


def quality_against_share(points: Mapping[str, Sequence[tuple[float, float]]]) -> bytes:
    """Draws hole PSNR against the missing share: every picture pale, the means of bins as a line for each search.

    Args:
        points: by search, the (missing share of the picture, 0 to 1; PSNR in dB) of each picture. Values that are not
            finite are left out.

    Returns:
        A PNG file.
    """
    styles = line_styles(points)
    figure, (axes,) = subplots(1)
    axes.set_xlabel("missing share of the picture")
    axes.set_ylabel("PSNR of the hole, dB")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))
    arrays = {name: np.array(pairs, float).reshape(-1, 2) for name, pairs in points.items()}
    finite = {name: kept for name, pairs in arrays.items() if len(kept := pairs[np.isfinite(pairs).all(1)])}
    if not finite:
        note_empty(axes)
        return png(figure)
    shares = np.concatenate([pairs[:, 0] for pairs in finite.values()])
    edges = np.linspace(shares.min(), shares.max(), BINS + 1)
    handles = {}
    for name, pairs in finite.items():
        style, means = styles[name], bin_means(pairs, edges)
        alpha = float(np.clip(40 / len(pairs), 0.06, 0.5))
        axes.scatter(*pairs.T, s=8, color=style.colour, alpha=alpha, linewidths=0)
        mark = {"color": style.colour, "markersize": 6, "markeredgecolor": PAPER}
        (handles[name],) = axes.plot(*means.T, style.marker, linestyle=style.dashes, linewidth=1.6, zorder=4, **mark)
    add_legend(figure, handles)
    return png(figure)


def bin_means(points: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Means (M, 2) of the points (N, 2) in each bin of their first coordinate that holds any."""
    bins = np.clip(np.searchsorted(edges, points[:, 0], side="right"), 1, len(edges) - 1)
    return np.array([points[bins == index].mean(0) for index in np.unique(bins)])


def _time_axis(axes: Axes, times: Sequence[float]) -> None:
    """Sets a logarithmic axis that fits all times."""
    low, high = (math.log10(bound(times)) for bound in (min, max)) if times else (-1, 1)
    margin = 0.08 * max(1, high - low)
    axes.set_xscale("log")
    axes.set_xlim(10 ** (low - margin), 10 ** (high + margin))
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if high - low > 2 else (1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: plain_time(seconds)))
