"""Rows of a leaderboard: results of the runs of a sweep, means over seeds, order."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganfill.errors import UserError
from ganfill.metrics.collapse import MIN_DIVERSITY
from ganfill.report.table_format import number
from ganfill.runs.config_diff import differences, without_seed
from ganfill.runs.reader import Curve, RunRecord

DISTANCES = ("fd_", "kd_")
TIMES = ("seconds", "images_per_second")  # another execution of the same runs would not repeat them
SEED = "seed"

Row = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A row of a leaderboard.

    Args:
        label: its settings in one line, such as "model=dcgan, loss=Hinge"; the run's name if there are none.
        settings: by short name.
        runs: summarized by the row, several if they differ in the seed alone.
        labels: one for each run.
        row: rank, settings, n, figures (with ``X_sd`` beside the mean ``X``), times, state and names of runs.
        collapsed: whether a run's diversity is too low for its distances to mean anything, see ``is_collapsed``.
    """

    label: str
    settings: dict[str, Any]
    runs: tuple[RunRecord, ...]
    labels: tuple[str, ...]
    row: Row
    collapsed: bool


def rank(runs: Sequence[RunRecord], by: str | None, seeds_together: bool) -> tuple[list[Entry], str | None]:
    """Ranks runs by a figure, the smallest value first.

    Rows without the figure come last, sorted by label, and before them those with a collapsed run.

    Args:
        runs: of a sweep, at least one.
        by: the figure; None: the best value of the first Frechet distance.
        seeds_together: one row for runs that differ in the seed alone, with means and standard deviations of those that
            are finished, or of all if none is.

    Returns:
        The rows, and the name of the figure, or None if nothing was measured.

    Raises:
        UserError: there is no such figure.
    """
    settings = differences([run.config for run in runs])
    groups: dict[object, list[int]] = {}
    for index, run in enumerate(runs):
        groups.setdefault(_group(run, runs[:index]) if seeds_together else index, []).append(index)
    several = any(len(indices) > 1 for indices in groups.values())
    entries = []
    for indices in groups.values():
        members, shared = [runs[index] for index in indices], settings[indices[0]]
        shared = {key: value for key, value in shared.items() if key != SEED or not seeds_together or not several}
        labels = tuple(_label(settings[index], runs[index].name) for index in indices)
        names = {"state": _state(members, labels), "runs": "; ".join(run.name for run in members)}
        collapsed = any(map(is_collapsed, _counted(members)))
        row = _row(members, several) | names
        entries.append(Entry(_label(shared, members[0].name), shared, tuple(members), labels, row, collapsed))
    by = _figure(by, [entry.row for entry in entries])
    entries.sort(key=lambda entry: _order(entry, by))
    for position, entry in enumerate(entries, start=1):
        has_value = by is not None and number(entry.row.get(by)) is not None
        entry.row.update({"rank": position if has_value else None, **entry.settings})
    return entries, by


def is_collapsed(run: RunRecord) -> bool:
    """Returns whether the last measured diversity is below ``MIN_DIVERSITY``: pictures nearly alike, or still noise."""
    diversity = _last(run.distances, "diversity")
    return diversity is not None and diversity < MIN_DIVERSITY


def measured(run: RunRecord) -> Row:
    """Returns kimg, parameters, best and last value of each distance, and the last diversity."""
    row: Row = {"kimg": run.kimg}
    row |= {name: value for name, value in run.figures.items() if name.startswith("parameters") and number(value)}
    for name, values in run.distances.items():
        known = np.isfinite(values)
        if not name.startswith(DISTANCES) or not known.any():
            continue
        best = int(np.nanargmin(np.where(known, values, np.nan)))
        row |= {f"{name}_best": float(values[best]), f"{name}_best_at": float(run.distances["kimg"][best])}
        row[f"{name}_last"] = float(values[known][-1])
    if (diversity := _last(run.distances, "diversity")) is not None:
        row["diversity"] = diversity
    return row


def times(run: RunRecord) -> Row:
    """Returns seconds of training, and the median of images per second."""
    speeds = run.metrics.get("images_per_second", np.empty(0))
    speeds = speeds[np.isfinite(speeds)]
    return {
        "seconds": _last(run.metrics, "seconds"),
        "images_per_second": float(np.median(speeds)) if len(speeds) else None,
    }


def columns(entries: Sequence[Entry]) -> list[str]:
    """Returns all columns of the rows: rank, settings, n, figures, times, state, runs."""
    settings = dict.fromkeys(name for entry in entries for name in entry.settings)
    names = dict.fromkeys(name for entry in entries for name in entry.row)
    others = ("rank", "n", "state", "runs", *settings, *TIMES)
    means = sorted((name for name in names if name not in others and not name.endswith("_sd")), key=_position)
    figures = [name for mean in means for name in (mean, f"{mean}_sd") if name in names]
    return ["rank", *settings, *(["n"] if "n" in names else []), *figures, *TIMES, "state", "runs"]


def _counted(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Returns the runs that a row's means are taken over: those that are finished, or all if none is."""
    return [run for run in runs if run.finished] or list(runs)


def _state(runs: Sequence[RunRecord], labels: Sequence[str]) -> str:
    """Describes how far the runs of a row are, and which of them are unfinished or collapsed."""
    seeds = [f"{label.rpartition(', ')[2]} " if len(runs) > 1 else "" for label in labels]
    late = [f"{seed}{run.state}" for seed, run in zip(seeds, runs, strict=True) if not run.finished]
    collapsed = [
        f"{seed}collapsed or undertrained: diversity {_last(run.distances, 'diversity'):.2g} is below {MIN_DIVERSITY:g}"
        for seed, run in zip(seeds, runs, strict=True)
        if is_collapsed(run)
    ]
    if len(runs) > 1 and late:
        late.insert(0, f"{len(runs) - len(late)} of {len(runs)} finished")
    return "; ".join([*(late or ["finished"]), *collapsed])


def _group(run: RunRecord, previous: Sequence[RunRecord]) -> object:
    """Returns a key that is equal for runs that differ in the seed alone; runs with equal seeds have different keys."""
    if run.config is None:
        return run.name
    text = without_seed(run.config)
    alike = [other for other in previous if other.config is not None and without_seed(other.config) == text]
    return text, sum(other.config is not None and other.config.get(SEED) == run.config.get(SEED) for other in alike)


def _label(settings: Mapping[str, Any], name: str) -> str:
    words = {key: f"{value:g}" if isinstance(value, float) else value for key, value in settings.items()}
    return ", ".join(f"{key}={word}" for key, word in words.items()) or name


def _row(runs: Sequence[RunRecord], several: bool) -> Row:
    """Returns means of the runs' figures, with standard deviations of those that vary with the seed."""
    counted = _counted(runs)
    figures = [measured(run) for run in counted]
    row: Row = {"n": sum(run.kimg is not None for run in counted)} if several else {}
    for name in dict.fromkeys(name for of_run in figures for name in of_run):
        values = [of_run[name] for of_run in figures if number(of_run.get(name)) is not None]
        row[name] = _mean(values)
        if len(values) > 1 and name.endswith(("_best", "_last", "diversity")):
            row[f"{name}_sd"] = float(np.std(values, ddof=1))
    taken = [times(run) for run in counted]
    row |= {name: _mean([of_run[name] for of_run in taken if of_run[name] is not None]) for name in TIMES}
    return row


def _position(column: str) -> int:
    """Sort key of figures: quality first, then cost."""
    order = (*DISTANCES, "diversity", "kimg", "parameters")
    return next(position for position, prefix in enumerate(order) if column.startswith(prefix))


def _mean(values: Sequence[float]) -> float | None:
    if len(set(values)) == 1:
        return values[0]  # a count stays an int
    return math.fsum(values) / len(values) if values else None


def _last(curve: Curve, name: str) -> float | None:
    known = [value for value in curve.get(name, ()) if math.isfinite(value)]
    return float(known[-1]) if known else None


def _figure(by: str | None, rows: Sequence[Row]) -> str | None:
    """Returns the figure to rank by."""
    known = list(dict.fromkeys(name for row in rows for name in row if number(row[name]) is not None))
    known = [name for name in known if name not in (*TIMES, "n") and not name.endswith("_sd")]
    by = f"{by}_best" if f"{by}_best" in known else by
    if by is None:
        return next((name for name in known if name.startswith("fd_") and name.endswith("_best")), None)
    if by not in known:
        raise UserError(
            f"by={by} is not a figure of these trainings: choose from {', '.join(known) or 'none, they are empty'}"
        )
    return by


def _order(entry: Entry, by: str | None) -> tuple[bool, bool, float, str, str]:
    value = None if by is None else number(entry.row.get(by))
    return value is None, entry.collapsed, value or 0.0, entry.label, entry.runs[0].name
