"""Files of a leaderboard: tables, curves, samples of every run, and a page that holds them all."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ganfill.files import write_atomically
from ganfill.images.sheets import captioned, read, save
from ganfill.metrics.collapse import MIN_DIVERSITY
from ganfill.metrics.feature_names import describe
from ganfill.report import table_files
from ganfill.report.html import Figure, Table, render
from ganfill.report.plots import RunCurve, share_bars, sweep_curves
from ganfill.report.table_format import heading, number
from ganfill.runs.ranking import DISTANCES, TIMES, Entry, columns, is_collapsed, measured, rank
from ganfill.runs.reader import RunRecord, read_mapping

IMPORTANCE = "importance.json"  # in the directory of a sweep by Optuna: shares of its keys, which add up to 1
SAMPLES = 16  # pictures of each run
SIDE = 64
EDGE = 2  # pixels around each picture of a sample grid
A_ROW = 8  # pictures of a sample grid
SMOOTH = 0.05
EXPLANATIONS = (
    "FD and KD are Frechet and kernel distances from training pictures in a feature space: the lowest value during the "
    "training, the kimg where it was reached, and the last value. They depend on the number of pictures.",
    "Losses of different kinds cannot be compared. Times are those of the machines that the runs were trained on.",
)
SEEDS = "Runs that differ in the seed alone are one row: means over those that are finished, with standard deviations."
COLLAPSED = (
    f"Collapsed or undertrained: the last pictures vary less than {MIN_DIVERSITY:g} times as much as real ones (column "
    "diversity). Such runs are ranked last and never marked as best, whatever their distances: a generator that draws one "
    "grey picture can be closer to the mean of the data than one that draws faces."
)


def write(out: Path, name: str, runs: Sequence[RunRecord], entries: Sequence[Entry], by: str | None) -> list[str]:
    """Writes ``leaderboard.csv``, ``_speed.csv``, ``.md``, ``.html``, ``_distances.png``, ``_losses.png``, ``_samples.png``.

    The same trainings give the same ``leaderboard.csv`` on any machine; what depends on the machine is in
    ``leaderboard_speed.csv``. A sweep by Optuna also gets ``leaderboard_importance.png``.

    Args:
        out: the directory.
        name: of the sweep.
        runs: all of its runs.
        entries: as ``rank`` orders them.
        by: the figure they are ranked by, or None.

    Returns:
        A line about each damaged file.
    """
    out.mkdir(parents=True, exist_ok=True)
    every, settings = columns(entries), list(dict.fromkeys(key for entry in entries for key in entry.settings))
    rows = [entry.row for entry in entries]
    table_files.write_csv(out / "leaderboard.csv", rows, [column for column in every if column not in TIMES])
    table_files.write_csv(out / "leaderboard_speed.csv", rows, ["rank", *settings, *TIMES, "runs"])
    problems = [problem for run in runs for problem in run.problems]
    figures = [*_curves(out, entries), *_importance(out, runs, problems), _samples(out, entries, by, problems)]

    tables = [_table("Ranked" if by else "By name", entries, by)]
    if grouped := any(len(entry.runs) > 1 for entry in entries):
        tables.append(_table("Every run", rank(runs, by, seeds_together=False)[0], by))
    finished = f"{sum(run.finished for run in runs)} of {len(runs)} runs are finished"
    if pruned := sum(run.pruned for run in runs):
        finished += f", {pruned} pruned"
    order = _order(by)
    facts = {"sweep": name, "runs": finished, "order": order}
    notes = [*problems, *([COLLAPSED] if any(map(is_collapsed, runs)) else []), *([SEEDS] if grouped else [])]
    distances = dict.fromkeys(column for run in runs for column in run.distances)
    features = [f"{heading(name).label}: {text}." for name in distances if (text := describe(name))]
    notes += [*EXPLANATIONS, *features]
    title = f"Leaderboard of {name}"
    page = render("leaderboard.html", title=title, facts=facts, tables=tables, figures=figures, notes=notes)
    write_atomically(out / "leaderboard.html", page)
    parts = [f"# {title}", f"{finished}, {order}."]
    for table in tables:
        shown = [column for column in table.columns if not column.endswith("_sd")]
        parts += [f"## {table.caption}", table_files.markdown(table.rows, shown).rstrip()]
    parts += ["## Notes", "\n".join(f"- {note}" for note in notes)]
    write_atomically(out / "leaderboard.md", "\n\n".join(parts) + "\n")
    return problems


def samples(run: RunRecord, problems: list[str]) -> list[np.ndarray]:
    """Returns the first pictures, uint8 (R, R, 3), of a run's last sample grid of the averaged generator.

    The list is empty without a grid, or if it is damaged, which is reported in ``problems``.
    """
    grids = sorted((run.directory / "samples").glob("kimg*_ema.png"))
    if not grids:
        return []
    name = f"{run.name}/samples/{grids[-1].name}"
    image = read(grids[-1], name, problems)
    if image is None:
        return []
    grid = np.asarray(image)
    height, width, _ = grid.shape
    side = (run.config or {}).get("resolution", (width - EDGE) // A_ROW - EDGE)
    if not isinstance(side, int) or side < 1 or (width - EDGE) % (side + EDGE) or (height - EDGE) % (side + EDGE):
        problems.append(f"{name} is not a grid of pictures of {side} pixels: it is left out")
        return []
    corners = [(y, x) for y in range(EDGE, height, side + EDGE) for x in range(EDGE, width, side + EDGE)]
    return [grid[y : y + side, x : x + side] for y, x in corners[:SAMPLES]]


def _order(by: str | None) -> str:
    """Describes the order of the rows."""
    if by is None:
        return "not ranked: no distances were measured"
    features = describe(by)
    return f"ranked by {by}" + (f" ({features})" if features else "")


def _table(caption: str, entries: Sequence[Entry], by: str | None) -> Table:
    """Returns a table without empty columns, the figure it is ranked by and any problem beside the rank.

    Names of runs are shown only where settings do not distinguish them.
    """
    settings = list(dict.fromkeys(key for entry in entries for key in entry.settings))
    labels = [entry.label for entry in entries if entry.settings]
    shown = columns(entries)
    if len(set(labels)) == len(entries):
        shown.remove("runs")
    shown = [name for name in shown if name == "rank" or any(entry.row.get(name) is not None for entry in entries)]
    collapsed = [index for index, entry in enumerate(entries) if entry.collapsed]
    # What the order follows from is visible without moving a wide table sideways.
    first = [name for name in (by, "state" if collapsed else None) if name in shown]
    shown = ["rank", *first, *(name for name in shown if name not in ("rank", *first))]
    return Table(caption, shown, [entry.row for entry in entries], settings, collapsed)


def _curves(out: Path, entries: Sequence[Entry]) -> list[Figure]:
    """Draws distances and losses of all runs, as far as there are any, and writes them as files."""
    runs = [(entry.label, run) for entry in entries for run in entry.runs]
    distances = dict.fromkeys(name for _, run in runs for name in run.distances)
    losses = dict.fromkeys(name for _, run in runs for name in run.metrics if name.startswith("loss"))
    plots = (
        ("distances", "Distances during the training", [RunCurve(name, run.distances) for name, run in runs],
         [name for name in distances if name.startswith((*DISTANCES, "diversity"))], 0),
        ("losses", "Losses, smoothed", [RunCurve(name, run.metrics) for name, run in runs], list(losses), SMOOTH),
    )  # fmt: skip
    figures = []
    for name, caption, curves, shown, window in plots:
        path = out / f"leaderboard_{name}.png"
        path.unlink(missing_ok=True)
        if shown:
            png = sweep_curves(curves, shown, window)
            write_atomically(path, png)
            figures.append(Figure(caption, png, is_plot=True))
    return figures


def _importance(out: Path, runs: Sequence[RunRecord], problems: list[str]) -> list[Figure]:
    """Draws how much each key matters, as far as sweeps by Optuna have computed it, and writes it as a file."""
    path = out / "leaderboard_importance.png"
    path.unlink(missing_ok=True)
    sweeps = dict.fromkeys(run.directory.parent for run in runs)
    known = [shares for sweep in sweeps if (shares := read_mapping(sweep / IMPORTANCE, problems))]
    if not known:
        return []
    png = share_bars(known[0])
    write_atomically(path, png)
    return [
        Figure("Importance of each key: its share in what tells the best trials from the others", png, is_plot=True)
    ]


def _samples(out: Path, entries: Sequence[Entry], by: str | None, problems: list[str]) -> Figure:
    """Draws a row of samples for each run, in the order of the table, and writes it as a file."""
    rows = [
        (_caption(entry, run, label, by), samples(run, problems))
        for entry in entries
        for run, label in zip(entry.runs, entry.labels, strict=True)
    ]
    path = out / "leaderboard_samples.png"
    save(captioned(rows, SIDE), path)
    return Figure("Samples of every run, from its averaged generator, not selected", path.read_bytes())


def _caption(entry: Entry, run: RunRecord, label: str, by: str | None) -> str:
    """Returns rank, settings, the run's own value of the ranking figure, and its state if that is a problem."""
    value = number(measured(run).get(by)) if by else None
    caption = label if entry.row["rank"] is None else f"{entry.row['rank']}. {label}"
    if value is not None and by is not None:
        caption += f"   {heading(by).label} {value:.4g}"
    return caption + ("" if run.finished else f"   {run.state}") + ("   low diversity" if is_collapsed(run) else "")
