"""Means over pictures, with intervals."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

DRAWS = 2000


@dataclass(frozen=True)
class Mean:
    """A mean over pictures.

    Attributes:
        mean: of those pictures that have the figure; NaN if none has.
        low: where its 95 % bootstrap interval begins; NaN for fewer than two pictures.
        high: where it ends.
        n: how many pictures have the figure.
    """

    mean: float
    low: float
    high: float
    n: int


def mean(values: np.ndarray, seed: int = 0) -> Mean:
    """The mean of a figure over pictures (N,), with its 95 % percentile bootstrap interval; NaN are left out.

    Equal seeds and lengths draw the same pictures. For a comparison give the differences, picture by picture.
    """
    values = values[~np.isnan(values)]
    if not len(values):
        return Mean(np.nan, np.nan, np.nan, 0)
    if len(values) == 1:
        return Mean(float(values[0]), np.nan, np.nan, 1)
    low, high = np.percentile(_draws(len(values), seed) @ values / len(values), [2.5, 97.5])
    return Mean(float(values.mean()), float(low), float(high), len(values))


@lru_cache(maxsize=2)
def _draws(n: int, seed: int) -> np.ndarray:
    """How often each of n pictures comes in each draw of n with replacement: float (DRAWS, n)."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), DRAWS).astype(np.float64)
