"""A rotated square of a photo, shown upright to the model."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.nn.functional import interpolate

from ganfill.cancellation import check_cancelled
from ganfill.images import pixels
from ganfill.images.tiles import tiles

Bounds = tuple[int, int, int, int]


@dataclass(frozen=True)
class Square:
    """A square region that may be rotated and may reach beyond the photo, where nothing is known.

    Attributes:
        x, y: centre, in pixels from the photo's left and upper edges.
        side: in pixels of the photo.
        angle: in degrees, counter-clockwise.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0

    def shrink(self, photo: np.ndarray, hole: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
        """Resamples the region at a model's resolution.

        Args:
            photo: uint8 (H, W, 3); the content of its hole is ignored.
            hole: bool (H, W).
            resolution: R.

        Returns:
            Colours 0 to 255, float (R, R, 3), and the hole, bool (R, R). A small pixel is known only if all photo pixels
            that fall into it are known.
        """
        top, left, bottom, right = self.bounds(hole.shape)
        known = (~hole[top:bottom, left:right]).astype(np.uint8)
        layers = np.dstack([photo[top:bottom, left:right] * known[..., None], known * np.uint8(255)])
        # Enough samples for linear interpolation to reach nearly every photo pixel at any angle.
        samples = math.ceil(max(self.side / resolution, 1))
        n = samples * resolution
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        sampled = cv2.warpAffine(layers, self._to_photo(n, top, left), (n, n), flags=flags)
        blocks = sampled.reshape(resolution, samples, resolution, samples, 4)
        check_cancelled()
        total = blocks.sum((1, 3), dtype=np.int64)
        colours = 255 * total[..., :3] / np.maximum(total[..., 3:], 1)
        missing = blocks[..., 3].min((1, 3)) < 255
        # Interpolation weights are rounded, so a missing pixel between two samples may not show up in either of them.
        for tile in tiles(hole):
            y, x = (axis + begin.start for axis, begin in zip(np.nonzero(hole[tile.inner]), tile.inner, strict=True))
            row, column = (np.floor((axis + 0.5) * resolution).astype(int) for axis in self._from_photo(y, x))
            inside = (np.minimum(row, column) >= 0) & (np.maximum(row, column) < resolution)
            missing[row[inside], column[inside]] = True
        return colours, missing

    def enlarge(self, answer: torch.Tensor, shape: tuple[int, ...]) -> np.ndarray:
        """Resamples an answer, float (3, R, R) in [-1, 1], to ``bounds`` of a photo (H, W): uint8 (h, w, 3).

        Pixels outside the region repeat its edge.
        """
        n = max(1, round(self.side))
        top, left, bottom, right = self.bounds(shape)
        return cv2.warpAffine(
            to_size(answer, (n, n)),
            self._to_photo(n, top, left),
            (right - left, bottom - top),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def bounds(self, shape: tuple[int, ...]) -> Bounds:
        """(top, left, bottom, right) of the part of a photo (H, W) that contains the region and one pixel around it."""
        reach = self.side / 2 * (abs(math.cos(math.radians(self.angle))) + abs(math.sin(math.radians(self.angle)))) + 1
        (top, bottom), (left, right) = (
            (min(max(math.floor(middle - reach), 0), length - 1), max(min(math.ceil(middle + reach), length), 1))
            for middle, length in ((self.y, shape[0]), (self.x, shape[1]))
        )
        return top, left, bottom, right

    def distance(self, shape: tuple[int, ...]) -> np.ndarray:
        """Distances of the pixels of a photo (H, W) from the centre: 0 to 1 inside, infinite outside; float32 (H, W)."""
        check_cancelled()
        top, left, bottom, right = self.bounds(shape)
        row, column = self._from_photo(np.arange(top, bottom)[:, None], np.arange(left, right)[None])
        distance = 2 * np.maximum(abs(row), abs(column))
        result = np.full(shape, np.inf, np.float32)
        result[top:bottom, left:right] = np.where(distance <= 1, distance, np.inf)
        return result

    def _from_photo(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns in the square of pixels of the photo, -0.5 to 0.5 inside."""
        down, across = y + 0.5 - self.y, x + 0.5 - self.x
        cos, sin = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        return (across * sin + down * cos) / self.side, (across * cos - down * sin) / self.side

    def _to_photo(self, n: int, top: int, left: int) -> np.ndarray:
        """The affine map (2, 3) from pixel centres of the square, n x n pixels, to those of a part of the photo."""
        step = self.side / n
        cos, sin = step * math.cos(math.radians(self.angle)), step * math.sin(math.radians(self.angle))
        rotation = np.array([[cos, sin], [-sin, cos]])
        shift = np.array([self.x - left, self.y - top]) - 0.5 - rotation @ np.full(2, (n - 1) / 2)
        return np.column_stack([rotation, shift])


def to_size(answer: torch.Tensor, size: tuple[int, int]) -> np.ndarray:
    """An answer, float (3, R, R) in [-1, 1], scaled by bicubic interpolation: uint8 (height, width, 3)."""
    if answer.shape[1:] == size:
        return pixels.to_uint8(answer).numpy()
    result = np.empty((*size, len(answer)), np.uint8)
    for channel in range(len(answer)):  # one by one, because the interpolated floats of a large photo take much memory
        check_cancelled()
        scaled = interpolate(answer[None, channel, None], size=size, mode="bicubic", antialias=True)[0]
        result[..., channel] = pixels.to_uint8(scaled)[..., 0].numpy()
    return result
