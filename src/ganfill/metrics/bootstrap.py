"""Means over pictures with bootstrap intervals."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

DRAWS = 2000


@dataclass(frozen=True)
class Mean:
    """A mean over pictures.

    Attributes:
        mean: over the pictures that have a value; NaN if there are none.
        low: lower end of the 95 % bootstrap interval; NaN for fewer than two pictures.
        high: upper end.
        n: number of pictures that have a value.
    """

    mean: float
    low: float
    high: float
    n: int


def mean(values: np.ndarray, seed: int = 0) -> Mean:
    """Mean of values (N,) with its 95 % percentile bootstrap interval; NaN values are left out.

    Equal seeds and lengths draw the same pictures. To compare two methods, pass the differences picture by picture.
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
    """Counts of each of n pictures in each draw of n with replacement: float (DRAWS, n)."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), DRAWS).astype(np.float64)
