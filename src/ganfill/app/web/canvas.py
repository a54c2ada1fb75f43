"""What a visitor paints on: the photo at a handy size, and the hole that the paint makes at the photo's own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganfill.images.photo import enlarge
from ganfill.images.sheets import fit

SIDE = 1024  # of the square that a photo is fitted into, small or large, so that a brush acts alike on all of them
BRUSH = 40  # its radius, in pixels of those
PAINT = (225, 87, 68)


@dataclass(frozen=True)
class Canvas:
    """The size at which a photo is shown, and the hole that it was shown with.

    Attributes:
        size: (h, w) of the shown picture.
        hole: bool (H, W), of the photo's size; missing from the beginning, by its transparency or a mask.
    """

    size: tuple[int, int]
    hole: np.ndarray

    @classmethod
    def of(cls, photo: np.ndarray, hole: np.ndarray) -> "Canvas":
        """The canvas of a photo, uint8 (H, W, 3)."""
        return cls(shown(photo).shape[:2], hole)

    def layers(self) -> list[np.ndarray]:
        """The hole as paint, uint8 (h, w, 4); none if there is no hole."""
        if not self.hole.any():
            return []
        missing = enlarge(self.hole, *self.size)
        return [np.dstack([np.full((*self.size, 3), PAINT, np.uint8), np.where(missing, np.uint8(255), np.uint8(0))])]

    def read(self, layers: Sequence[np.ndarray]) -> np.ndarray:
        """The hole that is painted now.

        Where nobody painted or erased, it is the one that was given, at the photo's own precision; and so it is where there
        is no paint at all, since a slow editor may not show yet what it was given.

        Args:
            layers: uint8 (h, w, 4); missing is what any of them covers, however thinly.

        Returns:
            bool (H, W).
        """
        now = np.zeros(self.size, bool)
        for layer in layers:
            now |= enlarge(layer[..., 3] > 0, *self.size)
        if not now.any():
            return self.hole
        touched = now != enlarge(self.hole, *self.size)
        return np.where(self._to_photo(touched), self._to_photo(now), self.hole)

    def _to_photo(self, painted: np.ndarray) -> np.ndarray:
        """What is painted, bool (h, w), in the photo; of a photo that is shown enlarged, every pixel that is touched."""
        (height, width), times = self.hole.shape, self.size[0] // self.hole.shape[0]
        if times > 1:
            return np.any(painted.reshape(height, times, width, times), (1, 3))
        return enlarge(painted, height, width)


def shown(picture: np.ndarray) -> np.ndarray:
    """A picture, uint8 (H, W, 3), as large as it is shown; small ones enlarged by whole pixels."""
    return np.asarray(fit(picture, SIDE))
