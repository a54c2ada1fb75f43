"""The drawing canvas: a photo scaled for the editor, and the hole that the paint marks in the photo."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganfill.app.errors import RequestError
from ganfill.images.photo import enlarge
from ganfill.images.sheets import fit

SIDE = 1024  # of the square that every photo is scaled to, so that a brush has the same effect on all of them
BRUSH = 40  # its radius in pixels of the scaled photo
PAINT = (225, 87, 68)


@dataclass(frozen=True)
class Canvas:
    """The size of a scaled photo, and the photo's initial hole.

    Attributes:
        size: (h, w) of the scaled photo.
        hole: bool (H, W), of the photo's size, from its transparency or a mask.
    """

    size: tuple[int, int]
    hole: np.ndarray

    @classmethod
    def of(cls, photo: np.ndarray, hole: np.ndarray) -> "Canvas":
        """Returns the canvas of a photo, uint8 (H, W, 3)."""
        return cls(scale_to_canvas(photo).shape[:2], hole)

    def layers(self) -> list[np.ndarray]:
        """Returns the hole as paint, uint8 (h, w, 4), or nothing if the hole is empty."""
        if not self.hole.any():
            return []
        alpha = np.where(enlarge(self.hole, *self.size), np.uint8(255), np.uint8(0))
        return [np.dstack([np.full((*self.size, 3), PAINT, np.uint8), alpha])]

    def read(self, layers: Sequence[np.ndarray]) -> np.ndarray:
        """Returns the hole that is painted now, bool (H, W).

        Pixels that were neither painted nor erased keep their value in the initial hole, at the photo's resolution. If there
        is no paint at all, all pixels do, because a slow editor may not have loaded the initial paint yet.

        Args:
            layers: uint8 (h, w, 4); a pixel is missing if any of them covers it, however thinly.
        """
        painted = np.zeros(self.size, bool)
        for layer in layers:
            painted |= enlarge(layer[..., 3] > 0, *self.size)
        if not painted.any():
            return self.hole
        changed = painted != enlarge(self.hole, *self.size)
        return np.where(self._to_photo(changed), self._to_photo(painted), self.hole)

    def _to_photo(self, marked: np.ndarray) -> np.ndarray:
        """Scales marks, bool (h, w), to the photo: after a whole factor, onto every pixel that they touch."""
        (height, width), factor = self.hole.shape, self.size[0] // self.hole.shape[0]
        if factor > 1 and self.size == (height * factor, width * factor):
            return np.any(marked.reshape(height, factor, width, factor), (1, 3))
        return enlarge(marked, height, width)


def parse_box(text: str, height: int, width: int) -> np.ndarray:
    """Returns the hole of a box, bool (H, W).

    Args:
        text: left, top, right and bottom in pixels, separated by commas or spaces; right and bottom are excluded.
        height: of the photo.
        width: of the photo.

    Raises:
        RequestError: the text is not a box in the photo.
    """
    shown = f"the box “{text:.40}”"
    try:
        left, top, right, bottom = map(int, text.replace(",", " ").split())
    except ValueError:
        raise RequestError(f"{shown} is not left, top, right, bottom in whole pixels, such as 10, 20, 60, 50") from None
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise RequestError(
            f"{shown} is empty or leaves the photo: give 0 ≤ left < right ≤ {width} and 0 ≤ top < bottom ≤ {height}"
        )
    hole = np.zeros((height, width), bool)
    hole[top:bottom, left:right] = True
    return hole


def scale_to_canvas(picture: np.ndarray) -> np.ndarray:
    """Scales a picture, uint8 (H, W, 3), to the canvas; small pictures by whole factors."""
    return np.asarray(fit(picture, SIDE))
