"""Regions of photos of any size, scaled to the size of a model and back.

Nothing of the hole leaks into known pixels when a region is scaled down. Answers are scaled up and blended into the hole at
the photo's own size.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ganfill.cancellation import check_cancelled
from ganfill.images import grain, pixels
from ganfill.images.blend import Blend
from ganfill.images.photo import bins
from ganfill.images.rotated_square import Bounds, Square, to_size


@dataclass(frozen=True)
class Box:
    """An upright rectangle inside the photo, in whole pixels; the model sees it squeezed to a square.

    Its methods do the same as those of ``Square``.
    """

    top: int
    left: int
    bottom: int
    right: int

    @property
    def side(self) -> float:
        """The mean of both sides."""
        return (self.bottom - self.top + self.right - self.left) / 2

    def shrink(self, photo: np.ndarray, hole: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
        """Resamples the region at a model's resolution."""
        part, missing = self._cut(photo), self._cut(hole)
        if missing.shape == (resolution, resolution):
            return np.where(missing[..., None], 0.0, part), missing.copy()
        rows, columns = (_overlap(length, resolution) for length in missing.shape)
        total = np.empty((resolution, resolution, 4))
        for y, shares in enumerate(rows):
            check_cancelled()
            inside = shares > 0
            known = ~missing[inside, :, None]
            # Weighted by what is known of each pixel, so that the hole has no share in the mean.
            total[y] = columns @ np.tensordot(shares[inside], np.dstack([part[inside] * known, known]), 1)
        share = total[..., 3:]
        return np.where(share > 0, total[..., :3] / np.maximum(share, 1e-12), 0), _any_inside(missing, resolution)

    def enlarge(self, answer: torch.Tensor, shape: tuple[int, ...]) -> np.ndarray:
        """Resamples an answer to ``bounds``."""
        top, left, bottom, right = self.bounds(shape)
        enlarged = to_size(answer, (self.bottom - self.top, self.right - self.left))
        margins = (self.top - top, bottom - self.bottom), (self.left - left, right - self.right), (0, 0)
        return np.pad(enlarged, margins, mode="edge") if np.any(margins) else enlarged

    def bounds(self, shape: tuple[int, ...]) -> Bounds:
        """(top, left, bottom, right) of the region and one pixel around it."""
        height, width = shape
        return max(self.top - 1, 0), max(self.left - 1, 0), min(self.bottom + 1, height), min(self.right + 1, width)

    def distance(self, shape: tuple[int, ...]) -> np.ndarray:
        """1 inside and infinite outside, float32 (H, W). A ``Square`` has 1 at its edge, so it gets the pixels in both."""
        result = np.full(shape, np.inf, np.float32)
        self._cut(result)[...] = 1
        return result

    def _cut(self, array: np.ndarray) -> np.ndarray:
        return array[self.top : self.bottom, self.left : self.right]


Region = Box | Square


@dataclass(frozen=True)
class View:
    """A region of a photo as a model sees it.

    Attributes:
        region: part of the photo.
        image: float (3, R, R) in [-1, 1], 0 in the hole.
        hole: bool (1, R, R).
    """

    region: Region
    image: torch.Tensor
    hole: torch.Tensor


def make_view(photo: np.ndarray, hole: np.ndarray, region: Region, resolution: int) -> View:
    """Scales a region of a photo to a model's resolution.

    Args:
        photo: uint8 (H, W, 3); the content of its hole is ignored.
        hole: bool (H, W), True where a pixel is missing.
        region: part of the photo.
        resolution: R.
    """
    colours, missing = region.shrink(photo, hole, resolution)
    small_hole = torch.from_numpy(missing)[None]
    image = torch.where(small_hole, 0.0, pixels.to_float(torch.from_numpy(colours).float()))
    return View(region, image, small_hole)


def assign_to_regions(hole: np.ndarray, regions: tuple[Region, ...]) -> tuple[list[np.ndarray], np.ndarray]:
    """Assigns every missing pixel to the ``Square`` whose centre is nearest, relative to its size, or else to a ``Box``.

    Args:
        hole: bool (H, W).
        regions: of the photo.

    Returns:
        The missing pixels of each region, bool (H, W), and those outside all regions.
    """
    nearest = np.full(hole.shape, np.inf, np.float32)
    owner = np.full(hole.shape, -1, np.int16)
    for i, region in enumerate(regions):
        check_cancelled()
        distance = region.distance(hole.shape)
        owner[distance < nearest] = i
        nearest = np.minimum(nearest, distance)
    return [hole & (owner == i) for i in range(len(regions))], hole & (owner < 0)


def blend_answer(
    answer: torch.Tensor, photo: np.ndarray, hole: np.ndarray, part: np.ndarray, region: Region, blend: Blend
) -> None:
    """Scales an answer to the photo's size, blends it into a part of the hole, in place, and adds the photo's noise.

    Args:
        answer: float (3, R, R) in [-1, 1].
        photo: uint8 (H, W, 3); changes in ``part`` only.
        hole: bool (H, W), all pixels that are still missing.
        part: bool (H, W), the missing pixels inside the region that the answer fills.
        region: that the answer belongs to.
        blend: ``(filled, image, hole) -> picture``.
    """
    check_cancelled()
    # The bounds include one more pixel, so that a hole at the region's edge also meets the known pixels beyond it.
    top, left, bottom, right = region.bounds(hole.shape)
    inside = np.s_[top:bottom, left:right]
    blended = blend(region.enlarge(answer, hole.shape), photo[inside], hole[inside])
    # Noise averages out when a photo is scaled down, and an enlarged answer lacks what was lost.
    factor = max(region.side / answer.shape[-1], 1.0)
    if factor > 1 and (deviation := grain.measure(photo[inside], hole[inside]) * (1 - factor**-2) ** 0.5):
        blended = grain.add(blended, deviation)
    np.copyto(photo[inside], blended, where=part[inside][..., None])


def _any_inside(missing: np.ndarray, resolution: int) -> np.ndarray:
    """True where any pixel that falls into a small pixel is missing; bool (resolution, resolution)."""
    for axis, length in enumerate(missing.shape):
        if length < resolution:
            missing = missing.take(bins(resolution, length), axis)
        else:
            begins = np.searchsorted(bins(length, resolution), np.arange(resolution))
            missing = np.logical_or.reduceat(missing, begins, axis)
    return missing


def _overlap(length: int, resolution: int) -> np.ndarray:
    """Shares (resolution, length) of each pixel in each small pixel: a box filter, exact for any ratio."""
    edges = np.arange(resolution + 1) * (length / resolution)
    begin, end = np.arange(length), np.arange(length) + 1
    return (np.minimum(edges[1:, None], end) - np.maximum(edges[:-1, None], begin)).clip(0)
