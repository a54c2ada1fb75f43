"""Colour bleeding: known pixels that have taken on the paint which covers a hole beside them.

Compression with loss, brushes with soft edges and scaling mix a colour with its surroundings. Taken for known, such pixels
would tint the whole completion.
"""

import cv2
import numpy as np

REACH = 8  # pixels around a hole that are looked at: a block of JPEG
FAR = 2 * REACH  # the pixels beyond REACH, up to here, show the colours without the paint
MOST = 4  # pixels into which paint bleeds; those beyond show how colours change by themselves
LOSSY = 3  # pixels in files compressed with loss: JPEG shares colours between two, and errs a little farther
NEAR = 24  # levels from the median of a part that still count as the same paint
PLAIN = 0.95  # share of such pixels from which a part is painted
CONTRAST = 32  # levels between the paint and its surroundings at least
SHARE = 0.05  # of the paint in a ring of pixels from which it has bled there
OWN = 0.3  # share of the pixels beyond MOST that are like the paint, from which it is a colour of the picture, like a plain coat
PARTS = 64  # a hole of more parts is scattered, not painted
BLED = "paint over the hole has bled, so {} pixels around it are completed too"


def include_bleeding(pixels: np.ndarray, hole: np.ndarray, lossy: bool = False) -> np.ndarray:
    """Widens the parts of a hole that are painted with one colour by the pixels into which it has bled.

    Args:
        pixels: uint8 (H, W, 3).
        hole: bool (H, W).
        lossy: True if the picture was compressed with loss, which lets every paint bleed.

    Returns:
        The wider hole, bool (H, W); ``hole`` itself if nothing has bled.
    """
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(hole.astype(np.uint8), connectivity=8)
    if count - 1 > PARTS:
        return hole
    wider, from_any = hole.copy(), _distance(hole)
    for label, (left, top, width, height, _) in enumerate(boxes[1:], 1):
        window = np.s_[max(0, top - FAR) : top + height + FAR, max(0, left - FAR) : left + width + FAR]
        part = labels[window] == label
        distance = _distance(part)
        shares = _shares(pixels[window].astype(np.float32), from_any[window], part, distance)
        if shares is not None:
            rings = np.arange(REACH)
            natural = np.polyval(np.polyfit(rings[MOST:], shares[MOST:], 1), rings)
            measured = int(np.argmin([*(shares - natural > SHARE)[:MOST], False]))
            wider[window] |= distance <= max(measured, LOSSY * lossy)
    return wider if (wider != hole).any() else hole


def _shares(pixels: np.ndarray, from_any: np.ndarray, part: np.ndarray, distance: np.ndarray) -> np.ndarray | None:
    """The share of a part's paint in the rings of pixels around it, from 0 to 1; None if it is not painted.

    A part over a plain coat looks painted, but the coat continues beside it, farther than paint bleeds.

    Args:
        pixels: float32 (H, W, 3).
        from_any: distance of each pixel from the hole, float32 (H, W).
        part: bool (H, W).
        distance: of each pixel from the part, float32 (H, W).
    """
    depth = _distance(~part)
    inside = pixels[depth > min(2.0, depth.max() - 0.5)]
    paint = np.median(inside, axis=0)
    clean = ((from_any > REACH) & (distance <= FAR)).astype(np.float32)
    if (np.abs(inside - paint).max(1) <= NEAR).mean() < PLAIN or not clean.any():
        return None
    weight = cv2.GaussianBlur(clean, (0, 0), REACH)
    around = cv2.GaussianBlur(pixels * clean[..., None], (0, 0), REACH) / np.maximum(weight, 1e-6)[..., None]
    contrast = paint - around
    seen = (from_any > 0) & (weight > 1e-3) & (np.abs(contrast).max(-1) >= CONTRAST)
    rings = [seen & (distance > radius) & (distance <= radius + 1) for radius in range(REACH)]
    if not all(ring.any() for ring in rings):
        return None
    change, most = ((pixels - around) * contrast).sum(-1), np.square(contrast).sum(-1)
    beyond = np.logical_or.reduce(rings[MOST:])
    if (change[beyond] > most[beyond] / 2).mean() > OWN:
        return None
    return np.array([change[ring].sum() / most[ring].sum() for ring in rings])


def _distance(part: np.ndarray) -> np.ndarray:
    """Distance of each pixel from a part, bool (H, W); 0 inside."""
    return cv2.distanceTransform((~part).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
