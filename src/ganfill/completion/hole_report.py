"""Reports how each part of a hole was filled: where a face was found, by which method, and how well it fits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganfill.images.alignment import Placement
from ganfill.images.hole_parts import extent, split
from ganfill.images.regions import Region
from ganfill.images.rotated_square import Square


@dataclass(frozen=True)
class SearchedSquare:
    """A region that the model saw.

    Attributes:
        left, top, right, bottom: in pixels of the photo, before the rotation.
        angle: of the rotation about the centre, in degrees, counter-clockwise.
        face: probability of the face that was found there, 0 to 1; None if the region was given or assumed.
        score: of the best answer, smaller is better; None if no search was needed.
    """

    left: int
    top: int
    right: int
    bottom: int
    angle: float
    face: float | None
    score: float | None

    def __str__(self) -> str:
        found = "region" if self.face is None else f"face ({self.face:.0%} certain)"
        turned = f", turned by {self.angle:.0f} degrees" if abs(self.angle) >= 1 else ""
        score = "" if self.score is None else f", score {self.score:.3f}"
        return f"{found} {self.left},{self.top},{self.right},{self.bottom}{turned}{score}"


@dataclass(frozen=True)
class HoleReport:
    """A part of the hole and how it was filled.

    Attributes:
        left, top, right, bottom: of the part, in pixels of the photo.
        pixels: missing ones.
        method: ``model``, ``neighbours`` (classical filling), or ``model and neighbours``.
        squares: the regions that the model saw of it.
    """

    left: int
    top: int
    right: int
    bottom: int
    pixels: int
    method: str
    squares: list[SearchedSquare]

    def __str__(self) -> str:
        seen = f" in {' and '.join(map(str, self.squares))}" if self.squares else ""
        return f"{self.right - self.left}x{self.bottom - self.top} at {self.left},{self.top}: {self.method}{seen}"


def describe_regions(placement: Placement, scores: Sequence[float | None]) -> list[SearchedSquare]:
    """Describes the regions of a photo; ``scores`` are those of their best answers, None without a search."""
    faces = [*placement.scores, *[None] * (len(placement.regions) - len(placement.scores))]
    return [_describe(*values) for values in zip(placement.regions, faces, scores, strict=True)]


def describe_holes(
    hole: np.ndarray, squares: Sequence[SearchedSquare], filled: Sequence[np.ndarray]
) -> list[HoleReport]:
    """Reports on each part of a hole, the largest first.

    Args:
        hole: bool (H, W), True where a pixel is missing.
        squares: that the model saw.
        filled: missing pixels that each of them fills, bool (H, W).
    """
    reports = []
    for part in split(hole):
        pixels = [int((part & inside).sum()) for inside in filled]
        searched = sum(n for n, square in zip(pixels, squares, strict=True) if square.score is not None)
        missing = int(part.sum())
        words = ["model"] * (searched > 0) + ["neighbours"] * (searched < missing)
        (top, bottom), (left, right) = extent(part)
        seen = [square for square, n in zip(squares, pixels, strict=True) if n]
        reports.append(HoleReport(left, top, right, bottom, missing, " and ".join(words), seen))
    return reports


def _describe(region: Region, face: float | None, score: float | None) -> SearchedSquare:
    face = None if face is None else round(face, 3)
    if not isinstance(region, Square):
        return SearchedSquare(region.left, region.top, region.right, region.bottom, 0.0, face, score)
    left, top, side = round(region.x - region.side / 2), round(region.y - region.side / 2), round(region.side)
    return SearchedSquare(left, top, left + side, top + side, round(region.angle, 1), face, score)
