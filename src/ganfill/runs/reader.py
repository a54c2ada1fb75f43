"""Reads trainings, such as those of a sweep, from their run directories: settings, progress, metrics.

Only small text files are loaded, so neither Lightning nor a checkpoint is needed.
"""

import csv
import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganfill import text_files
from ganfill.errors import first_line
from ganfill.files import identify
from ganfill.report import table_format

PRUNED = "pruned.txt"  # in the run directory of a training that a sweep has ended early
PLANNED = "cells.txt"  # in the directory of a sweep: its run directories, started or not
# Networks with a command of their own, which trains them for a finished GAN.
PARTS = ("encoder", "inpainter", "upsampler")
Curve = dict[str, np.ndarray]  # columns of a CSV, float64 (rows,) each, sorted by ``kimg``


@dataclass(frozen=True)
class RunRecord:
    """Content of a training's run directory.

    Args:
        name: its path below the sweep's directory, with "/".
        directory: its path.
        config: its configuration; None if that cannot be read.
        metrics: columns of ``metrics.csv``; empty without the file.
        distances: columns of ``distances.csv``; empty without the file.
        figures: of ``summary.json``.
        state: "finished", "at 40 of 100 kimg", "at 5.5 of 8 minutes", "pruned at 40 of 100 kimg", "failed: reason" or
            "not started".
        problems: a line for each damaged file.
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
        """True if the training is complete."""
        return self.state == "finished"

    @property
    def pruned(self) -> bool:
        """True if a sweep has ended the training because others were better."""
        return self.state.startswith("pruned")

    @property
    def part(self) -> str | None:
        """Name of the network that was trained for a finished GAN; None: the run trained a GAN."""
        return next((name for name in PARTS if name in (self.config or {})), None)

    @property
    def kimg(self) -> float | None:
        """Thousand images seen; None if unknown."""
        return _kimg_reached(self.figures if self.finished else {}, self.metrics)


def read_runs(directory: Path) -> list[RunRecord]:
    """Reads the trainings below ``directory`` at any depth, sorted by name.

    A run directory holds a ``config.yaml`` or a ``failed.txt``, or is listed in the plan of a sweep (``cells.txt``) and
    need not exist yet. Hidden directories, those of wandb, and trainings of ``PARTS`` are ignored.
    """
    run_dirs = set[Path]()
    for path, subdirectories, files in os.walk(directory):
        subdirectories[:] = [name for name in subdirectories if not name.startswith(".") and name != "wandb"]
        if {"config.yaml", "failed.txt"} & set(files):
            run_dirs.add(Path(path))
        if PLANNED in files:
            run_dirs |= _planned(Path(path), directory)
    runs = [read_run(path, directory) for path in run_dirs]
    return sorted((run for run in runs if not run.part), key=lambda run: run.name)


def _planned(sweep: Path, root: Path) -> set[Path]:
    """Returns the planned run directories of a sweep that lie below ``root``."""
    lines = read_lines(sweep / PLANNED)
    paths = (Path(os.path.relpath(sweep / line, root)) for line in lines if line)
    return {root / path for path in paths if ".." not in path.parts}


def read_run(directory: Path, root: Path) -> RunRecord:
    """Reads one run directory; files that cannot be read are left out and reported in ``problems``."""
    name = directory.relative_to(root).as_posix() if directory != root else identify(directory).name
    problems: list[str] = []
    config = read_mapping(directory / "config.yaml", problems)
    summary = read_mapping(directory / "summary.json", problems) or {}
    metrics, distances = (read_curve(directory / file, problems) for file in ("metrics.csv", "distances.csv"))
    figures = summary.get("figures")
    figures = figures if isinstance(figures, dict) else {}
    finished = summary and _is_finished(config or {}, summary, _kimg_reached(figures, {}))
    state = "finished" if finished else _state(directory, config or {}, metrics)  # even if it has failed before
    return RunRecord(
        name, directory, config, metrics, distances, figures, state, tuple(f"{name}/{p}" for p in problems)
    )


def read_curve(path: Path, problems: list[str]) -> Curve:
    """Reads the columns of a CSV of numbers; of rows with equal ``kimg`` the last one counts. See ``read_table``."""
    header, rows = read_table(path, problems)
    last = {row["kimg"]: row for row in rows}
    return {name: np.array([last[kimg][name] for kimg in sorted(last)], float) for name in header}


def read_table(path: Path, problems: list[str], words: Sequence[str] = ()) -> tuple[list[str], list[dict[str, Any]]]:
    """Reads header and rows of a CSV of numbers; empty cells are NaN, and a missing file has no rows.

    Lines that are cut off or not numeric are left out and reported in ``problems``.

    Args:
        path: of the file, which must have a column ``kimg``.
        problems: list to append to.
        words: further required columns, which hold text.
    """
    if not path.exists():
        return [], []
    try:
        text = text_files.read_text(path, errors="replace")
        header, *lines = list(csv.reader(io.StringIO(text.replace("\0", "?")))) or [[]]
    except (OSError, ValueError, csv.Error) as error:
        problems.append(_left_out(path, error))
        return [], []
    if missing := [name for name in ("kimg", *words) if name not in header]:
        problems.append(f"{path.name} has no column {missing[0]}: it is left out")
        return [], []
    rows, broken = list[dict[str, Any]](), list[int]()
    for number, line in enumerate(lines, start=2):
        cut_off = number == len(lines) + 1 and not text.endswith("\n")  # its last number may be incomplete
        try:
            row: dict[str, Any] = {
                name: value if name in words else _to_number(value) for name, value in zip(header, line, strict=True)
            }
        except ValueError:
            row = {"kimg": np.nan}
        if cut_off or not math.isfinite(row["kimg"]):
            broken.append(number)
        else:
            rows.append(row)
    if broken:
        lines_are = f"line {broken[0]} is" if len(broken) == 1 else f"{len(broken)} lines, first {broken[0]}, are"
        problems.append(f"{path.name}: {lines_are} cut off, not numeric or beyond 1e100, and left out")
    return header, rows


def read_mapping(path: Path, problems: list[str]) -> dict[str, Any] | None:
    """Reads a YAML or JSON file that holds a mapping; returns None if it is missing or damaged."""
    if not path.exists():
        return None
    try:
        return text_files.read_mapping(path)
    except (OSError, ValueError) as error:
        problems.append(_left_out(path, error))
    return None


def _left_out(path: Path, error: Exception) -> str:
    reason = str(error.strerror).lower() if isinstance(error, OSError) else first_line(error)
    return f"{path.name} cannot be read ({reason[:80]}): it is left out"


def _to_number(text: str) -> float:
    value = float(text or "nan")
    if text_files.is_huge(value):
        raise ValueError
    return value


def read_lines(path: Path) -> list[str]:
    """Returns the lines of a text; none if it cannot be read."""
    try:
        return text_files.read_text(path, errors="replace").split("\n")
    except (OSError, ValueError):
        return [""]


def _kimg_reached(figures: dict[str, Any], metrics: Curve) -> float | None:
    """Thousand images seen according to a summary, or else to the last row of the metrics."""
    if (kimg := table_format.number(figures.get("kimg"))) is not None:
        return kimg
    return float(metrics["kimg"][-1]) if len(metrics.get("kimg", ())) else None


def _state(directory: Path, config: dict[str, Any], metrics: Curve) -> str:
    """Describes the progress of an unfinished training."""
    if (reason := directory / "failed.txt").exists():
        return f"failed: {read_lines(reason)[0].strip() or 'no reason was given'}"
    checkpoint, kimg = (directory / "last.ckpt").exists(), _kimg_reached({}, metrics)
    if kimg is None and not checkpoint:
        return "not started"
    length, minutes, seconds = config.get("kimg"), config.get("minutes"), metrics.get("seconds", np.empty(0))
    if isinstance(minutes, int | float):
        state = f"at {seconds[-1] / 60 if len(seconds) else 0:.2g} of {minutes:g} minutes"
    else:
        state = f"at {kimg or 0:.6g}{f' of {length:g}' if isinstance(length, int | float) else ''} kimg"
    if (directory / PRUNED).exists():
        return f"pruned {state}"
    return state if checkpoint else f"{state}, without a checkpoint"


def _is_finished(config: dict[str, Any], summary: dict[str, Any], kimg: float | None) -> bool:
    """Returns whether a training with this summary has the length that its configuration, perhaps raised since, asks for."""
    length, minutes, summarized = config.get("kimg"), config.get("minutes"), summary.get("config")
    if kimg is None or not isinstance(length, int | float) or kimg >= length:
        return True
    before = summarized.get("minutes") if isinstance(summarized, dict) else None
    return isinstance(minutes, int | float) and (not isinstance(before, int | float) or before >= minutes)
