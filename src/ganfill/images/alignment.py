"""Chooses the regions of a photo that the model completes: each ``(photo, hole, resolution) -> Placement``."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path

import numpy as np

from ganfill.errors import UserError
from ganfill.images.face_yunet import Landmarks
from ganfill.images.faces import Face, find_faces
from ganfill.images.hole_parts import depth, extent, is_shallow, split, split_by_depth
from ganfill.images.regions import Box, Region
from ganfill.images.rotated_square import Square

LARGE = 2  # times the model's size; a smaller photo is assumed to be a crop like those the model was trained on
SAME = 0.1  # of the side; deviation of a detected face from the photo up to which the photo is that face's crop
SLIGHT = 0.1  # of a part of the hole or of the face, whichever is smaller; a face that the part covers less is left out
FOUND = 0.5  # of a part of the hole that faces must cover, so that the part counts as found
FAR_SMALLER = 3  # times; a square smaller than the hole's spread by this factor may be a false one
# Depth of a hole, in shorter sides of the photo, from which on it may hide so much of a face as large as the photo that the
# face cannot be found; the middle half of each side has a depth of 0.25.
HIDING = 0.2
WHERE = "use align=box box=left,top,right,bottom to say where"
OTHERWISE = f"if it hides one, {WHERE}; if the model draws something else, use align=center"


@dataclass(frozen=True)
class Placement:
    """Regions of a photo that the model completes.

    Attributes:
        regions: that the hole touches; missing pixels outside all regions are filled without the model.
        warning: for the user, or empty.
        scores: probabilities of the faces found in the first regions, 0 to 1; the other regions were given or assumed.
    """

    regions: tuple[Region, ...]
    warning: str = ""
    scores: tuple[float, ...] = ()


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
    for (begin, end), length in zip(extent(hole), hole.shape, strict=True):
        if end - begin > side:
            return whole(photo, hole, resolution)
        corner.append(min(max((length - side) // 2, end - side), begin))
    return Placement((_square_box(corner, side),))


@dataclass(frozen=True)
class Faces:
    """The squares of the faces that the hole touches.

    Photos smaller than twice the model's size, and photos that are a face's square themselves, are treated as by ``center``.
    If no face is found at the hole, a part of it that is deep enough to hide a face as large as the photo is assumed to be
    the middle half of one. All other missing pixels are left to their neighbours, because the model would draw a face there.
    A warning says so, unless they are so thin that their neighbours fill them well.

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
        for face in faces:
            if _is_whole(face.square, hole.shape):
                return replace(default, scores=(face.score,))
        deep, shallow = split_by_depth(hole)
        parts = [*split(deep), *split(shallow)]
        insides = [np.isfinite(face.square.distance(hole.shape)) for face in faces]
        kept = [i for i in range(len(faces)) if any(_counts(i, insides, part) for part in parts)]
        covered = _union([insides[i] for i in kept], hole.shape)
        squares = [faces[i].square for i in kept]
        boxes = [] if squares else [_around(part) for part in split(deep) if depth(part) >= HIDING * min(hole.shape)]
        warning = _warning(squares, boxes, covered, parts)
        return Placement((*squares, *boxes), warning, tuple(faces[i].score for i in kept))


face = Faces()


@dataclass(frozen=True)
class Given:
    """Squares that the user gives."""

    squares: tuple[Square, ...]

    def __call__(self, photo: np.ndarray, hole: np.ndarray, resolution: int) -> Placement:
        """The squares that the hole touches, with a warning of the others; takes the same arguments as ``whole``."""
        touched = [(hole & np.isfinite(square.distance(hole.shape))).any() for square in self.squares]
        squares = tuple(compress(self.squares, touched))
        if all(touched):
            return Placement(squares)
        missed = ";".join(_corners(square) for square, hit in zip(self.squares, touched, strict=True) if not hit)
        rest = hole & ~_union((np.isfinite(square.distance(hole.shape)) for square in squares), hole.shape)
        filled = "; neighbouring pixels fill what lies outside all boxes" if rest.any() else ""
        return Placement(squares, f"box={missed} does not touch the hole, so it is not used{filled}")


ALIGNMENTS: dict[str, Alignment] = {"face": face, "center": center, "none": whole}


def find_alignment(word: str, box: str | None = None, landmarks: str | None = None) -> Alignment:
    """Parses an alignment.

    Args:
        word: ``face``, ``center``, ``none`` or ``box``.
        box: for ``box``: ``left,top,right,bottom`` in pixels of the upright photo, with what ``expand`` has
            added; several are separated by semicolons.
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
        raise UserError(f"box={text} is not a square: give left,top,right,bottom in pixels") from None
    side = right - left
    if not (side >= 1 and abs(bottom - top - side) <= 1):
        raise UserError(f"box={text} is {side:g}x{bottom - top:g} pixels: give a square")
    return Square((left + right) / 2, (top + bottom) / 2, side)


def _corners(square: Square) -> str:
    x, y, reach = square.x, square.y, square.side / 2
    return f"{x - reach:g},{y - reach:g},{x + reach:g},{y + reach:g}"


def _counts(i: int, insides: list[np.ndarray], part: np.ndarray) -> bool:
    """True if the face with the pixels ``insides[i]`` is to be completed where it touches a part of the hole."""
    covered = (part & insides[i]).sum()
    if not 0 < covered < SLIGHT * min(part.sum(), insides[i].sum()):
        return bool(covered)
    return is_shallow(part & ~_union(insides, part.shape))


def _around(hole: np.ndarray) -> Box:
    """The square whose middle half is the hole's extent, limited by the photo; the whole photo if no square holds it."""
    spans = extent(hole)
    longer = _longer(hole)
    if longer > min(hole.shape):
        return Box(0, 0, *hole.shape)
    side = min(2 * longer, *hole.shape)
    lengths = zip(spans, hole.shape, strict=True)
    return _square_box(
        [min(max((begin + end - side) // 2, 0), length - side) for (begin, end), length in lengths], side
    )


def _warning(squares: list[Square], boxes: list[Box], covered: np.ndarray, parts: list[np.ndarray]) -> str:
    """Says that no face was found for some part of the hole, and doubts one far smaller than it; empty if all is well."""
    if boxes:
        whole = all(box == Box(0, 0, *covered.shape) for box in boxes)
        filled = "the whole photo" if whole else "the hole's surroundings"
        return f"no face found at the hole, so one is assumed to fill {filled}; {WHERE}"
    if not squares:
        thin = all(map(is_shallow, parts))
        return "" if thin else f"no face found at the hole, so neighbouring pixels fill it; {OTHERWISE}"
    if all((part & covered).sum() >= FOUND * part.sum() for part in parts):
        return ""
    text = f"{len(squares)} face{'s' * (len(squares) > 1)} found for a part of the hole: "
    side, spread = max(square.side for square in squares), max(map(_longer, parts))
    if spread > FAR_SMALLER * side:
        text += f"a face of {side:.0f} pixels may be a false one, as the hole spreads over {spread}; "
    return f"{text}neighbouring pixels fill the rest; {WHERE}"


def _longer(hole: np.ndarray) -> int:
    return max(end - begin for begin, end in extent(hole))


def _square_box(corner: list[int], side: int) -> Box:
    top, left = corner
    return Box(top, left, top + side, left + side)


def _is_whole(square: Square, shape: tuple[int, ...]) -> bool:
    """True if a photo (H, W) is square and a face's square covers about all of it."""
    side = min(shape)
    near = max(abs(square.x - shape[1] / 2), abs(square.y - shape[0] / 2), abs(square.side - side)) < SAME * side
    return near and max(shape) - side <= 1


def _union(masks: Iterable[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    union = np.zeros(shape, bool)
    for mask in masks:
        union |= mask
    return union
