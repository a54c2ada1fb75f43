"""Photos of any size in front of a model of one size.

The model sees regions of the photo, scaled down so that nothing of the hole leaks into a known pixel; its answers are
scaled up again and blended into the hole at the photo's own size.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch.nn.functional import interpolate

from ganfill.images import pixels
from ganfill.images.blend import Blend
from ganfill.images.photo import bins
from ganfill.images.rotated_square import Bounds


class Region(Protocol):
    """A part of a photo that a model looks at."""

    def shrink(self, photo: np.ndarray, hole: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
        """Colours 0 to 255, float (R, R, 3), and hole, bool (R, R), of a photo, uint8 (H, W, 3), and its hole.

        What the hole holds plays no part. A small pixel is known only if all the photo's pixels that fall into it are.
        """
        ...

    def enlarge(self, answer: torch.Tensor, shape: tuple[int, ...]) -> np.ndarray:
        """An answer, float (3, R, R) in [-1, 1], as it lies over ``bounds``: uint8 (h, w, 3); its edge goes on outside."""
        ...

    def bounds(self, shape: tuple[int, ...]) -> Bounds:
        """(top, left, bottom, right) of the part of a photo (H, W) that holds it and one pixel around it."""
        ...

    def distance(self, shape: tuple[int, ...]) -> np.ndarray:
        """How far from the middle each pixel of a photo (H, W) is: 0 to 1 inside, infinite outside; float32 (H, W)."""
        ...


@dataclass(frozen=True)
class Box:
    """An upright rectangle inside the photo, in whole pixels; the model sees it squeezed to a square."""

    top: int
    left: int
    bottom: int
    right: int

    def shrink(self, photo: np.ndarray, hole: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
        """As ``Region``."""
        part, missing = self._cut(photo), self._cut(hole)
        known = (~missing)[..., None].astype(np.float64)
        rows, columns = (_overlap(length, resolution) for length in missing.shape)
        # Colours are weighted by what is known of each pixel, so that the hole has no share in the mean.
        colours = np.einsum("yi,ijc,xj->yxc", rows, part * known, columns, optimize=True)
        share = np.einsum("yi,ijc,xj->yxc", rows, known, columns, optimize=True)
        return np.where(share > 0, colours / np.maximum(share, 1e-12), 0), _any_inside(missing, resolution)

    def enlarge(self, answer: torch.Tensor, shape: tuple[int, ...]) -> np.ndarray:
        """As ``Region``."""
        size = self.bottom - self.top, self.right - self.left
        if answer.shape[1:] != size:
            answer = interpolate(answer[None], size=size, mode="bicubic", antialias=True)[0]
        top, left, bottom, right = self.bounds(shape)
        margins = (self.top - top, bottom - self.bottom), (self.left - left, right - self.right), (0, 0)
        return np.pad(pixels.to_uint8(answer).numpy(), margins, mode="edge")

    def bounds(self, shape: tuple[int, ...]) -> Bounds:
        """As ``Region``."""
        return (
            max(self.top - 1, 0),
            max(self.left - 1, 0),
            min(self.bottom + 1, shape[0]),
            min(self.right + 1, shape[1]),
        )

    def distance(self, shape: tuple[int, ...]) -> np.ndarray:
        """As ``Region``, but 0 everywhere inside."""
        result = np.full(shape, np.inf, np.float32)
        self._cut(result)[...] = 0
        return result

    def _cut(self, array: np.ndarray) -> np.ndarray:
        return array[self.top : self.bottom, self.left : self.right]


@dataclass(frozen=True)
class View:
    """What a model sees of a photo.

    Attributes:
        region: the part of the photo.
        image: float (3, R, R) in [-1, 1], 0 in the hole.
        hole: bool (1, R, R).
    """

    region: Region
    image: torch.Tensor
    hole: torch.Tensor


def look(photo: np.ndarray, hole: np.ndarray, region: Region, resolution: int) -> View:
    """Scales a region of a photo down (or up) to a model's resolution.

    Args:
        photo: uint8 (H, W, 3); what its hole holds plays no part.
        hole: bool (H, W), True where a pixel is missing.
        region: what to look at.
        resolution: R.
    """
    colours, missing = region.shrink(photo, hole, resolution)
    small_hole = torch.from_numpy(missing)[None]
    image = torch.where(small_hole, 0.0, pixels.to_float(torch.from_numpy(colours).float()))
    return View(region, image, small_hole)


def share_out(hole: np.ndarray, regions: tuple[Region, ...]) -> tuple[list[np.ndarray], np.ndarray]:
    """Gives every missing pixel to the region whose middle is nearest in terms of the region's size.

    Args:
        hole: bool (H, W).
        regions: of the photo.

    Returns:
        The pixels of each region, bool (H, W), and those outside all of them.
    """
    nearest = np.full(hole.shape, np.inf, np.float32)
    owner = np.full(hole.shape, -1)
    for i, region in enumerate(regions):
        distance = region.distance(hole.shape)
        owner[distance < nearest] = i
        nearest = np.minimum(nearest, distance)
    return [hole & (owner == i) for i in range(len(regions))], hole & (owner < 0)


def finish(
    answer: torch.Tensor, photo: np.ndarray, hole: np.ndarray, part: np.ndarray, region: Region, blend: Blend
) -> np.ndarray:
    """Scales an answer to the photo's size and blends it into its part of the hole.

    Args:
        answer: float (3, R, R) in [-1, 1].
        photo: uint8 (H, W, 3).
        hole: bool (H, W), all that is still missing.
        part: bool (H, W), what the answer shall fill: missing pixels inside the region.
        region: that was looked at.
        blend: ``(filled, image, hole) -> picture``.

    Returns:
        uint8 (H, W, 3), equal to the photo outside ``part``.
    """
    # The bounds reach one pixel further: a hole at the region's edge has to meet the known pixels beyond it as well.
    top, left, bottom, right = region.bounds(hole.shape)
    inside = np.s_[top:bottom, left:right]
    blended = blend(region.enlarge(answer, hole.shape), photo[inside], hole[inside])
    finished = photo.copy()
    finished[inside] = np.where(part[inside][..., None], blended, photo[inside])
    return finished


def _any_inside(missing: np.ndarray, resolution: int) -> np.ndarray:
    """True where one of the pixels that fall into a small pixel is missing; bool (resolution, resolution)."""
    for axis, length in enumerate(missing.shape):
        if length < resolution:
            missing = missing.take(bins(resolution, length), axis)
        else:
            begins = np.searchsorted(bins(length, resolution), np.arange(resolution))
            missing = np.logical_or.reduceat(missing, begins, axis)
    return missing


def _overlap(length: int, resolution: int) -> np.ndarray:
    """Shares (resolution, length) of each pixel in each small pixel: the box filter, exact for any ratio."""
    edges = np.arange(resolution + 1) * (length / resolution)
    begin, end = np.arange(length), np.arange(length) + 1
    return (np.minimum(edges[1:, None], end) - np.maximum(edges[:-1, None], begin)).clip(0)
