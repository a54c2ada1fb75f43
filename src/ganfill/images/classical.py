"""Classical inpainting from neighbouring pixels: each ``(image, hole) -> picture``.

Good for thin and scattered holes; the baselines of a generative search on all others.
"""

from collections.abc import Callable

import cv2
import numpy as np
from skimage.restoration import inpaint_biharmonic

from ganfill.cancellation import check_cancelled
from ganfill.images.harmonic import extend
from ganfill.images.hole_parts import is_shallow
from ganfill.images.sheets import damaged

Continuation = Callable[[np.ndarray, np.ndarray], np.ndarray]

MARGIN = 16  # pixels around the hole that the methods get to see
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
    """``biharmonic`` for thin holes, bool (H, W); ``harmonic`` for large ones, in which the former overshoots."""
    return biharmonic if hole.sum() <= SLOW and is_shallow(hole) else harmonic


def fill_from_neighbours(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Fills a hole by the suited method, within the range of the pixels around it; as ``biharmonic``."""
    finished, method = image.copy(), suited(hole)
    # Parts that are farther apart do not see each other.
    grown = cv2.dilate(hole.astype(np.uint8), np.ones((2 * MARGIN + 1, 2 * MARGIN + 1), np.uint8))
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(grown)
    for label, (left, top, width, height, _) in enumerate(boxes[1:], 1):
        check_cancelled()
        near = np.s_[top : top + height, left : left + width]
        part = hole[near] & (labels[near] == label)
        np.copyto(finished[near], limit(method(image[near], part), part), where=part[..., None])
    return finished


def limit(filled: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Limits each connected part of a hole to the range of the pixels around it, in each channel.

    Args:
        filled: uint8 (H, W, 3).
        hole: bool (H, W), True where a pixel was missing.
    """
    count, found = cv2.connectedComponents(hole.astype(np.uint8))
    labels = np.asarray(found, np.intp)
    lowest, highest = np.full((count, 3), 255, np.uint8), np.zeros((count, 3), np.uint8)
    around, known = np.pad(labels, 1), np.pad(~hole, 1)
    pixels = np.pad(filled, ((1, 1), (1, 1), (0, 0)))
    for down, across in np.ndindex(3, 3):
        neighbour = np.roll(around, (down - 1, across - 1), (0, 1))
        rim = known & (neighbour > 0)
        label = neighbour[rim].astype(np.intp)
        np.minimum.at(lowest, label, pixels[rim])
        np.maximum.at(highest, label, pixels[rim])
    alone = lowest > highest  # nothing is known
    lowest[alone], highest[alone] = 0, 255
    return np.where(hole[..., None], filled.clip(lowest[labels], highest[labels]), filled)


def _opencv(image: np.ndarray, hole: np.ndarray, method: int) -> np.ndarray:
    hidden = damaged(image, hole)
    if hole.all():
        return hidden
    return np.where(hole[..., None], cv2.inpaint(hidden, hole.astype(np.uint8), RADIUS, method), image)
