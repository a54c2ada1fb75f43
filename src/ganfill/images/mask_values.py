"""Reads which pixels a mask marks, whatever program it comes from."""

import cv2
import numpy as np
from PIL import Image

from ganfill.cancellation import check_cancelled
from ganfill.errors import UserError
from ganfill.images.photo import Photo

COLOURED = 96  # difference of the channels from which on a pixel is coloured
GREY = 40  # difference of the channels up to which a pixel is grey; those in between are edges
SHARE = 0.001  # of the pixels; fewer are noise
SPREAD = 30  # standard deviation of the levels of one flat area
CONTRAST = 32  # levels between the lightest and the darkest pixel; below, there is one level, with noise
FEW = 8  # levels of a mask without noise and soft edges
NOISE = 32  # this part of the highest level may be noise of a level
EDGES = 0.5  # share of the pixels that may be soft edges
REMEDY = "make missing pixels white and all others black"


def read(mask: Photo, name: str) -> np.ndarray:
    """Returns the marked pixels, bool (H, W), by the first rule that fits.

    | the mask has                                         | marked is                          |
    |------------------------------------------------------|------------------------------------|
    | paint of one colour on a transparent ground          | the paint                          |
    | two colours                                          | the coloured or else lighter one   |
    | colours on one level of grey                         | the coloured part                  |
    | two levels of grey, soft edges between them included | the lighter one, from half way on  |
    | one level                                            | all if it is lighter than the half |

    Args:
        mask: the picture of the mask.
        name: for the message.

    Raises:
        UserError: no rule fits, as for photos and for labels of several objects.
    """
    pixels, alpha = mask.pixels, mask.alpha
    if mask.deep is not None:
        return _split(mask.deep, name, mask.lossy)
    if alpha is not None and alpha.any() and alpha.min() <= alpha.max() // 2:
        opaque = (alpha > alpha.max() // 2).astype(np.uint8)
        if cv2.meanStdDev(pixels, mask=opaque)[1].max() > SPREAD:
            raise UserError(
                f"{name} has several colours beside transparent pixels: complete it with mask=alpha, or {REMEDY}"
            )
        return _split(alpha, f"the transparency of {name}", mask.lossy)
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    red, green, blue = np.moveaxis(pixels, 2, 0)
    colour = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    coloured = colour > COLOURED
    check_cancelled()
    if len(_distinct(red.astype(np.uint32) << 16 | green.astype(np.uint32) << 8 | blue)) == 2:
        return coloured if 0 < coloured.mean() < 1 else grey == grey.max()
    if SHARE <= coloured.mean() < 1:
        plain = grey[colour <= GREY]
        if plain.size and plain.std() <= SPREAD:
            return colour > COLOURED // 2
        raise UserError(f"{name} is ambiguous, with colours and several levels of grey: {REMEDY}")
    return _split(grey, name, mask.lossy)


def _split(values: np.ndarray, name: str, lossy: bool) -> np.ndarray:
    """Returns the higher one of two levels, bool (H, W); the border lies half way between them.

    A level is where a pixel equals all its neighbours; pixels of thin lines and of soft edges do not.

    Args:
        values: uint8 or uint16 (H, W).
        name: for the message.
        lossy: the file was compressed with loss, which makes further levels.
    """
    counts = _count(values)
    found = np.flatnonzero(counts)
    low, high = int(found[0]), int(found[-1])
    if len(found) == 2:
        return values == high
    if high - low < CONTRAST:
        middle = np.iinfo(values.dtype).max // 2
        if high > 0 and low <= middle:
            raise UserError(f"{name} has levels from {low} to {high}, none lighter than middle grey: {REMEDY}")
        return values > middle
    few = len(found) <= FEW and not lossy
    noise = 0 if few else high // NOISE
    square = np.ones((3, 3), np.uint8)
    flat = _count(values, cv2.erode(values, square) == cv2.dilate(values, square))
    levels = np.flatnonzero(flat > (0 if few else SHARE * values.size))
    if len(levels) and levels[-1] - levels[0] > noise:
        low, high = int(levels[0]), int(levels[-1])
    elif len(levels):  # the other one has thin lines only
        level = int(levels[0])
        low, high = (level, high) if high - level > level - low else (low, level)
    all_levels = np.arange(len(counts))
    between = (abs(all_levels - low) > noise) & (abs(all_levels - high) > noise)
    if not len(levels) or between[levels].any() or counts[between].sum() > EDGES * values.size:
        raise UserError(f"{name} is ambiguous, with more than two levels of grey: {REMEDY}")
    return values > (low + high) // 2


def _count(values: np.ndarray, chosen: np.ndarray | None = None) -> np.ndarray:
    """The number of pixels of each level, of all or of those ``chosen``, bool (H, W)."""
    size = np.iinfo(values.dtype).max + 1
    mask = None if chosen is None else chosen.astype(np.uint8)
    return cv2.calcHist([values], [0], mask, [size], [0, size]).ravel()


def _distinct(values: np.ndarray) -> np.ndarray:
    """The distinct values of an integer array below 2**24, in linear time."""
    found = np.zeros(1 << 24, bool)
    found[values] = True
    return np.flatnonzero(found)
