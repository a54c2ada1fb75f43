"""The curves of one training: what belongs into one chart, and what of it is noise."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ganfill.report.png_curves import smooth
from ganfill.report.svg_charts import Chart, draw
from ganfill.report.table_format import heading, number
from ganfill.runs.ranking import DISTANCES
from ganfill.runs.reader import Curve, read_table

SMOOTH = 0.05  # the window of a mean, as a share of the training
TOGETHER = {
    "Losses": {"discriminator": "loss_d", "generator": "loss_g"},
    "Logits": {"real pictures": "logit_real", "generated": "logit_fake"},
    "Gradient norms": {"discriminator": "gradient_d", "generator": "gradient_g"},
}
CLOCKS = ("kimg", "seconds")
FLOOR = "two sets of real pictures"
EVEN = {"diversity": {"as diverse as real pictures": 1.0}}  # what a value should come to

Scores = dict[str, dict[str, np.ndarray]]  # by column and picture, points (N, 2) of kimg and value


def game(metrics: Curve, moments: Sequence[float], end: float) -> list[Chart]:
    """Losses, logits and gradients, and whatever else was measured in every step, each with the mean of its surroundings."""
    single = [
        name for name in metrics if name not in (*CLOCKS, *(n for names in TOGETHER.values() for n in names.values()))
    ]
    groups = [(title, names, "") for title, names in TOGETHER.items()]
    groups += [(_title(name), {"": name}, heading(name).unit) for name in single]
    charts = []
    for title, names, unit in groups:
        found = {told: points for told, name in names.items() if len(points := _points(metrics, name))}
        if found:
            means = {told: np.stack([its[:, 0], smooth(its[:, 1], SMOOTH)], axis=1) for told, its in found.items()}
            charts.append(draw(title, means, end, list(enumerate(found.values())), moments=moments, unit=unit))
    return charts


def distances(curve: Curve, floor: Mapping[str, object], moments: Sequence[float], end: float) -> list[Chart]:
    """The distances from real pictures, with those of real pictures from one another, and the diversity."""
    charts = []
    for name in curve:
        points = _points(curve, name)
        if not name.startswith((*DISTANCES, *EVEN)) or not len(points):
            continue
        level = number(floor.get(name))
        levels = EVEN.get(name, {}) if level is None else {FLOOR: level}
        charts.append(draw(_title(name), {"": points}, end, levels=levels, moments=moments))
    return charts


def read_scores(path: Path, problems: list[str]) -> Scores:
    """How well the same pictures were completed as the generator grew, from a ``completions.csv``; nothing without one."""
    header, rows = read_table(path, problems, ("picture",))
    found: Scores = {name: {} for name in header if name not in (*CLOCKS, "picture")}
    for name, pictures in found.items():
        for picture in dict.fromkeys(row["picture"] for row in rows):
            points = {row["kimg"]: row[name] for row in rows if row["picture"] == picture and np.isfinite(row[name])}
            if points:
                pictures[picture] = np.array(sorted(points.items()), float)
    return found


def completions(scores: Scores, moments: Sequence[float], end: float) -> list[Chart]:
    """The mean over the pictures of each score, with every picture pale behind it."""
    charts = []
    for name, pictures in scores.items():
        if means := mean(pictures):
            points = np.array(means)
            pale = [(0, its) for its in pictures.values()] if len(pictures) > 1 else []
            charts.append(draw(_title(name), {"": points}, end, pale, moments=moments, unit=heading(name).unit))
    return charts


def mean(pictures: Mapping[str, np.ndarray]) -> list[tuple[float, float]]:
    """The mean at each kimg at which all pictures have a value: at others it would be that of easier or harder ones."""
    at: dict[float, list[float]] = {}
    for points in pictures.values():
        for kimg, value in points:
            at.setdefault(float(kimg), []).append(float(value))
    return [(kimg, float(np.mean(values))) for kimg, values in sorted(at.items()) if len(values) == len(pictures)]


def _title(name: str) -> str:
    label = heading(name).label
    return label[:1].upper() + label[1:]


def _points(curve: Curve, name: str) -> np.ndarray:
    """The finite points (N, 2) of a column over kimg; none if the file lacks it."""
    if name not in curve or "kimg" not in curve:
        return np.empty((0, 2))
    points = np.stack([curve["kimg"], curve[name]], axis=1)
    return points[np.isfinite(points).all(1)]
