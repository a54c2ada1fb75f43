"""From cells of a sweep to the rows of its leaderboard: what was measured, means over seeds, who comes first."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganfill.errors import UserError
from ganfill.report.table_format import number
from ganfill.runs.config_diff import differences, without_seed
from ganfill.runs.reader import Curve, RunRecord

DISTANCES = ("fd_", "kd_")
TIMES = ("seconds", "images_per_second")  # what another run of the same cells would not repeat
SEED = "seed"

Row = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A row of a leaderboard.

    Args:
        label: its settings in one line, such as "model=dcgan, loss=Hinge"; the cell's name if there are none.
        settings: by their short names.
        cells: that it stands for, several if they differ in the seed alone.
        labels: of each of them.
        row: rank, settings, n, figures (with ``X_sd`` beside the mean ``X``), times, state and the cells' names.
    """

    label: str
    settings: dict[str, Any]
    cells: tuple[RunRecord, ...]
    labels: tuple[str, ...]
    row: Row


def rank(cells: Sequence[RunRecord], by: str | None, seeds_together: bool) -> tuple[list[Entry], str | None]:
    """The rows of a leaderboard, the smallest value of a figure first, and the figure's name.

    Args:
        cells: of a sweep, at least one.
        by: the figure; None for the best value of the first Frechet distance. Rows without it come last, in the order
            of their labels, as all do if nothing was measured.
        seeds_together: one row for cells that differ in the seed alone, with the means and standard deviations of those
            that are finished, or of all while none is.

    Raises:
        UserError: there is no such figure.
    """
    settings = differences([cell.config for cell in cells])
    groups: dict[object, list[int]] = {}
    for index, cell in enumerate(cells):
        groups.setdefault(_group(cell, cells[:index]) if seeds_together else index, []).append(index)
    several = any(len(its) > 1 for its in groups.values())
    entries = []
    for its in groups.values():
        members, kept = [cells[index] for index in its], settings[its[0]]
        own = {key: value for key, value in kept.items() if key != SEED or not seeds_together or not several}
        labels = tuple(_label(settings[index], cells[index].name) for index in its)
        row = _row(members, several) | {
            "state": state(members, labels),
            "cells": "; ".join(cell.name for cell in members),
        }
        entries.append(Entry(_label(own, members[0].name), own, tuple(members), labels, row))
    by = _chosen(by, [entry.row for entry in entries])
    entries.sort(key=lambda entry: _order(entry, by))
    for place, entry in enumerate(entries, start=1):
        known = by is not None and number(entry.row.get(by)) is not None
        entry.row.update({"rank": place if known else None, **entry.settings})
    return entries, by


def measured(cell: RunRecord) -> Row:
    """What was measured of a cell: kimg, parameters, best and last value of each distance, the last diversity."""
    row: Row = {"kimg": cell.kimg}
    row |= {name: value for name, value in cell.figures.items() if name.startswith("parameters") and number(value)}
    for name, values in cell.distances.items():
        known = np.isfinite(values)
        if not name.startswith(DISTANCES) or not known.any():
            continue
        best = int(np.nanargmin(np.where(known, values, np.nan)))
        row |= {f"{name}_best": float(values[best]), f"{name}_best_at": float(cell.distances["kimg"][best])}
        row[f"{name}_last"] = float(values[known][-1])
    if (last := _last(cell.distances, "diversity")) is not None:
        row["diversity"] = last
    return row


def times(cell: RunRecord) -> Row:
    """Seconds of training, and the median of the images per second."""
    speeds = cell.metrics.get("images_per_second", np.empty(0))
    speeds = speeds[np.isfinite(speeds)]
    return {
        "seconds": _last(cell.metrics, "seconds"),
        "images_per_second": float(np.median(speeds)) if len(speeds) else None,
    }


def columns(entries: Sequence[Entry]) -> list[str]:
    """All columns of the rows: rank, settings, n, figures, times, state, cells."""
    settings = dict.fromkeys(name for entry in entries for name in entry.settings)
    names = dict.fromkeys(name for entry in entries for name in entry.row)
    rest = ("rank", "n", "state", "cells", *settings, *TIMES)
    means = sorted((name for name in names if name not in rest and not name.endswith("_sd")), key=_place)
    figures = [name for mean in means for name in (mean, f"{mean}_sd") if name in names]
    return ["rank", *settings, *(["n"] if "n" in names else []), *figures, *TIMES, "state", "cells"]


def state(cells: Sequence[RunRecord], labels: Sequence[str]) -> str:
    """How far the cells of a row are; those that are not finished are named if there are several."""
    if len(cells) == 1:
        return cells[0].state
    pairs = zip(cells, labels, strict=True)
    late = [f"{label.rpartition(', ')[2]} {cell.state}" for cell, label in pairs if not cell.finished]
    return "; ".join([f"{len(cells) - len(late)} of {len(cells)} finished", *late]) if late else "finished"


def _group(cell: RunRecord, before: Sequence[RunRecord]) -> object:
    """What cells that differ in the seed alone share; a cell that repeats another's seed too belongs to another group."""
    if cell.config is None:
        return cell.name
    text = without_seed(cell.config)
    same = [other for other in before if other.config is not None and without_seed(other.config) == text]
    return text, sum(other.config is not None and other.config.get(SEED) == cell.config.get(SEED) for other in same)


def _label(settings: Mapping[str, Any], name: str) -> str:
    return ", ".join(f"{key}={value}" for key, value in settings.items()) or name


def _row(members: Sequence[RunRecord], several: bool) -> Row:
    """The mean of the members' figures, with standard deviations of what the seeds let vary."""
    counted = [cell for cell in members if cell.finished] or list(members)
    found = [measured(cell) for cell in counted]
    row: Row = {"n": sum(cell.kimg is not None for cell in counted)} if several else {}
    for name in dict.fromkeys(name for its in found for name in its):
        values = [its[name] for its in found if number(its.get(name)) is not None]
        row[name] = _mean(values)
        if len(values) > 1 and name.endswith(("_best", "_last", "diversity")):
            row[f"{name}_sd"] = float(np.std(values, ddof=1))
    taken = [times(cell) for cell in counted]
    row |= {name: _mean([its[name] for its in taken if its[name] is not None]) for name in TIMES}
    return row


def _place(column: str) -> int:
    """Where a figure stands, whichever rows lack it: how good it is comes first, then what it took."""
    order = (*DISTANCES, "diversity", "kimg", "parameters")
    return next(place for place, begins in enumerate(order) if column.startswith(begins))


def _mean(values: Sequence[float]) -> float | None:
    if len(set(values)) == 1:
        return values[0]  # a count stays one
    return math.fsum(values) / len(values) if values else None


def _last(curve: Curve, name: str) -> float | None:
    known = [value for value in curve.get(name, ()) if math.isfinite(value)]
    return float(known[-1]) if known else None


def _chosen(by: str | None, rows: Sequence[Row]) -> str | None:
    """The figure to rank by."""
    known = list(dict.fromkeys(name for row in rows for name in row if number(row[name]) is not None))
    known = [name for name in known if name not in (*TIMES, "n") and not name.endswith("_sd")]
    by = f"{by}_best" if f"{by}_best" in known else by
    if by is None:
        return next((name for name in known if name.startswith("fd_") and name.endswith("_best")), None)
    if by not in known:
        raise UserError(
            f"by={by} is no figure of these trainings: choose from {', '.join(known) or 'none, they are empty'}"
        )
    return by


def _order(entry: Entry, by: str | None) -> tuple[bool, float, str, str]:
    value = None if by is None else number(entry.row.get(by))
    return value is None, value or 0.0, entry.label, entry.cells[0].name
