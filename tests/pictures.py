"""Pictures, holes and a search that several tests share."""

from io import BytesIO

import numpy as np
from PIL import Image

from ganfill.search.presets import standard

QUICK = standard(steps=4, starts=2, pool=16, precision="fp32")


def photo(size, seed=0):
    """Noise, uint8 (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def rectangle(size, top, left, bottom, right):
    """A hole, bool (height, width), with its edges in shares of the picture; at least one row high."""
    hole = np.zeros(size, bool)
    hole[int(top * size[0]) : max(1, int(bottom * size[0])), int(left * size[1]) : int(right * size[1])] = True
    return hole


def encoded(pixels, kind="PNG", **options):
    """The content of a picture's file."""
    Image.fromarray(pixels).save(file := BytesIO(), kind, **options)
    return file.getvalue()
