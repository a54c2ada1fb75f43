"""From cells to figures, and from figures to tables: rows, comparisons picture by picture, CSV and Markdown."""

import math

import numpy as np

from ganfill.benchmark.cache import CachedResult
from ganfill.metrics import image
from ganfill.metrics.bootstrap import mean
from ganfill.report.table_files import Row

COMPARED = ("psnr", "ssim", "l1", "seam", "lpips")
SMALLER_IS_BETTER = ("l1", "seam", "lpips")

Figures = dict[str, np.ndarray]


def compute_metrics(cell: CachedResult, truth: np.ndarray, holes: np.ndarray) -> Figures:
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
        name: getattr(image, name)(answers[:, 0], truth, holes).astype(np.float64)
        for name in ("psnr", "ssim", "l1", "seam")
    }
    if answers.shape[1] > 1:
        errors = np.stack([image.l1(rank, truth, holes) for rank in answers.swapaxes(0, 1)], axis=1)
        each = np.stack([image.psnr(rank, truth, holes) for rank in answers.swapaxes(0, 1)], axis=1)
        middle = answers.mean(1).round().astype(np.uint8)
        figures |= {
            "diversity": image.diversity(answers, holes),
            "psnr_best_of_k": each.max(1),
            "psnr_mean_of_k": image.psnr(middle, truth, holes),
            "rank_correlation": image.rank_correlation(cell.arrays["scores"], errors),
            "first_beats_median": image.first_beats_median(errors),
        }
    if "mean" in cell.arrays:
        figures["psnr_mean"] = image.psnr(cell.arrays["mean"], truth, holes)
    if "low" in cell.arrays:
        figures["coverage"] = image.coverage(cell.arrays["low"], cell.arrays["high"], truth, holes)
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
