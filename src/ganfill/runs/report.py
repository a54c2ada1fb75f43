"""The report of one training: a page with what it drew, its curves, its settings and its cost, from its run directory.

Nothing is loaded but text files and pictures, so a training that is still running, or was cut off, has its page too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganfill.errors import UserError
from ganfill.files import write_atomically
from ganfill.metrics.collapse import remarks
from ganfill.report.html import Table, render
from ganfill.report.table_format import heading
from ganfill.runs import charts, summary_text
from ganfill.runs.config_diff import leaves
from ganfill.runs.ranking import DISTANCES
from ganfill.runs.reader import Curve, RunRecord, read_cell, read_mapping
from ganfill.runs.timeline import Timeline, open_timeline, pick

TRACES = ("config.yaml", "metrics.csv", "failed.txt", "last.ckpt")  # a training has left one of these
SAMPLES = {"ema": "averaged", "raw": "raw"}
BUDGET = 2_500_000  # bytes of all sheets of a reel; inside the page they are a third more
ROWS = 40  # of the table of distances
LINES = 20  # of a log
WATCHED = ("loss_d", "loss_g", "logit_real", "logit_fake", "gradient_d", "gradient_g")


@dataclass(frozen=True)
class Training:
    """What a run directory holds, as far as it can be read; ``problems`` has a line about each file that cannot."""

    cell: RunRecord
    summary: Mapping[str, Any]
    floor: Mapping[str, Any]
    scores: charts.Scores
    samples: Timeline | None
    completions: Timeline | None
    log: Sequence[str]
    problems: Sequence[str]


def read(run: Path) -> Training:
    """Reads a run directory.

    Raises:
        UserError: it is none, or that of an encoder.
    """
    if not run.is_dir():
        raise UserError(f"run={run} is no directory: give the out directory of a ganfill train")
    if not any((run / name).exists() for name in TRACES):
        raise UserError(
            f"run={run} holds no training: give the out directory of a ganfill train (a sweep's are compared by "
            "ganfill leaderboard)"
        )
    cell = read_cell(run, run)
    if "encoder" in (cell.config or {}):
        raise UserError(f"run={run} holds the training of an encoder: give the out directory of a ganfill train")
    problems = [problem.removeprefix(f"{cell.name}/") for problem in cell.problems]
    summary = read_mapping(run / "summary.json", []) or {}  # what is wrong with it, the cell says
    floor = (read_mapping(run / "distances_floor.json", problems) or {}).get("floor")
    scores = charts.read_scores(run / "completions.csv", problems)
    samples = open_timeline("Samples", run / "samples", SAMPLES, BUDGET, problems)
    completions = open_timeline("Completions", run / "completions", {"": "completed"}, BUDGET, problems)
    log = (run / "train.log").read_text("utf-8", "replace").splitlines() if (run / "train.log").is_file() else []
    log = [line.strip() for line in log if line.strip()]
    floor = floor if isinstance(floor, Mapping) else {}
    return Training(cell, summary, floor, scores, samples, completions, log, problems)


def write(out: Path, training: Training) -> None:
    """Writes the page of a training as one file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, page(training))


def page(training: Training) -> str:
    """The page of a training."""
    cell, samples, completions = training.cell, training.samples, training.completions
    reels = [reel for reel in (samples, completions) if reel]
    moments = reels[0].moments if reels else ()
    ends = [float(curve["kimg"][-1]) for curve in (cell.metrics, cell.distances) if len(curve.get("kimg", ()))]
    end = max([*ends, *(reel.moments[-1] for reel in reels), cell.kimg or 0]) or 1.0
    drawn = [
        *charts.game(cell.metrics, moments, end),
        *charts.distances(cell.distances, training.floor, moments, end),
        *charts.completions(training.scores, moments, end),
    ]
    return render(
        "run.html",
        title=cell.name,
        lead=summary_text.lead(cell, training.summary, training.scores),
        state=summary_text.state(cell),
        trained=summary_text.trained(cell),
        warnings=warnings(training),
        reels=reels,
        charts=drawn,
        tables=[table] if (table := _table(cell.distances, training.floor)) else [],
        cost=summary_text.cost(cell, training.summary),
        environment=summary_text.environment(training.summary),
        settings=list(leaves(cell.config or {})),
        notes=[*training.problems, *_missing(training), *_explained(training)],
    )


def warnings(training: Training) -> list[str]:
    """What went wrong in the training: collapse, values that are not finite, and what its log says."""
    cell = training.cell
    found = remarks(cell.metrics, cell.distances)
    for name in WATCHED:
        values = cell.metrics.get(name, np.zeros(0))
        broken = np.flatnonzero(~np.isfinite(values))
        if len(broken):
            first = cell.metrics["kimg"][broken[0]]
            found.append(f"{name} is not finite in {len(broken)} of {len(values)} rows, first at {first:g} kimg")
    told = [f"train.log: {line}" for line in training.log if line not in found]
    more = [f"train.log has {len(told) - LINES} lines more"] if len(told) > LINES else []
    return [*found, *told[:LINES], *more]


def _missing(training: Training) -> list[str]:
    """What a page could show, and why it does not."""
    cell = training.cell
    lacking = {
        "no samples were drawn, or none can be read (sample_kimg=0 draws none)": training.samples,
        "nothing was measured yet: there is no metrics.csv": len(cell.metrics.get("kimg", ())),
        "no distances were measured yet (fd_kimg says how often, 0 never)": len(cell.distances.get("kimg", ())),
        "no pictures were completed in the course of the training (completion_kimg says how often)": training.completions,
        "versions, commit and the time of the whole command are written when a training ends": training.summary,
    }
    return [f"Not here: {what}." for what, there in lacking.items() if not there]


def _explained(training: Training) -> list[str]:
    """How to read what is there."""
    reels = [f"{reel.title}: {reel.told}." for reel in (training.samples, training.completions) if reel]
    notes = [
        *reels,
        "Curves of single steps are pale, the mean of their surroundings (5 % of the training) is strong. Losses tell who "
        "is ahead, not how good the pictures are.",
    ]
    if len(training.cell.distances.get("kimg", ())):
        notes.append(
            "FD and KD are Fréchet and kernel distances of generated pictures from training pictures in a feature network "
            "of that name; the floor is the distance of two sets of real pictures. They depend on the number of pictures."
        )
    return notes


def _table(curve: Curve, floor: Mapping[str, Any]) -> Table | None:
    """All distances that were measured, or some of them, with their floor; None if there are none."""
    names = [name for name in curve if name.startswith((*DISTANCES, "diversity"))]
    count = len(curve.get("kimg", ()))
    if not names or not count:
        return None
    best = {int(np.nanargmin(curve[name])) for name in names if name in floor and np.isfinite(curve[name]).any()}
    kept = sorted({*pick(count, ROWS), *best})
    rows: list[dict[str, Any]] = [{name: float(curve[name][i]) for name in ("kimg", *names)} for i in kept]
    rows.append({"kimg": "floor", **{name: floor.get(name) for name in names}})
    some = "" if len(kept) == count else f", {len(kept)} of {count} measurements"
    worded = ", ".join(heading(name).label for name in names)
    return Table(f"{worded} of the averaged generator{some}", ["kimg", *names], rows)
