"""Canvas, colours, scales and file formats that all plots share.

Figures have canvases of their own, and pyplot and its settings are left alone. PNG files have a white background and can be
shown on light and dark pages; SVG drawings take the colours of the page.
"""

import io
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, SymmetricalLogLocator

DPI = 200  # of PNG files
PANEL = (4.7, 3.7)  # inches, two in a row
SINGLE = (7.2, 4.6)
INK, SOFT, GRID, PAPER = "#23262b", "#656a73", "#e9e7e2", "#ffffff"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b5539c", "#4ba3d9", "#c98a00", "#4d4d4d")  # after Okabe and Ito
MARKERS = "osD^vPX<>"
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))
HUES = COLOURS[:6]  # those that templates/colours.css defines as --hue0 to --hue5
VARIABLES = {SOFT: "soft", GRID: "line", **{colour: f"hue{index}" for index, colour in enumerate(HUES)}}
LEGEND_LETTERS = 110  # in a row of a legend
LEGEND_ROW = 0.19  # inches
LOG_FACTOR = 5  # values that span more than this factor get a logarithmic axis


@dataclass(frozen=True)
class LineStyle:
    """Colour, marker and dashes of one series."""

    colour: str
    marker: str
    dashes: str | tuple[float, tuple[float, ...]]


def line_styles(names: Iterable[str]) -> dict[str, LineStyle]:
    """Assigns a style to each name, in order of first appearance; 63 styles are distinct."""
    styles = {}
    for index, name in enumerate(dict.fromkeys(names)):
        dashes = DASHES[index // len(COLOURS) % len(DASHES)]
        styles[name] = LineStyle(COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)], dashes)
    return styles


def subplots(count: int) -> tuple[Figure, list[Axes]]:
    """Returns a figure with ``count`` panels: two in a row, or a single larger one."""
    columns, rows = min(2, count), -(-count // 2)
    size = SINGLE if count == 1 else (columns * PANEL[0], rows * PANEL[1])
    figure = Figure(size, DPI, facecolor=PAPER, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    FigureCanvasAgg(figure)
    panels = [figure.add_subplot(rows, columns, index + 1) for index in range(count)]
    for axes in panels:
        axes.grid(color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["bottom", "left"]].set_color(GRID)
        axes.tick_params(labelsize=8, labelcolor=SOFT, color=GRID)
        axes.xaxis.label.set(fontsize=9, color=SOFT)
        axes.yaxis.label.set(fontsize=9, color=SOFT)
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    return figure, panels


def set_title(axes: Axes, title: str) -> None:
    """Writes a bold title above the left edge of a panel."""
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold", color=INK)


def note_empty(axes: Axes) -> None:
    """Writes into a panel that there is no data for it."""
    axes.text(0.5, 0.5, "nothing measured", transform=axes.transAxes, ha="center", va="center", color=SOFT, fontsize=9)


def add_legend(figure: Figure, handles: dict[str, Line2D]) -> None:
    """Adds a legend below the panels and makes the figure higher by its height."""
    columns = max(1, min(4, LEGEND_LETTERS // (8 + max(map(len, handles), default=0))))
    figure.set_figheight(figure.get_figheight() + LEGEND_ROW * -(-len(handles) // columns))
    lines, names = list(handles.values()), list(handles)
    style = {"fontsize": 8, "frameon": False, "labelcolor": SOFT}
    figure.legend(lines, names, loc="outside lower left", ncols=columns, **style)


def scale_y(axes: Axes, values: np.ndarray) -> None:
    """Makes the y axis logarithmic if the values span many magnitudes, symmetric around zero if they have both signs."""
    sizes = np.abs(values)
    if values.min() > 0 and values.max() > LOG_FACTOR * values.min():
        axes.set_yscale("log")
        decades = np.log10(values.max() / values.min())
        axes.yaxis.set_major_locator(LogLocator(subs=(1,) if decades > 2.5 else (1, 2, 5)))
    elif values.min() <= 0 and sizes.max() > LOG_FACTOR**2 * (middle := float(np.median(sizes))) > 0:
        linear = 10 ** math.ceil(math.log10(middle))  # most values lie in the linear part
        axes.set_yscale("symlog", linthresh=linear)
        axes.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=linear))
    else:
        return
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(plain_numbers())


def plain_numbers() -> FuncFormatter:
    """Formats tick labels without a common offset or factor."""
    return FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−"))


def png(figure: Figure) -> bytes:
    """Encodes a figure as a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def svg(figure: Figure, salt: str) -> Markup:
    """Returns the content of the figure's ``<svg>`` element, to be placed in a page.

    Colours become the page's CSS variables, so that light and dark pages are both served. Equal figures and salts give
    equal text.

    Args:
        figure: drawn in ``SOFT``, ``GRID`` and ``HUES`` alone.
        salt: makes the ids of one drawing differ from those of others on the page.
    """
    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(
            file, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
        )
    content = re.sub(r"\A.*?<svg[^>]*>|<defs>\s*<style.*?</defs>|</svg>\s*$", "", file.getvalue(), flags=re.DOTALL)
    # Names of groups, the same in every drawing; clipping, which nothing needs; fonts in place of the page's.
    unwanted = r' id="[\w.]+_\d+"| clip-path="[^"]+"|<defs>\s*<clipPath.*?</defs>| font-family: [^;]+;'
    content = re.sub(unwanted, "", content, flags=re.DOTALL)
    return Markup(re.sub("|".join(VARIABLES), lambda match: f"var(--{VARIABLES[match[0]]})", content))
