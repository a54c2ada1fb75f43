"""Diversity of a set of pictures."""

import numpy as np

CHUNK = 64


def spread(pictures: np.ndarray) -> float:
    """Standard deviation over pictures uint8 (N, H, W, 3), in levels, averaged over pixels and channels."""
    total = np.zeros(pictures.shape[1:])
    squares = np.zeros(pictures.shape[1:])
    for start in range(0, len(pictures), CHUNK):
        part = pictures[start : start + CHUNK].astype(np.float64)
        total += part.sum(0)
        squares += np.square(part).sum(0)
    mean = total / len(pictures)
    return float(np.sqrt(np.maximum(squares / len(pictures) - np.square(mean), 0)).mean())
