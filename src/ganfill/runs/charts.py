"""Charts of one training."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ganfill.report.plots import finite_rows, smooth
from ganfill.report.table_format import heading, number
from ganfill.report.training_chart import Chart, draw_chart
from ganfill.runs.ranking import DISTANCES
from ganfill.runs.reader import Curve, read_table

SMOOTH = 0.05  # window of the moving average, as a share of the training
GROUPS = {
    "Losses": {"discriminator": "loss_d", "generator": "loss_g"},
    "Logits": {"real pictures": "logit_real", "generated": "logit_fake"},
    "Gradient norms": {"discriminator": "gradient_d", "generator": "gradient_g"},
}
CLOCKS = ("kimg", "seconds")
FLOOR = "two sets of real pictures"
TARGETS = {"diversity": {"as diverse as real pictures": 1.0}}

Scores = dict[str, dict[str, np.ndarray]]  # by column and picture, points (N, 2) of kimg and value


def metric_charts(metrics: Curve, moments: Sequence[float], end: float) -> list[Chart]:
    """Draws losses, logits, gradients and all other columns of ``metrics.csv``, with moving averages."""
    grouped = {name for names in GROUPS.values() for name in names.values()}
    groups = [(title, names, "") for title, names in GROUPS.items()]
    groups += [(_title(name), {"": name}, heading(name).unit) for name in metrics if name not in (*CLOCKS, *grouped)]
    charts = []
    for title, names, unit in groups:
        lines = {label: points for label, name in names.items() if len(points := finite_rows(metrics, "kimg", name))}
        if lines:
            means = {label: np.stack([line[:, 0], smooth(line[:, 1], SMOOTH)], axis=1) for label, line in lines.items()}
            charts.append(draw_chart(title, means, end, list(enumerate(lines.values())), moments=moments, unit=unit))
    return charts


def distance_charts(curve: Curve, floor: Mapping[str, object], moments: Sequence[float], end: float) -> list[Chart]:
    """Draws the distances with their floors, and the diversity."""
    charts = []
    for name in curve:
        points = finite_rows(curve, "kimg", name)
        if not name.startswith((*DISTANCES, *TARGETS)) or not len(points):
            continue
        level = number(floor.get(name))
        levels = TARGETS.get(name, {}) if level is None else {FLOOR: level}
        charts.append(draw_chart(_title(name), {"": points}, end, levels=levels, moments=moments))
    return charts


def read_scores(path: Path, problems: list[str]) -> Scores:
    """Reads ``completions.csv``: scores of completions of the same pictures during the training."""
    header, rows = read_table(path, problems, ("picture",))
    scores: Scores = {name: {} for name in header if name not in (*CLOCKS, "picture")}
    for name, pictures in scores.items():
        for picture in dict.fromkeys(row["picture"] for row in rows):
            points = {row["kimg"]: row[name] for row in rows if row["picture"] == picture and np.isfinite(row[name])}
            if points:
                pictures[picture] = np.array(sorted(points.items()), float)
    return scores


def completion_charts(scores: Scores, moments: Sequence[float], end: float) -> list[Chart]:
    """Draws the mean of each score over the pictures, with every picture in the background."""
    charts = []
    for name, pictures in scores.items():
        if means := mean_over_pictures(pictures):
            pale = [(0, points) for points in pictures.values()] if len(pictures) > 1 else []
            line, unit = np.array(means), heading(name).unit
            charts.append(draw_chart(_title(name), {"": line}, end, pale, moments=moments, unit=unit))
    return charts


def mean_over_pictures(pictures: Mapping[str, np.ndarray]) -> list[tuple[float, float]]:
    """Returns (kimg, mean) wherever all pictures have a value: a mean over some would depend on which those are."""
    by_kimg: dict[float, list[float]] = {}
    for points in pictures.values():
        for kimg, value in points:
            by_kimg.setdefault(float(kimg), []).append(float(value))
    return [(kimg, float(np.mean(values))) for kimg, values in sorted(by_kimg.items()) if len(values) == len(pictures)]


def _title(name: str) -> str:
    label = heading(name).label
    return label[:1].upper() + label[1:]
