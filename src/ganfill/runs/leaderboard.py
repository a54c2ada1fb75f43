"""The files of a leaderboard: tables, curves, what every cell draws, and one page that holds them all."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ganfill.files import write_atomically
from ganfill.images.sheets import captioned, read, save
from ganfill.report import table_files
from ganfill.report.html import Figure, Table, render
from ganfill.report.png_curves import Line, curves
from ganfill.report.table_format import heading, number
from ganfill.runs.ranking import DISTANCES, TIMES, Entry, columns, measured, rank
from ganfill.runs.reader import RunRecord

SAMPLES = 16  # pictures of each cell
SIDE = 64
EDGE = 2  # pixels around each picture of a sample grid
A_ROW = 8  # pictures of a sample grid
SMOOTH = 0.05
EXPLANATIONS = (
    "FD and KD are Fréchet and kernel distances from training pictures in a feature network of that name: the lowest "
    "in the course of the training, when that was, and the last. They depend on the number of pictures.",
    "Losses of different kinds cannot be compared. Times are those of the machines that the cells were trained on.",
)
SEEDS = "Cells that differ in the seed alone are one row: means over those that are finished, with standard deviations."


def write(out: Path, name: str, cells: Sequence[RunRecord], entries: Sequence[Entry], by: str | None) -> list[str]:
    """Writes ``leaderboard.csv``, ``_speed.csv``, ``.md``, ``.html``, ``_distances.png``, ``_losses.png``, ``_samples.png``.

    The same cells give the same ``leaderboard.csv``, whenever and wherever they were trained; ``leaderboard_speed.csv``
    has what differs.

    Args:
        out: the directory.
        name: of the sweep.
        cells: all of it.
        entries: as ``rank`` orders them.
        by: the figure they are ranked by, or None.

    Returns:
        A line about each file that is damaged.
    """
    out.mkdir(parents=True, exist_ok=True)
    every, settings = columns(entries), list(dict.fromkeys(key for entry in entries for key in entry.settings))
    _write_csv(out / "leaderboard.csv", entries, [column for column in every if column not in TIMES])
    _write_csv(out / "leaderboard_speed.csv", entries, ["rank", *settings, *TIMES, "cells"])
    problems = [problem for cell in cells for problem in cell.problems]
    figures = [*_curves(out, entries), _samples(out, entries, by, problems)]

    tables, together = [_table("Ranked" if by else "By name", entries)], any(len(entry.cells) > 1 for entry in entries)
    if together:
        tables.append(_table("Every cell", rank(cells, by, seeds_together=False)[0]))
    finished = f"{sum(cell.finished for cell in cells)} of {len(cells)} cells are finished"
    judged = f"ranked by {by}" if by else "nothing that ranks them was measured"
    facts = {"sweep": name, "cells": finished, "order": judged}
    notes = [*problems, *([SEEDS] if together else []), *EXPLANATIONS]
    title = f"Leaderboard of {name}"
    page = render("leaderboard.html", title=title, facts=facts, tables=tables, figures=figures, notes=notes)
    _write(out / "leaderboard.html", page)
    parts = [f"# {title}", f"{finished}, {judged}."]
    for its in tables:
        shown = [column for column in its.columns if not column.endswith("_sd")]
        parts += [f"## {its.caption}", table_files.markdown(its.rows, shown).rstrip()]
    _write(out / "leaderboard.md", "\n\n".join([*parts, "\n".join(f"- {note}" for note in notes)]) + "\n")
    return problems


def samples(cell: RunRecord, problems: list[str]) -> list[np.ndarray]:
    """The first pictures, uint8 (R, R, 3), of a cell's last grid of the averaged generator.

    There are none without a grid, or where it is damaged, about which ``problems`` gets a line.
    """
    grids = sorted((cell.directory / "samples").glob("kimg*_ema.png"))
    if not grids:
        return []
    told = f"{cell.name}/samples/{grids[-1].name}"
    image = read(grids[-1], told, problems)
    if image is None:
        return []
    grid = np.asarray(image)
    height, width, _ = grid.shape
    side = (cell.config or {}).get("resolution", (width - EDGE) // A_ROW - EDGE)
    if not isinstance(side, int) or side < 1 or (width - EDGE) % (side + EDGE) or (height - EDGE) % (side + EDGE):
        problems.append(f"{told} is no grid of pictures of {side} pixels: it is left out")
        return []
    corners = [(y, x) for y in range(EDGE, height, side + EDGE) for x in range(EDGE, width, side + EDGE)]
    return [grid[y : y + side, x : x + side] for y, x in corners[:SAMPLES]]


def _table(caption: str, entries: Sequence[Entry]) -> Table:
    """The rows for people, with the cells' names only where settings do not tell them apart."""
    settings = list(dict.fromkeys(key for entry in entries for key in entry.settings))
    labels = [entry.label for entry in entries if entry.settings]
    shown = columns(entries)
    if len(set(labels)) == len(entries):
        shown.remove("cells")
    shown = [name for name in shown if name == "rank" or any(entry.row.get(name) is not None for entry in entries)]
    return Table(caption, shown, [entry.row for entry in entries], settings)


def _curves(out: Path, entries: Sequence[Entry]) -> list[Figure]:
    """The distances and the losses of all cells, as far as there are any; also written as files."""
    cells = [(entry.label, cell) for entry in entries for cell in entry.cells]
    distances = dict.fromkeys(name for _, cell in cells for name in cell.distances)
    losses = dict.fromkeys(name for _, cell in cells for name in cell.metrics if name.startswith("loss"))
    plots = (
        ("distances", "Distances in the course of the training", [Line(name, cell.distances) for name, cell in cells],
         [name for name in distances if name.startswith((*DISTANCES, "diversity"))], 0),
        ("losses", "Losses, each the mean of its neighbourhood", [Line(name, cell.metrics) for name, cell in cells],
         list(losses), SMOOTH),
    )  # fmt: skip
    figures = []
    for name, caption, lines, shown, window in plots:
        path = out / f"leaderboard_{name}.png"
        path.unlink(missing_ok=True)
        if shown:
            png = curves(lines, shown, window)
            _write(path, png)
            figures.append(Figure(caption, png))
    return figures


def _samples(out: Path, entries: Sequence[Entry], by: str | None, problems: list[str]) -> Figure:
    """A row of samples for each cell, in the order of the table; also written as a file."""
    rows = [
        (_caption(entry, cell, label, by), samples(cell, problems))
        for entry in entries
        for cell, label in zip(entry.cells, entry.labels, strict=True)
    ]
    path = out / "leaderboard_samples.png"
    save(captioned(rows, SIDE), path)
    return Figure("What the averaged generator of every cell draws, as it comes", path.read_bytes())


def _caption(entry: Entry, cell: RunRecord, label: str, by: str | None) -> str:
    """Rank, settings, the cell's own figure of those that rank the rows, and what is wrong."""
    value = number(measured(cell).get(by)) if by else None
    place = "" if entry.row["rank"] is None else f"{entry.row['rank']}. "
    told = "" if value is None or by is None else f"   {heading(by).label} {value:.4g}"
    return f"{place}{label}{told}" + ("" if cell.finished else f"   {cell.state}")


def _write_csv(path: Path, entries: Sequence[Entry], names: Sequence[str]) -> None:
    table_files.write_csv(path, [entry.row for entry in entries], names)


def _write(path: Path, content: str | bytes) -> None:
    write_atomically(path, content)
