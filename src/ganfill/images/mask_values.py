"""Reads which pixels a mask marks, whatever program it comes from."""

import numpy as np
from PIL import Image

from ganfill.cancellation import check_cancelled
from ganfill.errors import UserError
from ganfill.images.photo import Photo

COLOURED = 96  # difference of the channels from which on a pixel is coloured
GREY = 40  # difference of the channels up to which a pixel is grey; those in between are edges
SHARE = 0.001  # of the pixels; fewer coloured ones are noise
SPREAD = 30  # standard deviation of the grey levels of one flat area
LIGHT = 127  # lighter pixels are missing
REMEDY = "make missing pixels white and all others black"


def read(mask: Photo, name: str) -> np.ndarray:
    """Returns the marked pixels, bool (H, W).

    In this order: where the mask has two colours, the coloured one or otherwise the lighter one is marked; a colour on one
    level of grey is marked; paint on a transparent ground is marked; otherwise pixels lighter than middle grey are.

    Args:
        mask: the picture of the mask.
        name: for the message.

    Raises:
        UserError: the mask has coloured and white areas, or several levels and none lighter than middle grey.
    """
    pixels = mask.pixels
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    red, green, blue = np.moveaxis(pixels, 2, 0)
    colour = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    coloured = colour > COLOURED
    if mask.deep is not None and len(levels := _distinct(mask.deep)) == 2:
        return mask.deep == levels[1]
    check_cancelled()
    colours = _distinct(red.astype(np.uint32) << 16 | green.astype(np.uint32) << 8 | blue)
    if len(colours) == 2:
        return coloured if 0 < coloured.mean() < 1 else grey == grey.max()
    if SHARE <= coloured.mean() < 1:
        plain = grey[colour <= GREY]
        if plain.size and plain.std() <= SPREAD:
            return colour > COLOURED // 2
        raise UserError(f"{name} is ambiguous, with colours and several levels of grey: {REMEDY}")
    if len(colours) == 1 and mask.alpha is not None and mask.alpha.min() < mask.alpha.max():
        return mask.alpha > LIGHT
    marked = grey > LIGHT
    if not marked.any() and grey.max() > 0:
        raise UserError(f"{name} has levels from {grey.min()} to {grey.max()}, none lighter than middle grey: {REMEDY}")
    return marked


def _distinct(values: np.ndarray) -> np.ndarray:
    """The distinct values of an integer array below 2**24, in linear time."""
    found = np.zeros(1 << 24, bool)
    found[values] = True
    return np.flatnonzero(found)
