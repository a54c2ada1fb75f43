"""Classical inpainting from neighbouring pixels: each ``(image, hole) -> picture``.

Good for small or scattered holes; the baselines of a generative search on all others.
"""

from collections.abc import Callable

import cv2
import numpy as np
from skimage.restoration import inpaint_biharmonic

from ganfill.images.harmonic import extend
from ganfill.images.sheets import damaged

Continuation = Callable[[np.ndarray, np.ndarray], np.ndarray]

SLOW = 50_000  # missing pixels above which the biharmonic equation takes more than a second
RADIUS = 3  # pixels around a missing one that OpenCV's methods use


def biharmonic(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Biharmonic inpainting (Damelin and Hoang 2018) by scikit-image.

    Args:
        image: uint8 (H, W, 3); the content of its hole is ignored.
        hole: bool (H, W), True where a pixel is missing.

    Returns:
        uint8 (H, W, 3), equal to ``image`` outside the hole; grey in the hole if nothing is known.
    """
    if hole.all() or not hole.any():
        return damaged(image, hole)
    filled = inpaint_biharmonic(damaged(image, hole), hole, channel_axis=-1)
    return np.where(hole[..., None], (filled * 255).round().clip(0, 255).astype(np.uint8), image)


def telea(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Fast marching (Telea 2004) by OpenCV; arguments and result as of ``biharmonic``."""
    return _opencv(image, hole, cv2.INPAINT_TELEA)


def navier_stokes(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Navier-Stokes (Bertalmio et al. 2001) by OpenCV; arguments and result as of ``biharmonic``."""
    return _opencv(image, hole, cv2.INPAINT_NS)


def harmonic(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Smooth filling within the range of the known pixels, in linear time; arguments and result as of ``biharmonic``."""
    filled = damaged(image, hole)
    if not hole.all() and hole.any():
        for channels, values in extend(hole, image):
            filled[hole, channels] = values.round().clip(0, 255).astype(np.uint8)
    return filled


def suited(hole: np.ndarray) -> Continuation:
    """``biharmonic``, or ``harmonic`` for holes, bool (H, W), for which it would be slow."""
    return biharmonic if hole.sum() <= SLOW else harmonic


def _opencv(image: np.ndarray, hole: np.ndarray, method: int) -> np.ndarray:
    hidden = damaged(image, hole)
    if hole.all():
        return hidden
    return np.where(hole[..., None], cv2.inpaint(hidden, hole.astype(np.uint8), RADIUS, method), image)
