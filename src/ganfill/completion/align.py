"""Where a model looks: each ``(photo, hole, resolution) -> Placement``."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ganfill.completion.faces import find_faces
from ganfill.completion.view import Box, Region
from ganfill.completion.warp import Square
from ganfill.errors import UserError

LARGE = 2  # times the model's size; a smaller photo is taken for a crop of the model's own kind
SAME = 0.2  # of the side: how far a found face may be from a photo that is itself such a crop


@dataclass(frozen=True)
class Placement:
    """Where to look in a photo.

    Attributes:
        regions: that need an answer; a hole outside all of them is none of the model's business.
        warning: what the user should know, or nothing.
    """

    regions: tuple[Region, ...]
    warning: str = ""


Alignment = Callable[[np.ndarray, np.ndarray, int], Placement]


def whole(photo: np.ndarray, hole: np.ndarray, resolution: int) -> Placement:
    """The whole photo, squeezed to a square if it is none.

    Args:
        photo: uint8 (H, W, 3); what its hole holds plays no part.
        hole: bool (H, W), True somewhere.
        resolution: of the model.
    """
    return Placement((Box(0, 0, *hole.shape),))


def center(photo: np.ndarray, hole: np.ndarray, resolution: int) -> Placement:
    """The largest square in the middle, slid along the longer side as far as the hole needs; as ``whole``.

    If no such square holds the whole hole, it is the whole photo.
    """
    height, width = hole.shape
    side = min(height, width)
    rows, columns = np.nonzero(hole.any(1))[0], np.nonzero(hole.any(0))[0]
    corner = []
    for length, used in ((height, rows), (width, columns)):
        if used[-1] - used[0] >= side:
            return whole(photo, hole, resolution)
        begin = (length - side) // 2
        corner.append(min(max(begin, int(used[-1]) + 1 - side), int(used[0])))
    return Placement((Box(corner[0], corner[1], corner[0] + side, corner[1] + side),))


def face(photo: np.ndarray, hole: np.ndarray, resolution: int) -> Placement:
    """The squares of the faces that the hole touches; as ``whole``.

    Photos smaller than twice the model's size, and those that are a face's square themselves, are seen as by ``center``;
    so are, with a warning, photos in which no face is found.
    """
    usual = center(photo, hole, resolution)
    if min(hole.shape) < LARGE * resolution or hole.all():
        return usual
    faces = find_faces(photo, hole)
    if not faces:
        return Placement(
            usual.regions, "no face found, so its middle is taken for one; align=box box=... tells where it is"
        )
    if len(faces) == 1 and _is_whole(faces[0], hole.shape):
        return usual
    return _touched(tuple(faces), hole)


@dataclass(frozen=True)
class Given:
    """Squares that the user gives."""

    squares: tuple[Square, ...]

    def __call__(self, photo: np.ndarray, hole: np.ndarray, resolution: int) -> Placement:
        """Those that the hole touches; as ``whole``."""
        return _touched(self.squares, hole)


ALIGNMENTS: dict[str, Alignment] = {"face": face, "center": center, "none": whole}


def find_alignment(word: str, box: str | None = None) -> Alignment:
    """Reads an alignment as people write it.

    Args:
        word: ``face``, ``center``, ``none`` or ``box``.
        box: for ``box``: ``left,top,right,bottom`` in pixels of the upright photo; several with semicolons.

    Raises:
        UserError: there is no such alignment, or the squares are missing or no squares.
    """
    if (word == "box") != (box is not None):
        remedy = "needs box=left,top,right,bottom" if word == "box" else f"does not use box={box}: give align=box"
        raise UserError(f"align={word} {remedy}")
    if box is not None:
        return Given(tuple(_parse(part) for part in box.split(";")))
    if word not in ALIGNMENTS:
        raise UserError(f"align={word} is not known: use {', '.join(ALIGNMENTS)} or box")
    return ALIGNMENTS[word]


def _parse(text: str) -> Square:
    try:
        left, top, right, bottom = map(float, text.strip("[] ").split(","))
    except ValueError:
        raise UserError(f"box={text} is no square: give left,top,right,bottom in pixels") from None
    side = right - left
    if not (side >= 1 and abs(bottom - top - side) <= 1):
        raise UserError(f"box={text} is {side:g}x{bottom - top:g} pixels: give a square")
    return Square((left + right) / 2, (top + bottom) / 2, side)


def _is_whole(square: Square, shape: tuple[int, ...]) -> bool:
    """True if a photo (H, W) is square and a face's square is about all of it."""
    side = min(shape)
    near = max(abs(square.x - shape[1] / 2), abs(square.y - shape[0] / 2), abs(square.side - side)) < SAME * side
    return near and max(shape) - side <= 1


def _touched(squares: tuple[Square, ...], hole: np.ndarray) -> Placement:
    return Placement(tuple(square for square in squares if (hole & np.isfinite(square.distance(hole.shape))).any()))
