"""Trainings, such as the cells of a sweep, read from their run directories: settings, how far they came, what was measured.

Nothing is loaded but small text files, so it stands here and not in ``training``: no checkpoint, no Lightning.
"""

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

PLANNED = "cells.txt"  # in the directory of a sweep: its cells, whether or not they have started
Curve = dict[str, np.ndarray]  # a CSV's columns, float64 (rows,) each, with rising ``kimg``


@dataclass(frozen=True)
class RunRecord:
    """A run directory of a training.

    Args:
        name: its path below the sweep's directory, with "/".
        directory: itself.
        config: its configuration; None if that cannot be read.
        metrics: of ``metrics.csv``, without columns if there is none.
        distances: of ``distances.csv``, likewise.
        figures: of ``summary.json``.
        state: "finished", "at 40 of 100 kimg", "at 5.5 of 8 minutes", "failed: reason" or "not started".
        problems: a line for each file that is damaged.
    """

    name: str
    directory: Path
    config: dict[str, Any] | None
    metrics: Curve
    distances: Curve
    figures: dict[str, Any]
    state: str
    problems: tuple[str, ...]

    @property
    def finished(self) -> bool:
        """Whether the training has come to its end."""
        return self.state == "finished"

    @property
    def kimg(self) -> float | None:
        """How far the training came, in thousand images seen; None if nothing is known."""
        return _reached(self.figures if self.finished else {}, self.metrics)


def read(runs: Path) -> list[RunRecord]:
    """The cells below ``runs`` at any depth, in the order of their names.

    A cell is a directory with a ``config.yaml`` or a ``failed.txt``, or one that the last plan of a sweep (``cells.txt``)
    names, even if it does not exist yet. Hidden directories, those of wandb and the trainings of encoders are none.
    """
    places = set[Path]()
    for place, directories, files in os.walk(runs):
        directories[:] = [name for name in directories if not name.startswith(".") and name != "wandb"]
        if {"config.yaml", "failed.txt"} & set(files):
            places.add(Path(place))
        if PLANNED in files:
            places |= _planned(Path(place), runs)
    cells = [read_cell(place, runs) for place in places]
    return sorted((cell for cell in cells if "encoder" not in (cell.config or {})), key=lambda cell: cell.name)


def _planned(sweep: Path, runs: Path) -> set[Path]:
    """The cells that a sweep has planned, those below ``runs`` alone."""
    lines = (sweep / PLANNED).read_text("utf-8", "replace").split("\n")
    places = (Path(os.path.relpath(sweep / line, runs)) for line in lines if line)
    return {runs / place for place in places if ".." not in place.parts}


def read_cell(directory: Path, runs: Path) -> RunRecord:
    """One cell; whatever of it cannot be read is left out and told in ``problems``."""
    name = directory.relative_to(runs).as_posix() if directory != runs else directory.resolve().name
    problems: list[str] = []
    config = read_mapping(directory / "config.yaml", problems)
    summary = read_mapping(directory / "summary.json", problems) or {}
    metrics, distances = (read_curve(directory / name, problems) for name in ("metrics.csv", "distances.csv"))
    figures = summary.get("figures")
    figures = figures if isinstance(figures, dict) else {}
    over = summary and _is_over(config or {}, summary, _reached(figures, {}))
    state = "finished" if over else _state(directory, config or {}, metrics)  # whatever went wrong before the end
    return RunRecord(
        name, directory, config, metrics, distances, figures, state, tuple(f"{name}/{p}" for p in problems)
    )


def read_curve(path: Path, problems: list[str]) -> Curve:
    """The columns of a CSV of numbers, one row for each ``kimg``, see ``read_table``."""
    header, rows = read_table(path, problems)
    last = {row["kimg"]: row for row in rows}
    return {name: np.array([last[kimg][name] for kimg in sorted(last)], float) for name in header}


def read_table(path: Path, problems: list[str], words: Sequence[str] = ()) -> tuple[list[str], list[dict[str, Any]]]:
    """The columns and rows of a CSV of numbers, float; empty cells are NaN. There are none without the file.

    Lines that are cut off or hold no numbers are left out; ``problems`` gets a line about them.

    Args:
        path: of the file, which must have a column ``kimg``.
        problems: is added to.
        words: other columns that it must have, which hold texts.
    """
    if not path.exists():
        return [], []
    text = path.read_bytes().decode("utf-8", "replace")
    header, *lines = list(csv.reader(io.StringIO(text.replace("\0", "?")))) or [[]]
    if missing := [name for name in ("kimg", *words) if name not in header]:
        problems.append(f"{path.name} has no column {missing[0]}: it is left out")
        return [], []
    rows, broken = list[dict[str, Any]](), list[int]()
    for number, line in enumerate(lines, start=2):
        cut = number == len(lines) + 1 and not text.endswith("\n")  # even a number may have lost its end
        try:
            row = {
                name: value if name in words else float(value or "nan")
                for name, value in zip(header, line, strict=True)
            }
        except ValueError:
            row = {"kimg": np.nan}
        if cut or np.isnan(row["kimg"]):
            broken.append(number)
        else:
            rows.append(row)
    if broken:
        told = (
            f"line {broken[0]} is" if len(broken) == 1 else f"{len(broken)} lines, the first of them {broken[0]}, are"
        )
        problems.append(f"{path.name}: {told} cut off or no row of numbers, and left out")
    return header, rows


def read_mapping(path: Path, problems: list[str]) -> dict[str, Any] | None:
    """A YAML or JSON file that holds a mapping; None if it is missing or none."""
    if not path.exists():
        return None
    load = json.loads if path.suffix == ".json" else yaml.safe_load
    try:
        content = load(path.read_text("utf-8"))
        if isinstance(content, dict):
            return content
        problems.append(f"{path.name} holds no settings: it is left out")
    except (ValueError, yaml.YAMLError) as error:
        problems.append(f"{path.name} cannot be read ({' '.join(str(error).split())[:80]}): it is left out")
    return None


def _reached(figures: dict[str, Any], metrics: Curve) -> float | None:
    """The images seen, in thousands, by a summary or else by the last row of the metrics."""
    told = figures.get("kimg")
    if isinstance(told, int | float):
        return float(told)
    return float(metrics["kimg"][-1]) if len(metrics.get("kimg", ())) else None


def _state(directory: Path, config: dict[str, Any], metrics: Curve) -> str:
    """How far a training is that has not come to its end."""
    if (reason := directory / "failed.txt").exists():
        lines = reason.read_text("utf-8", "replace").split("\n")
        return f"failed: {lines[0].strip() or 'no reason was given'}"
    checkpoint, kimg = (directory / "last.ckpt").exists(), _reached({}, metrics)
    if kimg is None and not checkpoint:
        return "not started"
    length, minutes, seconds = config.get("kimg"), config.get("minutes"), metrics.get("seconds", np.empty(0))
    if isinstance(minutes, int | float):
        told = f"at {seconds[-1] / 60 if len(seconds) else 0:.2g} of {minutes:g} minutes"
    else:
        told = f"at {kimg or 0:.6g}{f' of {length:g}' if isinstance(length, int | float) else ''} kimg"
    return told if checkpoint else f"{told}, without a checkpoint"


def _is_over(config: dict[str, Any], summary: dict[str, Any], ended: float | None) -> bool:
    """Whether a training with this summary has come as far as its configuration, which may be longer now, asks for."""
    length, minutes, then = config.get("kimg"), config.get("minutes"), summary.get("config")
    if ended is None or not isinstance(length, int | float) or ended >= length:
        return True
    before = then.get("minutes") if isinstance(then, dict) else None
    return isinstance(minutes, int | float) and (not isinstance(before, int | float) or before >= minutes)
