"""Figures of results, their means, and comparisons picture by picture."""

import math

import numpy as np

from ganfill.benchmark.cache import CachedResult
from ganfill.metrics import image
from ganfill.metrics.bootstrap import mean
from ganfill.report.table_files import Row

COMPARED = ("psnr", "ssim", "l1", "seam", "lpips")
LARGER_IS_BETTER = ("psnr", "ssim")

Figures = dict[str, np.ndarray]


def compute_metrics(result: CachedResult, truth: np.ndarray, holes: np.ndarray) -> Figures:
    """Computes the metrics of ``metrics.image``, each (N,), one for a picture.

    Args:
        result: of ``run_search``.
        truth: uint8 (N, R, R, 3).
        holes: bool (N, R, R).

    Returns:
        ``psnr ssim l1 seam`` of the first answer; for several answers also ``diversity``, ``psnr_best_of_k``,
        ``psnr_mean_of_k`` of the mean of their pixels, ``rank_correlation`` of scores and L1, and ``first_beats_median``;
        ``psnr_mean`` and ``coverage`` if the search estimates them.
    """
    answers = result.arrays["finished"]
    figures = {
        name: getattr(image, name)(answers[:, 0], truth, holes).astype(np.float64)
        for name in ("psnr", "ssim", "l1", "seam")
    }
    if answers.shape[1] > 1:
        errors = np.stack([image.l1(rank, truth, holes) for rank in answers.swapaxes(0, 1)], axis=1)
        psnrs = np.stack([image.psnr(rank, truth, holes) for rank in answers.swapaxes(0, 1)], axis=1)
        mean_answer = answers.mean(1).round().astype(np.uint8)
        figures |= {
            "diversity": image.diversity(answers, holes),
            "psnr_best_of_k": psnrs.max(1),
            "psnr_mean_of_k": image.psnr(mean_answer, truth, holes),
            "rank_correlation": image.rank_correlation(result.arrays["scores"], errors),
            "first_beats_median": image.first_beats_median(errors),
        }
    if "mean" in result.arrays:
        figures["psnr_mean"] = image.psnr(result.arrays["mean"], truth, holes)
    if "low" in result.arrays:
        figures["coverage"] = image.coverage(result.arrays["low"], result.arrays["high"], truth, holes)
    return figures


def summarize(figures: Figures) -> Row:
    """Returns means with intervals (``psnr psnr_low psnr_high`` ...) and ``psnr_median``; NaN if no picture has a value."""
    row: Row = {}
    for name, values in figures.items():
        estimate = mean(values)
        row |= {name: estimate.mean, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        if name == "psnr":
            row["psnr_median"] = float(np.median(values[~np.isnan(values)])) if estimate.n else math.nan
    return row


def compare(mask: str, word: str, figures: Figures, against: str, others: Figures) -> list[Row]:
    """Compares two searches picture by picture; returns a row for each figure that both have.

    Args:
        mask: the kind of hole.
        word: the search.
        figures: of the search.
        against: the search it is compared with.
        others: figures of ``against``.
    """
    rows = []
    for name in (*COMPARED, *(name for name in figures if name.startswith("l2_"))):
        if name not in figures or name not in others:
            continue
        differences = figures[name] - others[name]
        estimate = mean(differences)
        known = differences[~np.isnan(differences)]
        better = (known > 0 if name in LARGER_IS_BETTER else known < 0).mean() if len(known) else math.nan
        rows.append(
            {
                "mask": mask,
                "search": word,
                "against": against,
                "figure": name,
                "n": estimate.n,
                "difference": estimate.mean,
                "difference_low": estimate.low,
                "difference_high": estimate.high,
                "better_share": float(better),
            }
        )
    return rows
