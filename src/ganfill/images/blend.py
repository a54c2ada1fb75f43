"""Blends an answer into the hole of a picture: each ``(filled, image, hole) -> picture``.

Known pixels stay unchanged, bit for bit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import cg, splu

Blend = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]

DIRECT = 50_000  # missing pixels; a direct solution of larger systems takes many seconds and gigabytes
ITERATIONS = 60  # of conjugate gradients, from an initial value at half the resolution


@dataclass(frozen=True)
class Paste:
    """Copies the answer's pixels into the hole."""

    def __call__(self, filled: np.ndarray, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """Blends an answer.

        Args:
            filled: the answer, uint8 (H, W, 3).
            image: the damaged picture, uint8 (H, W, 3); the content of its hole is ignored.
            hole: bool (H, W), True where a pixel is missing.

        Returns:
            uint8 (H, W, 3), equal to ``image`` outside the hole.
        """
        return np.where(hole[..., None], filled, image)


@dataclass(frozen=True)
class Feather:
    """Corrects the answer by its error at the nearest known pixel, fading out inside the hole.

    Args:
        radius: distance from the hole's edge, in pixels, at which the correction has faded to 37 %.
    """

    radius: float = 4.0

    def __call__(self, filled: np.ndarray, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """Takes and returns the same as ``Paste``."""
        if hole.all() or not hole.any():
            return Paste()(filled, image, hole)
        distance: np.ndarray
        distance, (rows, columns) = distance_transform_edt(hole, return_indices=True)  # pyright: ignore[reportGeneralTypeIssues]
        lacking = image[rows, columns].astype(np.float32) - filled[rows, columns]
        corrected = filled + lacking * np.exp(-(distance - 1) / self.radius)[..., None]
        return _finish(corrected, image, hole)


@dataclass(frozen=True)
class Poisson:
    """Keeps the answer's gradients and meets the known pixels at the edge (Perez et al. 2003; Yeh et al., equation 7).

    Only the hole's pixels are unknowns. Gradients across the picture's border are left out, so any hole can be solved.
    """

    def __call__(self, filled: np.ndarray, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """Takes and returns the same as ``Paste``; a picture without known pixels gets the answer as it is."""
        if hole.all() or not hole.any():
            return Paste()(filled, image, hole)
        # With filled = picture - correction, equal gradients inside the hole make the correction harmonic there.
        lacking = np.where(hole[..., None], 0.0, image.astype(np.float64) - filled)
        return _finish(filled + _fill_harmonically(hole, lacking), image, hole)


def _fill_harmonically(hole: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Extends known values (H, W, 3) into the hole, so that each pixel there is the mean of its neighbours."""
    matrix, boundary = _laplace(hole, values)
    filled = values.copy()
    if len(boundary) <= DIRECT:
        symmetric = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
        filled[hole] = splu(matrix.tocsc(), **symmetric).solve(boundary)
        return filled
    # Harmonic functions are smooth: half the resolution gives all but the finest detail, a few iterations give the rest.
    coarse = _fill_harmonically(*_halve(hole, values)).repeat(2, 0).repeat(2, 1)[: hole.shape[0], : hole.shape[1]][hole]
    for channel in range(3):
        filled[hole, channel] = cg(matrix, boundary[:, channel], coarse[:, channel], rtol=0, maxiter=ITERATIONS)[0]
    return filled


def _halve(hole: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half the resolution: a pixel is known if any of its four is, and is the mean of the known ones."""
    margins = [(0, length % 2) for length in hole.shape]
    known = np.pad(~hole, margins).astype(np.float64)[..., None]
    total = _sum_of_four(np.pad(values, [*margins, (0, 0)]) * known)
    count = _sum_of_four(known)
    return count[..., 0] == 0, total / np.maximum(count, 1)


def _sum_of_four(values: np.ndarray) -> np.ndarray:
    height, width, channels = values.shape
    return values.reshape(height // 2, 2, width // 2, 2, channels).sum((1, 3))


def _laplace(hole: np.ndarray, known: np.ndarray) -> tuple[csr_array, np.ndarray]:
    """The discrete Laplace equation on the hole's pixels: matrix (n, n) and right side (n, 3) from the known values."""
    height, width = hole.shape
    number = np.full((height + 2, width + 2), -1)
    number[1:-1, 1:-1][hole] = np.arange(hole.sum())
    inside = np.pad(np.ones_like(hole), 1)
    values = np.pad(known, ((1, 1), (1, 1), (0, 0)))
    y, x = (axis + 1 for axis in np.nonzero(hole))
    n = len(y)
    degree, boundary = np.zeros(n), np.zeros((n, 3))
    rows, columns = [], []
    for step_y, step_x in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        neighbour = (y + step_y, x + step_x)
        degree += inside[neighbour]
        boundary += values[neighbour]
        unknown = number[neighbour] >= 0
        rows.append(np.nonzero(unknown)[0])
        columns.append(number[neighbour][unknown])
    row = np.concatenate([*rows, np.arange(n)])
    column = np.concatenate([*columns, np.arange(n)])
    entries = np.concatenate([np.full(len(row) - n, -1.0), degree])
    return coo_array((entries, (row, column)), shape=(n, n)).tocsr(), boundary


def _finish(corrected: np.ndarray, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    return np.where(hole[..., None], corrected.round().clip(0, 255).astype(np.uint8), image)
