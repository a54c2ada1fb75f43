"""Plots as the bytes of PNG files, on paper of their own, so that they can be read on a light and on a dark page.

Nothing here touches pyplot or its settings: figures are drawn on Agg canvases of their own.
"""

import io
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter
from matplotlib.transforms import Bbox

from ganfill.report.columns import number
from ganfill.report.labels import SIZE, place, spread

DPI = 200
PANEL = (4.7, 3.7)  # inches
INK, SOFT, GRID, PAPER = "#23262b", "#656a73", "#e9e7e2", "#ffffff"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b5539c", "#56a5d8", "#c98a00", "#4d4d4d")  # after Okabe and Ito
MARKERS = "osD^vPX<>"
BINS = 8


def quality_against_time(rows: Sequence[Mapping[str, object]]) -> bytes:
    """One panel for each kind of hole: hole PSNR of each search, with its interval, against seconds a picture.

    Args:
        rows: with ``search``, ``mask``, ``psnr`` in dB, ``psnr_low`` and ``psnr_high`` if known, and ``seconds``.
            Rows without a PSNR are left out; a search that takes no time, or whose time is not known, is a line.
    """
    measured = [row for row in rows if number(row.get("psnr")) is not None]
    looks = _looks(str(row["search"]) for row in rows)
    masks = list(dict.fromkeys(str(row["mask"]) for row in rows))
    figure, panels = _paper(max(1, len(masks)))
    times = [time for row in measured if (time := _seconds(row))]
    for axes, mask in zip(panels, masks, strict=False):
        axes.set_title(mask, loc="left", fontsize=10, fontweight="bold", color=INK)
        axes.set_xlabel("time for a picture")
        axes.set_ylabel("PSNR of the hole, dB")
        _time_axis(axes, times)
        _searches(axes, [row for row in measured if str(row["mask"]) == mask], looks)
    return _png(figure)


def quality_against_share(points: Mapping[str, Sequence[tuple[float, float]]]) -> bytes:
    """Hole PSNR against how much of the picture is missing: every picture pale, and each search's means as a line.

    Args:
        points: by search, the (share of the picture that is missing, 0 to 1; PSNR in dB) of each picture.
            What is not finite is left out.
    """
    looks = _looks(points)
    figure, (axes,) = _paper(1, (1.7, 1.25))
    axes.set_xlabel("missing share of the picture")
    axes.set_ylabel("PSNR of the hole, dB")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    finite = {
        name: np.array([point for point in its if np.isfinite(point).all()], float) for name, its in points.items()
    }
    finite = {name: its for name, its in finite.items() if len(its)}
    if not finite:
        _nothing(axes)
        return _png(figure)
    shares = np.concatenate([its[:, 0] for its in finite.values()])
    edges = np.linspace(shares.min(), shares.max(), BINS + 1)
    ends = {}
    for name, its in finite.items():
        colour, marker = looks[name]
        means = binned(its, edges)
        axes.scatter(*its.T, s=7, color=colour, alpha=float(np.clip(40 / len(its), 0.05, 0.3)), linewidths=0)
        axes.plot(*means.T, color=colour, marker=marker, markersize=5, markeredgecolor=PAPER, linewidth=1.6, zorder=4)
        ends[name] = means[-1]
    _end_labels(axes, ends, {name: looks[name][0] for name in ends})
    return _png(figure)


def binned(points: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The mean point (M, 2) of each bin that holds any of the points (N, 2), by their first coordinate."""
    bins = np.clip(np.searchsorted(edges, points[:, 0], side="right"), 1, len(edges) - 1)
    return np.array([points[bins == index].mean(0) for index in np.unique(bins)])


def plain_time(seconds: float) -> str:
    """A time in the unit that suits it, with up to three significant digits: "20 ms", "1.5 s", "2,000 s"."""
    for size, unit in ((1e-6, "µs"), (1e-3, "ms")):
        if seconds < 999.5 * size:
            return f"{float(f'{seconds / size:.3g}'):g} {unit}"
    return f"{float(f'{seconds:.3g}'):,.10g} s"


def _searches(axes: Axes, rows: Sequence[Mapping[str, object]], looks: Mapping[str, tuple[str, str]]) -> None:
    """Draws and names the searches of one kind of hole."""
    if not rows:
        _nothing(axes)
        return
    points, names, bars, levels = [], [], [], {}
    for row in rows:
        name, height, time = str(row["search"]), number(row["psnr"]), _seconds(row)
        assert height is not None
        if not time:
            levels[name] = height
            continue
        colour, marker = looks[name]
        low, high = number(row.get("psnr_low")), number(row.get("psnr_high"))
        if low is not None and high is not None:
            axes.plot([time, time], [low, high], color=colour, linewidth=1.4, alpha=0.6, solid_capstyle="butt")
            bars.append((time, low, high))
        axes.plot([time], [height], marker, color=colour, markersize=7, markeredgecolor=PAPER, zorder=4)
        points.append((time, height))
        names.append(name)
    axes.margins(y=0.12)
    for height in levels.values():
        axes.axhline(height, color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    _figure(axes).draw_without_rendering()
    taken = [_bar(axes, *bar) for bar in bars] + _level_labels(axes, levels)
    place(axes, points, names, taken, INK)


def _level_labels(axes: Axes, levels: Mapping[str, float]) -> list[Bbox]:
    """Names the lines at the right, and returns where the names stand."""
    if not levels:
        return []
    low, high = axes.get_ylim()
    gap = (high - low) * SIZE * 1.5 / (axes.get_window_extent().height * 72 / DPI)
    boxes = []
    for name, height in zip(levels, spread(list(levels.values()), gap), strict=True):
        text = axes.text(0.99, height, name, transform=axes.get_yaxis_transform(), fontsize=SIZE, color=SOFT)
        text.set(horizontalalignment="right", verticalalignment="bottom")
        boxes.append(text.get_window_extent())
    return boxes


def _end_labels(axes: Axes, ends: Mapping[str, np.ndarray], colours: Mapping[str, str]) -> None:
    """Names lines where they end, right of the plot, each in its colour."""
    low, high = axes.get_ylim()
    gap = (high - low) * SIZE * 1.6 / (PANEL[1] * 1.25 * 72 * 0.8)
    right = axes.get_xlim()[1]
    heights = spread([end[1] for end in ends.values()], gap)
    for (name, end), height in zip(ends.items(), heights, strict=True):
        axes.annotate(
            name,
            (end[0], end[1]),
            (right, height),
            fontsize=SIZE + 1,
            color=colours[name],
            verticalalignment="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colours[name], "linewidth": 0.6, "alpha": 0.6, "shrinkB": 4},
        )


def _bar(axes: Axes, time: float, low: float, high: float) -> Bbox:
    (x, bottom), (_, top) = axes.transData.transform([(time, low), (time, high)])
    return Bbox.from_extents(x - 3, bottom, x + 3, top)


def _time_axis(axes: Axes, times: Sequence[float]) -> None:
    """A logarithmic axis for all times, with room at its right for names."""
    low, high = (math.log10(bound(times)) for bound in (min, max)) if times else (-1, 1)
    margin = 0.08 * max(1, high - low)
    axes.set_xscale("log")
    axes.set_xlim(10 ** (low - margin), 10 ** (high + 2 * margin))
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if high - low > 2 else (1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: plain_time(seconds)))


def _seconds(row: Mapping[str, object]) -> float:
    """A row's seconds, 0 if it has none."""
    return max(0.0, number(row.get("seconds")) or 0.0)


def _looks(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each name; 63 differ."""
    order = enumerate(dict.fromkeys(names))
    return {name: (COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]) for index, name in order}


def _paper(count: int, stretch: tuple[float, float] = (1, 1)) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels, two in a row."""
    columns = min(2, count)
    rows = -(-count // columns)
    stretch = (1.4, 1.25) if count == 1 and stretch == (1, 1) else stretch
    size = (columns * PANEL[0] * stretch[0], rows * PANEL[1] * stretch[1])
    figure = Figure(size, DPI, facecolor=PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False).flat
    panels = list(grid)
    for unused in panels[count:]:
        unused.remove()
    for axes in panels[:count]:
        axes.grid(color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["bottom", "left"]].set_color(GRID)
        axes.tick_params(labelsize=8, labelcolor=SOFT, color=GRID)
        axes.xaxis.label.set(fontsize=9, color=SOFT)
        axes.yaxis.label.set(fontsize=9, color=SOFT)
        axes.yaxis.set_major_locator(MaxNLocator(6))
    return figure, panels[:count]


def _nothing(axes: Axes) -> None:
    axes.text(0.5, 0.5, "nothing measured", transform=axes.transAxes, ha="center", va="center", color=SOFT, fontsize=9)


def _figure(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
