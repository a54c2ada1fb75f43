"""The page of one training, from its run directory: samples, curves, settings, cost.

Only text files and pictures are loaded, so a training that is still running, or was interrupted, has a page too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganfill.errors import UserError
from ganfill.files import write_atomically
from ganfill.metrics.collapse import collapse_warnings
from ganfill.metrics.feature_names import describe
from ganfill.report.html import Table, render
from ganfill.report.table_format import heading
from ganfill.runs import charts, summary_text
from ganfill.runs.config_diff import leaves
from ganfill.runs.ranking import DISTANCES
from ganfill.runs.reader import Curve, RunRecord, read_mapping, read_run
from ganfill.runs.timeline import Timeline, open_timeline, pick

TRACES = ("config.yaml", "metrics.csv", "failed.txt", "last.ckpt")  # a run directory holds one of these
SAMPLES = {"ema": "averaged", "raw": "raw"}
BUDGET = 2_500_000  # bytes of all sheets of a timeline; base64 adds a third
ROWS = 40  # of the table of distances
LOG_LINES = 20
WATCHED = ("loss_d", "loss_g", "logit_real", "logit_fake", "gradient_d", "gradient_g")


@dataclass(frozen=True)
class Training:
    """Content of a run directory, as far as it can be read; ``problems`` has a line for each damaged file."""

    run: RunRecord
    summary: Mapping[str, Any]
    floor: Mapping[str, Any]
    scores: charts.Scores
    samples: Timeline | None
    completions: Timeline | None
    log: Sequence[str]
    problems: Sequence[str]


def read(directory: Path) -> Training:
    """Reads a run directory.

    Raises:
        UserError: it is not the run directory of ``ganfill train``.
    """
    remedy = "give the out directory of a ganfill train"
    if not directory.is_dir():
        raise UserError(f"run={directory} is not a directory: {remedy}")
    if not any((directory / name).exists() for name in TRACES):
        raise UserError(f"run={directory} holds no training: {remedy} (ganfill leaderboard compares those of a sweep)")
    run = read_run(directory, directory)
    if run.part:
        raise UserError(f"run={directory} holds the training of an {run.part}: {remedy}")
    problems = [problem.removeprefix(f"{run.name}/") for problem in run.problems]
    summary = read_mapping(directory / "summary.json", []) or {}  # ``run`` has reported damage
    floor = (read_mapping(directory / "distances_floor.json", problems) or {}).get("floor")
    scores = charts.read_scores(directory / "completions.csv", problems)
    samples = open_timeline("Samples", directory / "samples", SAMPLES, BUDGET, problems)
    completions = open_timeline("Completions", directory / "completions", {"": "completed"}, BUDGET, problems)
    file = directory / "train.log"
    log = [line.strip() for line in file.read_text("utf-8", "replace").splitlines()] if file.is_file() else []
    floor = floor if isinstance(floor, Mapping) else {}
    return Training(run, summary, floor, scores, samples, completions, [line for line in log if line], problems)


def write(out: Path, training: Training) -> None:
    """Writes the page of a training as one file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, page(training))


def page(training: Training) -> str:
    """Returns the page of a training."""
    run = training.run
    timelines = [timeline for timeline in (training.samples, training.completions) if timeline]
    moments = timelines[0].moments if timelines else ()
    ends = [float(curve["kimg"][-1]) for curve in (run.metrics, run.distances) if len(curve.get("kimg", ()))]
    end = max([*ends, *(timeline.moments[-1] for timeline in timelines), run.kimg or 0]) or 1.0
    drawn = [
        *charts.metric_charts(run.metrics, moments, end),
        *charts.distance_charts(run.distances, training.floor, moments, end),
        *charts.completion_charts(training.scores, moments, end),
    ]
    return render(
        "run.html",
        title=run.name,
        lead=summary_text.lead(run, training.summary, training.scores),
        state=summary_text.state(run),
        trained=summary_text.trained(run),
        warnings=warnings(training),
        timelines=timelines,
        charts=drawn,
        tables=[table] if (table := _table(run.distances, training.floor)) else [],
        cost=summary_text.cost(run, training.summary),
        environment=summary_text.environment(training.summary),
        settings=list(leaves(run.config or {})),
        notes=[*training.problems, *_missing(training), *_explanations(training)],
    )


def warnings(training: Training) -> list[str]:
    """Returns warnings about collapse, values that are not finite, and the lines of the log."""
    run = training.run
    lines = collapse_warnings(run.metrics, run.distances)
    for name in WATCHED:
        values = run.metrics.get(name, np.zeros(0))
        broken = np.flatnonzero(~np.isfinite(values))
        if len(broken):
            first = run.metrics["kimg"][broken[0]]
            lines.append(f"{name} is not finite in {len(broken)} of {len(values)} rows, first at {first:g} kimg")
    log = [f"train.log: {line}" for line in training.log if line not in lines]
    more = [f"train.log has {len(log) - LOG_LINES} more lines"] if len(log) > LOG_LINES else []
    return [*lines, *log[:LOG_LINES], *more]


def _missing(training: Training) -> list[str]:
    """Explains what the page lacks."""
    run = training.run
    present = {
        "no samples were drawn, or none can be read (sample_kimg=0 draws none)": training.samples,
        "nothing was measured yet: there is no metrics.csv": len(run.metrics.get("kimg", ())),
        "no distances were measured yet (fd_kimg sets how often, 0 never)": len(run.distances.get("kimg", ())),
        "no pictures were completed during the training (completion_kimg sets how often)": training.completions,
        "versions, commit and the time of the whole command are written when a training ends": training.summary,
    }
    return [f"Missing: {reason}." for reason, there in present.items() if not there]


def _explanations(training: Training) -> list[str]:
    timelines = [f"{sheets.title}: {sheets.note}." for sheets in (training.samples, training.completions) if sheets]
    notes = [
        *timelines,
        "Curves of single steps are pale, their moving averages (over 5 % of the training) are strong. Losses show which "
        "network is ahead, not how good the pictures are.",
    ]
    names = [name for name in training.run.distances if name.startswith(DISTANCES)]
    if names and len(training.run.distances["kimg"]):
        notes.append(
            "FD and KD are Frechet and kernel distances of generated pictures from training pictures in a feature space; "
            "the floor is the distance between two sets of real pictures. They depend on the number of pictures."
        )
        notes += [f"{heading(name).label}: {describe(name)}." for name in names]
        if first := next((name for name in names if name.startswith("fd_")), None):
            notes.append(f"best.ckpt is the checkpoint with the lowest {heading(first).label}.")
    return notes


def _table(curve: Curve, floor: Mapping[str, Any]) -> Table | None:
    """Returns the measured distances, or a selection of them, with their floor; None if there are none."""
    names = [name for name in curve if name.startswith((*DISTANCES, "diversity"))]
    count = len(curve.get("kimg", ()))
    if not names or not count:
        return None
    best = {int(np.nanargmin(curve[name])) for name in names if name in floor and np.isfinite(curve[name]).any()}
    kept = sorted({*pick(count, ROWS), *best})
    rows: list[dict[str, Any]] = [{name: float(curve[name][i]) for name in ("kimg", *names)} for i in kept]
    rows.append({"kimg": "floor", **{name: floor.get(name) for name in names}})
    selection = "" if len(kept) == count else f", {len(kept)} of {count} measurements"
    labels = ", ".join(heading(name).label for name in names)
    return Table(f"{labels} of the averaged generator{selection}", ["kimg", *names], rows)
