"""Colour bleeding: known pixels that have taken on the paint which covers a hole beside them.

Compression with loss, brushes with soft edges and scaling mix a colour with its surroundings. Taken for known, such pixels
would tint the whole completion.
"""

import cv2
import numpy as np

from ganfill.images.tiles import tiles

REACH = 8  # pixels around a hole that are looked at: a block of JPEG
FAR = 2 * REACH  # the pixels beyond REACH, up to here, show the colours without the paint
MOST = 4  # pixels into which paint bleeds; those beyond show how colours change by themselves
LOSSY = 3  # pixels in files compressed with loss: JPEG shares colours between two, and errs a little farther
NEAR = 24  # levels from the median of a part that still count as the same paint
PLAIN = 0.95  # share of such pixels from which a part is painted
CONTRAST = 32  # levels between the paint and its surroundings at least
SHARE = 0.05  # of the paint in a ring of pixels from which it has bled there
OWN = 0.3  # share of pixels like the paint beyond MOST from which it is a colour of the picture, such as a plain coat
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
        shares = _shares(pixels[window], from_any[window], part, distance)
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
        pixels: uint8 (H, W, 3).
        from_any: distance of each pixel from the hole, float32 (H, W).
        part: bool (H, W).
        distance: of each pixel from the part, float32 (H, W).
    """
    depth = _distance(~part)
    inside = pixels[depth > min(2.0, depth.max() - 0.5)].astype(np.float32)
    paint = np.median(inside, axis=0)
    clean = (from_any > REACH) & (distance <= FAR)
    if (np.abs(inside - paint).max(1) <= NEAR).mean() < PLAIN or not clean.any():
        return None
    change, most, counts = np.zeros((3, REACH))
    alike = 0
    for tile in tiles((distance > 0) & (distance <= REACH), 4 * REACH):  # the blur reaches as far
        colours, weight = pixels[tile.window].astype(np.float32), clean[tile.window].astype(np.float32)
        around = cv2.GaussianBlur(colours * weight[..., None], (0, 0), REACH)
        weight = cv2.GaussianBlur(weight, (0, 0), REACH)
        around /= np.maximum(weight, 1e-6)[..., None]
        contrast = paint - around
        seen = (from_any[tile.window] > 0) & (weight > 1e-3) & (np.abs(contrast).max(-1) >= CONTRAST)
        ring = np.ceil(distance[tile.window]).astype(int) - 1
        used = np.zeros_like(seen)
        used[tile.core] = (seen & (ring >= 0) & (ring < REACH))[tile.core]
        ring, contrast = ring[used], contrast[used]
        changed, full = ((colours - around)[used] * contrast).sum(-1), np.square(contrast).sum(-1)
        change += np.bincount(ring, changed, REACH)
        most += np.bincount(ring, full, REACH)
        counts += np.bincount(ring, minlength=REACH)
        alike += np.count_nonzero((ring >= MOST) & (changed > full / 2))
    if not counts.all() or alike > OWN * counts[MOST:].sum():
        return None
    return change / most


def _distance(part: np.ndarray) -> np.ndarray:
    """Distance of each pixel from a part, bool (H, W); 0 inside."""
    return cv2.distanceTransform((~part).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
