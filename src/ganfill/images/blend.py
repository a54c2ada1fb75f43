"""Blends an answer into the hole of a picture: each ``(filled, image, hole) -> picture``.

Known pixels stay unchanged, bit for bit.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from ganfill.errors import UserError
from ganfill.images.harmonic import extend
from ganfill.images.tiles import tiles

Blend = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


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
        radius: distance from the hole's edge, in pixels, above 0, at which the correction has faded to 37 %.

    Raises:
        UserError: the radius is not above 0 or not finite.
    """

    radius: float = 4.0

    def __post_init__(self) -> None:
        if not 0 < self.radius < math.inf:
            raise UserError(f"blend: radius={self.radius} cannot be used: give a finite number above 0")

    def __call__(self, filled: np.ndarray, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """Takes and returns the same as ``Paste``."""
        if hole.all() or not hole.any():
            return Paste()(filled, image, hole)
        finished = image.copy()
        for tile in tiles(hole, self._reach):
            corrected = filled[tile.window].astype(np.float32)
            if not hole[tile.window].all():
                self._correct(corrected, image[tile.window], hole[tile.window])
            missing = hole[tile.inner]
            finished[tile.inner][missing] = _to_levels(corrected[tile.core][missing])
        return finished

    @property
    def _reach(self) -> int:
        """Distance from which on the correction, of at most 255 levels, is less than half a level, and so without effect."""
        return math.ceil(1 + self.radius * math.log(510))

    def _correct(self, filled: np.ndarray, image: np.ndarray, hole: np.ndarray) -> None:
        """Corrects an answer, float (H, W, 3), in place."""
        distance: np.ndarray
        distance, (rows, columns) = distance_transform_edt(hole, return_indices=True)  # pyright: ignore[reportGeneralTypeIssues]
        lacking = image[rows, columns] - filled[rows, columns]
        filled += lacking * np.exp(-(distance - 1) / self.radius)[..., None]


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
        finished = image.copy()
        for channels, correction in extend(hole, np.subtract(image, filled, dtype=np.int16)):
            finished[hole, channels] = _to_levels(filled[hole, channels] + correction)
        return finished


def _to_levels(values: np.ndarray) -> np.ndarray:
    return values.round().clip(0, 255).astype(np.uint8)
