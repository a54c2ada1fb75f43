"""Errors of finished pictures over the pixels of the hole, one value for each picture.

Pictures are uint8 (N, H, W, 3), holes bool (N, H, W), True where a pixel was missing. A value that is undefined (nothing is
missing, or nothing is known beside the hole) is NaN.
"""

from itertools import combinations

import numpy as np
from scipy.stats import rankdata
from skimage.metrics import structural_similarity

EXACT = 1e-6  # lower bound of squared errors: the PSNR of an exact completion is 108 dB


def psnr(finished: np.ndarray, truth: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio over the hole's pixels in dB, peak 255: (N,). Larger is better; it rewards blur."""
    squares = np.square(finished.astype(np.float64) - truth)
    return 10 * np.log10(255**2 / np.maximum(_over_holes(squares, holes), EXACT))


def l1(finished: np.ndarray, truth: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Mean absolute error over the hole's pixels in levels, 0 to 255: (N,)."""
    return _over_holes(np.abs(finished.astype(np.float64) - truth), holes)


def ssim(finished: np.ndarray, truth: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Structural similarity (Wang et al. 2004; 7 x 7 windows), averaged over the hole's pixels: (N,), up to 1."""
    maps = [
        structural_similarity(true, picture, channel_axis=-1, data_range=255, full=True)[1]
        for picture, true in zip(finished, truth, strict=True)
    ]
    return _over_holes(np.stack(maps), holes)


def seam(finished: np.ndarray, truth: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Mean absolute error of the gradients across the hole's edge in levels: (N,); NaN if the hole has no edge.

    Each difference between a missing and a known neighbour is compared with the same difference in the true picture.
    """
    errors = finished.astype(np.float64) - truth
    total, count = np.zeros(len(holes)), np.zeros(len(holes))
    for axis in (1, 2):
        edge = np.diff(holes, axis=axis)
        total += (np.abs(np.diff(errors, axis=axis)).mean(3) * edge).sum((1, 2))
        count += edge.sum((1, 2))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def diversity(answers: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Mean absolute difference over all pairs of answers and the hole's pixels, in levels: (N,).

    Args:
        answers: uint8 (N, k, H, W, 3).
        holes: bool (N, H, W).
    """
    pairs = [l1(answers[:, i], answers[:, j], holes) for i, j in combinations(range(answers.shape[1]), 2)]
    return np.mean(pairs, axis=0) if pairs else np.full(len(answers), np.nan)


def rank_correlation(scores: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Spearman's correlation between the scores of a picture's answers and their true errors: (N,), -1 to 1.

    Args:
        scores: (N, k), smaller is expected to be better.
        errors: (N, k), smaller is better.

    Returns:
        Correlations; NaN where all scores or all errors of a picture are equal.
    """
    a, b = (rankdata(values, axis=1) - (values.shape[1] + 1) / 2 for values in (scores, errors))
    size = np.sqrt(np.square(a).sum(1) * np.square(b).sum(1))
    return np.where(size > 0, (a * b).sum(1) / np.where(size > 0, size, 1), np.nan)


def first_beats_median(errors: np.ndarray) -> np.ndarray:
    """Compares errors (N, k) of the first answers with the median: (N,), 1 where lower, 1/2 where equal, else 0.

    Random ranking gives a mean of 1/2.
    """
    median = np.median(errors, axis=1)
    return (errors[:, 0] < median) + 0.5 * (errors[:, 0] == median)


def coverage(low: np.ndarray, high: np.ndarray, truth: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Share of the hole's values in the interval from ``low`` to ``high``, inclusive, uint8 like ``truth``: (N,)."""
    return _over_holes(((low <= truth) & (truth <= high)).astype(np.float64), holes)


def _over_holes(values: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Means of values (N, H, W, 3) over the hole's pixels: (N,)."""
    total, count = (values.mean(3) * holes).sum((1, 2)), holes.sum((1, 2))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
