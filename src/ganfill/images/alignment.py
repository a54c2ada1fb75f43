"""Chooses the regions of a photo that the model completes: each ``(photo, hole, resolution) -> Placement``."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganfill.errors import UserError
from ganfill.images.face_cascade import Face, find_faces
from ganfill.images.face_yunet import Landmarks
from ganfill.images.regions import Box, Region
from ganfill.images.rotated_square import Square

LARGE = 2  # times the model's size; a smaller photo is assumed to be a crop like those the model was trained on
NEAR = 0.6  # of the photo's longer side; a smaller part around the hole is searched for faces a second time, by itself
SURE = 12  # votes of a face elsewhere from which on the hole is assumed to lie outside all faces
SAME = 0.2  # of the side; deviation of a detected face from the photo up to which the photo is that face's crop
WHERE = "align=box box=left,top,right,bottom tells where it is"
NO_FACE = f"no face found, so one is assumed to fill {{}}; {WHERE}"


@dataclass(frozen=True)
class Placement:
    """Regions of a photo that the model completes.

    Attributes:
        regions: that the hole touches; missing pixels outside all regions are filled without the model.
        warning: for the user, or empty.
    """

    regions: tuple[Region, ...]
    warning: str = ""


FaceFinder = Callable[[np.ndarray, np.ndarray], list[Face]]
Alignment = Callable[[np.ndarray, np.ndarray, int], Placement]


def whole(photo: np.ndarray, hole: np.ndarray, resolution: int) -> Placement:
    """The whole photo, squeezed to a square.

    Args:
        photo: uint8 (H, W, 3); the content of its hole is ignored.
        hole: bool (H, W), True somewhere.
        resolution: of the model.
    """
    return Placement((Box(0, 0, *hole.shape),))


def center(photo: np.ndarray, hole: np.ndarray, resolution: int) -> Placement:
    """The largest square in the middle, moved along the longer side as far as the hole requires; arguments as ``whole``.

    The whole photo if no such square contains the hole.
    """
    side = min(hole.shape)
    corner = []
    for (begin, end), length in zip(_extent(hole), hole.shape, strict=True):
        if end - begin > side:
            return whole(photo, hole, resolution)
        corner.append(min(max((length - side) // 2, end - side), begin))
    return Placement((_square_box(corner, side),))


@dataclass(frozen=True)
class Faces:
    """The squares of the faces that the hole touches.

    Photos smaller than twice the model's size, and photos that are a face's square themselves, are treated as by ``center``.
    If no face is found, a warning says so: a square photo is treated as by ``center``; in other photos the hole is assumed
    to be the middle half of a face.

    Args:
        find: ``(photo, hole) -> faces``, the most certain first.
    """

    find: FaceFinder = find_faces

    def __call__(self, photo: np.ndarray, hole: np.ndarray, resolution: int) -> Placement:
        """Takes the same arguments as ``whole``."""
        default = center(photo, hole, resolution)
        if min(hole.shape) < LARGE * resolution or hole.all():
            return default
        faces = self.find(photo, hole)
        if faces and _is_whole(faces[0].square, hole.shape):
            return default
        faces += self._find_near(photo, hole & ~_inside([face.square for face in faces], hole.shape), hole)
        placement = _touched(tuple(face.square for face in faces), hole)
        if placement.regions or any(face.votes >= SURE for face in faces):
            return placement
        box = _around(hole)
        guess = "the whole photo" if box == Box(0, 0, *hole.shape) else "the hole's surroundings"
        return Placement((box,), NO_FACE.format(guess))

    def _find_near(self, photo: np.ndarray, part: np.ndarray, hole: np.ndarray) -> list[Face]:
        """Faces around a part of the hole, bool (H, W), that are too small to be found in the whole photo."""
        if not part.any():
            return []
        (top, bottom), (left, right) = _extent(part)
        reach = 2 * max(bottom - top, right - left)
        top, left = max(top - reach, 0), max(left - reach, 0)
        near = np.s_[top : bottom + reach, left : right + reach]
        if max(hole[near].shape) > NEAR * max(hole.shape):
            return []
        faces = self.find(photo[near], hole[near])
        return [Face(replace(face.square, x=face.square.x + left, y=face.square.y + top), face.votes) for face in faces]


face = Faces()


@dataclass(frozen=True)
class Given:
    """Squares that the user gives."""

    squares: tuple[Square, ...]

    def __call__(self, photo: np.ndarray, hole: np.ndarray, resolution: int) -> Placement:
        """The squares that the hole touches; takes the same arguments as ``whole``."""
        return _touched(self.squares, hole)


ALIGNMENTS: dict[str, Alignment] = {"face": face, "center": center, "none": whole}


def find_alignment(word: str, box: str | None = None, landmarks: str | None = None) -> Alignment:
    """Parses an alignment.

    Args:
        word: ``face``, ``center``, ``none`` or ``box``.
        box: for ``box``: ``left,top,right,bottom`` in pixels of the upright photo; several are separated by semicolons.
        landmarks: for ``face``: the file of a landmark model, see ``Landmarks``.

    Raises:
        UserError: there is no such alignment, a box is missing or not square, or the landmark model cannot be used.
    """
    if (word == "box") != (box is not None):
        remedy = "needs box=left,top,right,bottom" if word == "box" else f"does not use box={box}: give align=box"
        raise UserError(f"align={word} {remedy}")
    if landmarks is not None:
        if word != "face":
            raise UserError(f"align={word} does not use landmarks={landmarks}: give align=face")
        return Faces(Landmarks(Path(landmarks)))
    if box is not None:
        return Given(tuple(_parse_box(part) for part in box.split(";")))
    if word not in ALIGNMENTS:
        raise UserError(f"align={word} is not known: use {', '.join(ALIGNMENTS)} or box")
    return ALIGNMENTS[word]


def _parse_box(text: str) -> Square:
    try:
        left, top, right, bottom = map(float, text.strip("[] ").split(","))
    except ValueError:
        raise UserError(f"box={text} is no square: give left,top,right,bottom in pixels") from None
    side = right - left
    if not (side >= 1 and abs(bottom - top - side) <= 1):
        raise UserError(f"box={text} is {side:g}x{bottom - top:g} pixels: give a square")
    return Square((left + right) / 2, (top + bottom) / 2, side)


def _around(hole: np.ndarray) -> Box:
    """The square whose middle half is the hole's extent, limited by the photo; all of a square photo."""
    height, width = hole.shape
    extent = _extent(hole)
    longer = max(end - begin for begin, end in extent)
    if abs(height - width) <= 1 or longer > min(height, width):
        return Box(0, 0, height, width)
    side = min(2 * longer, height, width)
    lengths = zip(extent, hole.shape, strict=True)
    return _square_box(
        [min(max((begin + end - side) // 2, 0), length - side) for (begin, end), length in lengths], side
    )


def _square_box(corner: list[int], side: int) -> Box:
    top, left = corner
    return Box(top, left, top + side, left + side)


def _is_whole(square: Square, shape: tuple[int, ...]) -> bool:
    """True if a photo (H, W) is square and a face's square covers about all of it."""
    side = min(shape)
    near = max(abs(square.x - shape[1] / 2), abs(square.y - shape[0] / 2), abs(square.side - side)) < SAME * side
    return near and max(shape) - side <= 1


def _inside(squares: Iterable[Square], shape: tuple[int, ...]) -> np.ndarray:
    inside = np.zeros(shape, bool)
    for square in squares:
        inside |= np.isfinite(square.distance(shape))
    return inside


def _touched(squares: tuple[Square, ...], hole: np.ndarray) -> Placement:
    return Placement(tuple(square for square in squares if (hole & _inside([square], hole.shape)).any()))


def _extent(hole: np.ndarray) -> list[tuple[int, int]]:
    """Begin and end of the rows, and of the columns, that the hole touches."""
    used = [np.nonzero(hole.any(axis))[0] for axis in (1, 0)]
    return [(int(indices[0]), int(indices[-1]) + 1) for indices in used]
