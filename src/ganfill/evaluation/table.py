"""From cells to figures, and from figures to tables: rows, comparisons picture by picture, CSV and Markdown."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganfill.evaluation import metrics
from ganfill.evaluation.bootstrap import mean
from ganfill.evaluation.shelf import Kept

COMPARED = ("psnr", "ssim", "l1", "seam", "lpips")
SMALLER_IS_BETTER = ("l1", "seam", "lpips")
# Columns of a table that come after the figures.
LAST = ("answers", "model", "seed", "device", "machine", "threads", "torch", "cell")

Row = dict[str, Any]
Figures = dict[str, np.ndarray]


def judge(cell: Kept, truth: np.ndarray, holes: np.ndarray) -> Figures:
    """All figures of a cell that need the true pictures alone, each (N,), one for a picture; see ``metrics``.

    Args:
        cell: as ``find_cell`` gives it.
        truth: uint8 (N, R, R, 3).
        holes: bool (N, R, R).

    Returns:
        ``psnr ssim l1 seam`` of the first answer; with several answers their ``diversity``, ``psnr_best_of_k``,
        ``psnr_mean_of_k`` of the mean of their pixels, ``rank_correlation`` of scores and L1, and ``first_beats_median``;
        where the search estimates them ``psnr_mean`` and ``coverage``.
    """
    answers = cell.arrays["finished"]
    figures = {
        name: getattr(metrics, name)(answers[:, 0], truth, holes).astype(np.float64)
        for name in ("psnr", "ssim", "l1", "seam")
    }
    if answers.shape[1] > 1:
        errors = np.stack([metrics.l1(rank, truth, holes) for rank in answers.swapaxes(0, 1)], axis=1)
        each = np.stack([metrics.psnr(rank, truth, holes) for rank in answers.swapaxes(0, 1)], axis=1)
        middle = answers.mean(1).round().astype(np.uint8)
        figures |= {
            "diversity": metrics.diversity(answers, holes),
            "psnr_best_of_k": each.max(1),
            "psnr_mean_of_k": metrics.psnr(middle, truth, holes),
            "rank_correlation": metrics.rank_correlation(cell.arrays["scores"], errors),
            "first_beats_median": metrics.first_beats_median(errors),
        }
    if "mean" in cell.arrays:
        figures["psnr_mean"] = metrics.psnr(cell.arrays["mean"], truth, holes)
    if "low" in cell.arrays:
        figures["coverage"] = metrics.coverage(cell.arrays["low"], cell.arrays["high"], truth, holes)
    return figures


def summarise(figures: Figures) -> Row:
    """Means with intervals, ``psnr psnr_low psnr_high`` and so on, and ``psnr_median``; what no picture has is NaN."""
    row: Row = {}
    for name, values in figures.items():
        found = mean(values)
        row |= {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}
        if name == "psnr":
            row["psnr_median"] = float(np.median(values[~np.isnan(values)])) if found.n else math.nan
    return row


def compare(mask: str, word: str, figures: Figures, against: str, others: Figures) -> list[Row]:
    """Differences of two searches picture by picture, one row for each figure that both have.

    Args:
        mask: the kind of hole.
        word: the search.
        figures: its figures.
        against: the search it is compared with.
        others: the figures of that.
    """
    rows = []
    for name in COMPARED:
        if name not in figures or name not in others:
            continue
        differences = figures[name] - others[name]
        found = mean(differences)
        known = differences[~np.isnan(differences)]
        better = (known < 0 if name in SMALLER_IS_BETTER else known > 0).mean() if len(known) else math.nan
        rows.append(
            {
                "mask": mask,
                "search": word,
                "against": against,
                "figure": name,
                "n": found.n,
                "difference": found.mean,
                "difference_low": found.low,
                "difference_high": found.high,
                "better_share": float(better),
            }
        )
    return rows


def columns(rows: Sequence[Row]) -> list[str]:
    """The columns of rows that need not all have the same: in the order in which they first come, ``LAST`` last."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [name for name in names if name not in LAST] + [name for name in LAST if name in names]


def write_csv(path: Path, rows: Sequence[Row], names: Sequence[str] | None = None) -> None:
    """Writes a table as a whole, numbers with six significant digits; what a row has not, or is NaN, is an empty cell.

    Args:
        path: of the file.
        rows: of the table.
        names: of the columns to write; those of ``columns`` if not given.
    """
    partial = path.with_name(f".partial-{path.name}")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names or columns(rows), restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _exact(value) for name, value in row.items()} for row in rows)
    partial.replace(path)


def markdown(rows: Sequence[Mapping[str, Any]], shown: Sequence[str]) -> str:
    """A table for people, with intervals behind their means.

    Args:
        rows: of the table.
        shown: columns to show; ``X_low`` and ``X_high`` of a row, or its deviation ``X_sd``, are put behind ``X``.
    """
    lines = ["| " + " | ".join(shown) + " |", "|" + "---|" * len(shown)]
    lines += ["| " + " | ".join(_text(row, name) for name in shown) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _exact(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.6g}"


def _text(row: Mapping[str, Any], name: str) -> str:
    shown, low, high, deviation = (_short(row.get(f"{name}{end}")) for end in ("", "_low", "_high", "_sd"))
    if deviation:
        return f"{shown} ± {deviation}"
    return f"{shown} ({low} to {high})" if low and high else shown


def _short(value: Any) -> str:
    """Three or four digits of a number; texts as they are; nothing for None and NaN."""
    if not isinstance(value, float):
        return "" if value is None else str(value).replace("|", "\\|")
    if math.isnan(value):
        return ""
    return f"{value:.2f}" if 1 <= abs(value) < 1000 else f"{value:.3g}"
