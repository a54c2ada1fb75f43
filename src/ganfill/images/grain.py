"""The noise of a photo, measured around a hole and added to what fills it."""

import cv2
import numpy as np

from ganfill.cancellation import check_cancelled

REACH = 24  # pixels around the hole in which the noise is measured
# Second differences in both directions: edges and slopes cancel, and white noise of standard deviation 1 becomes 6
# (Immerkaer 1996). The median of absolute values is 0.6745 standard deviations.
KERNEL = np.outer([1, -2, 1], [1, -2, 1]).astype(np.float32)
TO_DEVIATION = 1 / (6 * 0.6745)
FEWEST = 50  # pixels; fewer say too little


def measure(photo: np.ndarray, hole: np.ndarray) -> float:
    """Standard deviation of the brightness noise around a hole, in levels.

    Args:
        photo: uint8 (H, W, 3); the content of its hole is ignored.
        hole: bool (H, W), True where a pixel is missing.
    """
    missing = hole.astype(np.uint8)
    beyond = cv2.dilate(missing, np.ones((3, 3), np.uint8)) > 0  # their second differences involve the hole
    near = (cv2.dilate(missing, np.ones((2 * REACH + 1,) * 2, np.uint8)) > 0) & ~beyond
    if near.sum() < FEWEST:
        return 0.0
    brightness = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.median(abs(cv2.filter2D(brightness, -1, KERNEL)[near])) * TO_DEVIATION)


def add(picture: np.ndarray, deviation: float) -> np.ndarray:
    """Adds white noise of equal strength in all channels to uint8 (H, W, 3); a shape always gets the same noise."""
    rng, noisy = np.random.default_rng(0), np.empty_like(picture)
    for row, levels in zip(noisy, picture, strict=True):
        check_cancelled()
        row[...] = (levels + rng.normal(0, deviation, (len(levels), 1))).round().clip(0, 255)
    return noisy
