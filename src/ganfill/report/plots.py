"""Plots of an evaluation, as the bytes of PNG files."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from ganfill.report.label_placement import SIZE, line, place, spread
from ganfill.report.plot_style import DPI, INK, PAPER, SOFT, LineStyle, choose_looks, nothing, paper, png, settle
from ganfill.report.table_format import number, plain_time

BINS = 8


@dataclass(frozen=True)
class Point:
    """A search on one kind of hole; ``seconds`` is 0 where none are known, ``interval`` None likewise."""

    search: str
    mask: str
    psnr: float
    interval: tuple[float, float] | None
    seconds: float


def quality_against_time(rows: Sequence[Mapping[str, object]]) -> bytes:
    """One panel for each kind of hole: hole PSNR of each search, with its interval, against the time for a picture.

    Args:
        rows: with ``search``, ``mask``, ``psnr`` in dB, ``psnr_low`` and ``psnr_high`` if known, and ``seconds``.
            Rows without a PSNR are left out; a search that takes no time, or whose time is not known, is a dashed level.
    """
    points = [point for row in rows if (point := _point(row))]
    looks = choose_looks(point.search for point in points)
    masks = list(dict.fromkeys(str(row["mask"]) for row in rows)) or [""]
    figure, panels = paper(len(masks))
    for axes, mask in zip(panels, masks, strict=True):
        axes.set_title(mask, loc="left", fontsize=10, fontweight="bold", color=INK)
        axes.set_xlabel("time for a picture")
        axes.set_ylabel("PSNR of the hole, dB")
        _time_axis(axes, [point.seconds for point in points if point.seconds])
        for point in points:
            if point.mask == mask:
                _draw(axes, point, looks[point.search])
        axes.margins(y=0.12)
    settle(figure)
    for axes, mask in zip(panels, masks, strict=True):
        _name(axes, [point for point in points if point.mask == mask])
    return png(figure)


def quality_against_share(points: Mapping[str, Sequence[tuple[float, float]]]) -> bytes:
    """Hole PSNR against how much of the picture is missing: every picture pale, each search's binned means a line.

    Args:
        points: by search, the (share of the picture that is missing, 0 to 1; PSNR in dB) of each picture.
            What is not finite is left out.
    """
    looks = choose_looks(points)
    figure, (axes,) = paper(1)
    axes.set_xlabel("missing share of the picture")
    axes.set_ylabel("PSNR of the hole, dB")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))
    arrays = {name: np.array(its, float).reshape(-1, 2) for name, its in points.items()}
    finite = {name: kept for name, its in arrays.items() if len(kept := its[np.isfinite(its).all(1)])}
    if not finite:
        nothing(axes)
        return png(figure)
    shares = np.concatenate([its[:, 0] for its in finite.values()])
    edges = np.linspace(shares.min(), shares.max(), BINS + 1)
    ends = {}
    for name, its in finite.items():
        look, means = looks[name], binned(its, edges)
        axes.scatter(*its.T, s=8, color=look.colour, alpha=float(np.clip(40 / len(its), 0.06, 0.5)), linewidths=0)
        axes.plot(*means.T, color=look.colour, linestyle=look.dashes, linewidth=1.6, zorder=4)
        axes.plot(*means.T, look.marker, color=look.colour, markersize=6, markeredgecolor=PAPER, zorder=4)
        ends[name] = means[-1]
    axes.set_xlim(*axes.get_xlim())
    _end_names(figure, axes, ends, looks)
    return png(figure)


def binned(points: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The mean point (M, 2) of each bin that holds any of the points (N, 2), by their first coordinate."""
    bins = np.clip(np.searchsorted(edges, points[:, 0], side="right"), 1, len(edges) - 1)
    return np.array([points[bins == index].mean(0) for index in np.unique(bins)])


def _point(row: Mapping[str, object]) -> Point | None:
    psnr, low, high, seconds = (number(row.get(key)) for key in ("psnr", "psnr_low", "psnr_high", "seconds"))
    interval = None if low is None or high is None else (low, high)
    return (
        None if psnr is None else Point(str(row["search"]), str(row["mask"]), psnr, interval, max(0.0, seconds or 0.0))
    )


def _draw(axes: Axes, point: Point, look: LineStyle) -> None:
    """Draws a search as a mark with its interval, or as a level."""
    if not point.seconds:
        axes.axhline(point.psnr, color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        return
    if point.interval:
        axes.vlines(point.seconds, *point.interval, color=look.colour, linewidth=1.4, alpha=0.6)
    axes.plot(point.seconds, point.psnr, look.marker, color=look.colour, markersize=7, markeredgecolor=PAPER, zorder=4)


def _name(axes: Axes, points: Sequence[Point]) -> None:
    """Writes the searches' names into the finished panel of one kind of hole."""
    if not points:
        nothing(axes)
    left, right = axes.get_window_extent().intervalx
    taken = []
    for point in points:
        at = point.seconds or axes.get_xlim()[0]
        (x, y), *ends = axes.transData.transform([(at, height) for height in (point.psnr, *(point.interval or ()))])
        if not point.seconds:
            level = axes.text(
                0.99, point.psnr, point.search, transform=axes.get_yaxis_transform(), fontsize=SIZE, color=SOFT
            )
            level.set(horizontalalignment="right", verticalalignment="bottom")
            taken += [(left, y - 3, right, y + 3), level.get_window_extent().extents]
        elif ends:
            taken.append((x - 3, ends[0][1], x + 3, ends[1][1]))
    named = [point for point in points if point.seconds]
    marks = [(point.seconds, point.psnr) for point in named]
    place(axes, marks, [point.search for point in named], np.reshape(taken, (-1, 4)), INK)


def _end_names(figure: Figure, axes: Axes, ends: Mapping[str, np.ndarray], looks: Mapping[str, LineStyle]) -> None:
    """Names the lines right of the plot, each beside its mark and joined to where its line ends."""
    texts = [axes.text(1.06, 0.5, name, transform=axes.transAxes, fontsize=SIZE + 1, color=INK) for name in ends]
    settle(figure)  # with room for the names, whose heights can be told now
    low, high = axes.get_ylim()
    letter = (high - low) * (SIZE + 1) / (axes.get_window_extent().height * 72 / DPI)
    heights = spread([float(end[1]) for end in ends.values()], 1.5 * letter)
    at_right = axes.get_yaxis_transform()
    for (name, end), height, text in zip(ends.items(), heights, texts, strict=True):
        text.set(transform=at_right, y=height, verticalalignment="center")
        colour, marker = looks[name].colour, looks[name].marker
        axes.plot(1.04, height, marker, transform=at_right, color=colour, markersize=5, clip_on=False)
        axes.annotate(
            "", tuple(end), (1.03, height), textcoords=at_right, annotation_clip=False, arrowprops=line(colour)
        )


def _time_axis(axes: Axes, times: Sequence[float]) -> None:
    """A logarithmic axis for all times, with room at its right for names."""
    low, high = (math.log10(bound(times)) for bound in (min, max)) if times else (-1, 1)
    margin = 0.08 * max(1, high - low)
    axes.set_xscale("log")
    axes.set_xlim(10 ** (low - margin), 10 ** (high + 3 * margin))
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if high - low > 2 else (1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: plain_time(seconds)))
