"""Paper, colours and marks that all plots share.

Plots are the bytes of PNG files, on paper of their own, so that they can be read on a light and on a dark page. Nothing
here touches pyplot or its settings: figures are drawn on Agg canvases of their own.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

DPI = 200
PANEL = (4.7, 3.7)  # inches, two in a row
SINGLE = (7.2, 4.6)
INK, SOFT, GRID, PAPER = "#23262b", "#656a73", "#e9e7e2", "#ffffff"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b5539c", "#4ba3d9", "#c98a00", "#4d4d4d")  # after Okabe and Ito
MARKERS = "osD^vPX<>"
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))


@dataclass(frozen=True)
class LineStyle:
    """How one of many is drawn; sixty-three differ in more than the colour."""

    colour: str
    marker: str
    dashes: str | tuple[float, tuple[float, ...]]


def choose_looks(names: Iterable[str]) -> dict[str, LineStyle]:
    """A look for each name, in the order in which they first come."""
    looks = {}
    for index, name in enumerate(dict.fromkeys(names)):
        dashes = DASHES[index // len(COLOURS) % len(DASHES)]
        looks[name] = LineStyle(COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)], dashes)
    return looks


def paper(count: int) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels: two in a row, or a single larger one."""
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


def settle(figure: Figure) -> None:
    """Gives the panels their final places, so that pixels can be told."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def nothing(axes: Axes) -> None:
    """Says in a panel that there is nothing to be seen."""
    axes.text(0.5, 0.5, "nothing measured", transform=axes.transAxes, ha="center", va="center", color=SOFT, fontsize=9)


def png(figure: Figure) -> bytes:
    """The finished figure as the bytes of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
