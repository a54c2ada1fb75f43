"""A square of a photo, turned as a head is turned, in front of a model that knows upright ones."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.nn.functional import interpolate

from ganfill.images import pixels

Bounds = tuple[int, int, int, int]


@dataclass(frozen=True)
class Square:
    """A square that may be turned and may reach beyond the photo; nothing is known there.

    Attributes:
        x, y: its middle, in pixels from the photo's left and upper edge.
        side: in pixels of the photo.
        angle: in degrees, counter-clockwise.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0

    def shrink(self, photo: np.ndarray, hole: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
        """The square at a model's resolution.

        Args:
            photo: uint8 (H, W, 3); what its hole holds plays no part.
            hole: bool (H, W).
            resolution: R.

        Returns:
            Colours 0 to 255, float (R, R, 3), and the hole, bool (R, R): a small pixel is known only if all the photo's
            pixels that it is made of are.
        """
        top, left, bottom, right = self.bounds(hole.shape)
        known = (~hole[top:bottom, left:right]).astype(np.uint8)
        layers = np.dstack([photo[top:bottom, left:right] * known[..., None], known * np.uint8(255)])
        # So many samples that linear interpolation reaches nearly every pixel, whatever the angle.
        each = math.ceil(max(self.side / resolution, 1))
        n = each * resolution
        sampled = cv2.warpAffine(layers, self._to_photo(n, top, left), (n, n), flags=cv2.WARP_INVERSE_MAP)
        blocks = sampled.reshape(resolution, each, resolution, each, 4)
        total = blocks.sum((1, 3), dtype=np.int64)
        colours = 255 * total[..., :3] / np.maximum(total[..., 3:], 1)
        missing = blocks[..., 3].min((1, 3)) < 255
        # OpenCV counts in 32nds of a pixel, so that one between samples may have no part in any of them.
        row, column = (np.floor((place + 0.5) * resolution).astype(int) for place in self._places(*np.nonzero(hole)))
        inside = (np.minimum(row, column) >= 0) & (np.maximum(row, column) < resolution)
        missing[row[inside], column[inside]] = True
        return colours, missing

    def bounds(self, shape: tuple[int, ...]) -> Bounds:
        """(top, left, bottom, right) of the part of a photo (H, W) that holds it and one pixel around it."""
        reach = self.side / 2 * (abs(math.cos(math.radians(self.angle))) + abs(math.sin(math.radians(self.angle)))) + 1
        (top, bottom), (left, right) = (
            (min(max(math.floor(middle - reach), 0), length - 1), max(min(math.ceil(middle + reach), length), 1))
            for middle, length in ((self.y, shape[0]), (self.x, shape[1]))
        )
        return top, left, bottom, right

    def distance(self, shape: tuple[int, ...]) -> np.ndarray:
        """How far from the middle each pixel of a photo (H, W) is: 0 to 1 inside, infinite outside; float32 (H, W)."""
        top, left, bottom, right = self.bounds(shape)
        row, column = self._places(np.arange(top, bottom)[:, None], np.arange(left, right)[None])
        far = 2 * np.maximum(abs(row), abs(column))
        result = np.full(shape, np.inf, np.float32)
        result[top:bottom, left:right] = np.where(far <= 1, far, np.inf)
        return result

    def enlarge(self, answer: torch.Tensor, shape: tuple[int, ...]) -> np.ndarray:
        """An answer, float (3, R, R) in [-1, 1], as it lies over ``bounds``: uint8 (h, w, 3); its edge goes on outside."""
        n = max(1, round(self.side))
        if answer.shape[1] != n:
            answer = interpolate(answer[None], size=(n, n), mode="bicubic", antialias=True)[0]
        top, left, bottom, right = self.bounds(shape)
        return cv2.warpAffine(
            pixels.to_uint8(answer).numpy(),
            self._to_photo(n, top, left),
            (right - left, bottom - top),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def _places(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where pixels of the photo lie in the square: rows and columns from -0.5 to 0.5 inside."""
        down, across = y + 0.5 - self.y, x + 0.5 - self.x
        cos, sin = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        return (across * sin + down * cos) / self.side, (across * cos - down * sin) / self.side

    def _to_photo(self, n: int, top: int, left: int) -> np.ndarray:
        """From places in the square of n x n pixels to those in a part of the photo, both counted between pixel centres."""
        step = self.side / n
        cos, sin = step * math.cos(math.radians(self.angle)), step * math.sin(math.radians(self.angle))
        turn = np.array([[cos, sin], [-sin, cos]])
        shift = np.array([self.x - left, self.y - top]) - 0.5 - turn @ np.full(2, (n - 1) / 2)
        return np.column_stack([turn, shift])
