"""Filling without a model, from the neighbouring pixels: each ``(image, hole) -> picture``.

Good for holes that are small or scattered, and the baselines that a generative search has to beat on the others.
"""

from collections.abc import Callable

import cv2
import numpy as np
from skimage.restoration import inpaint_biharmonic

Continuation = Callable[[np.ndarray, np.ndarray], np.ndarray]

MISSING = 128
SLOW = 50_000  # missing pixels; the biharmonic equation of more takes many seconds
RADIUS = 3  # pixels around a missing one that OpenCV's two look at


def biharmonic(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The smoothest continuation (Damelin and Hoang 2018), by scikit-image.

    Args:
        image: uint8 (H, W, 3); what its hole holds plays no part.
        hole: bool (H, W), True where a pixel is missing.

    Returns:
        uint8 (H, W, 3), equal to ``image`` outside the hole; grey in the hole if nothing is known.
    """
    if hole.all() or not hole.any():
        return _hidden(image, hole)
    filled = inpaint_biharmonic(_hidden(image, hole), hole, channel_axis=-1)
    return np.where(hole[..., None], (filled * 255).round().clip(0, 255).astype(np.uint8), image)


def telea(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Fast marching (Telea 2004), by OpenCV; as ``biharmonic``."""
    return _opencv(image, hole, cv2.INPAINT_TELEA)


def navier_stokes(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Isophotes continued as stream lines (Bertalmio et al. 2001), by OpenCV; as ``biharmonic``."""
    return _opencv(image, hole, cv2.INPAINT_NS)


def suited(hole: np.ndarray) -> Continuation:
    """``biharmonic``, or ``telea`` for holes, bool (H, W), that are so large that it would take long."""
    return biharmonic if hole.sum() <= SLOW else telea


def _opencv(image: np.ndarray, hole: np.ndarray, method: int) -> np.ndarray:
    hidden = _hidden(image, hole)
    if hole.all():
        return hidden
    return np.where(hole[..., None], cv2.inpaint(hidden, hole.astype(np.uint8), RADIUS, method), image)


def _hidden(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    return np.where(hole[..., None], np.uint8(MISSING), image)
