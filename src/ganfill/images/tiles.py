"""Tiles of large pictures: what is computed tile by tile needs little memory and can be ended between two tiles."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ganfill.cancellation import check_cancelled

SIDE = 512  # of a tile, in pixels; tiles with a wide margin are larger, so that the margins cost less than the tiles

Part = tuple[slice, slice]


@dataclass(frozen=True)
class Tile:
    """A part of a picture with its surroundings.

    Attributes:
        window: the tile and the margin around it, inside the picture.
        inner: the tile itself, inside the picture.
        core: the tile itself, inside the window.
    """

    window: Part
    inner: Part
    core: Part


def tiles(hole: np.ndarray, margin: int = 0) -> Iterator[Tile]:
    """Yields the tiles that contain missing pixels; checks for cancellation before each.

    Args:
        hole: bool (H, W), True where a pixel is missing.
        margin: pixels around each tile, as far as the picture reaches.
    """
    (height, width), side = hole.shape, max(SIDE, 4 * margin)
    for top in range(0, height, side):
        for left in range(0, width, side):
            check_cancelled()
            inner = np.s_[top : min(top + side, height), left : min(left + side, width)]
            if hole[inner].any():
                window = tuple(
                    slice(max(part.start - margin, 0), min(part.stop + margin, length))
                    for part, length in zip(inner, hole.shape, strict=True)
                )
                core = tuple(
                    slice(part.start - around.start, part.stop - around.start)
                    for part, around in zip(inner, window, strict=True)
                )
                yield Tile((window[0], window[1]), inner, (core[0], core[1]))
