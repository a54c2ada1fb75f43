"""Finds faces in damaged photos by RetinaFace; the weights are part of the package."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ganfill.images.classical import telea
from ganfill.images.face_square import correct
from ganfill.images.hole_parts import extent, split
from ganfill.images.retinaface import detect
from ganfill.images.rotated_square import Bounds, Square
from ganfill.images.sheets import damaged

LONGER = 640  # pixels of the photo's longer side when it is searched as a whole
# Sides in pixels to which a part of the hole is scaled when its surroundings are searched. The network sees a face best at
# about 100 pixels, and holes hide from a tenth of a face to nearly all of it.
HOLE_SIDES = (72, 100, 140)
REACH = 1.0  # sides of the hole that are searched on each side of it
SMALLEST = 0.1  # of the photo's shorter side; smaller holes are taken for as large, as the face may be far larger
ENLARGED = 2.0  # factor up to which a part of the photo is enlarged
SEEN = 0.3  # minimum probability of a face in one view, so that its landmarks count
SCORE = 0.7  # minimum probability of a face in its best view
SCORE_HIDDEN = 0.5  # the same for a face that a hole in it hides, so that no view can be certain
HIDDEN = 0.2  # share of a face's square from which on a part of the hole hides the face
CONTAINED = 0.9  # share of that part that must lie in the square
SAME = 0.5  # intersection over union of squares from which on they show the same face
KNOWN = 0.3  # share of a face's square that must be known; below that the detected face is mostly the filled hole
APART = 0.5  # sides of the larger square between two faces; closer together, the less certain one is dropped


@dataclass(frozen=True)
class Face:
    """A face in a photo.

    Attributes:
        square: the crop that FFHQ would use.
        score: probability of a face, 0 to 1.
    """

    square: Square
    score: float


def find_faces(photo: np.ndarray, hole: np.ndarray) -> list[Face]:
    """Finds the faces of a photo, those with the largest sum of scores in all views first.

    The network looks at the whole photo and, at several sizes and mirrored, at the surroundings of each part of the hole.
    The hole is painted grey, and filled by Telea's method. A second network corrects the squares of faces behind the hole.

    Args:
        photo: uint8 (H, W, 3); the content of its hole is ignored.
        hole: bool (H, W), True where a pixel is missing.
    """
    if hole.all():
        return []
    found = [(square, score, i) for i, detections in enumerate(_detect(photo, hole)) for square, score in detections]
    seen = _agree(*zip(*found, strict=True)) if found else []
    faces = keep_known([face for face in seen if face.score >= SCORE or _is_hidden(face, hole)], hole)
    return [replace(face, square=correct(face.square, photo, hole)) for face in faces]


def keep_known(faces: list[Face], hole: np.ndarray) -> list[Face]:
    """Drops faces that are mostly hole, and those that overlap an earlier one."""
    kept: list[Face] = []
    for face in faces:
        square = face.square
        apart = (
            max(abs(square.x - other.square.x), abs(square.y - other.square.y))
            > APART * max(square.side, other.square.side)
            for other in kept
        )
        if all(apart) and _known_share(square, hole) >= KNOWN:
            kept.append(face)
    return kept


def reduce(photo: np.ndarray, hole: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Scales a photo so that nothing of its hole reaches a known pixel; returns the picture and its hole."""
    height, width = (max(1, round(length * factor)) for length in hole.shape)
    known = (~hole).astype(np.uint8)
    layers = np.dstack([photo * known[..., None], known * np.uint8(255)])
    layers = cv2.resize(layers, (width, height), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    share = layers[..., 3:]
    colours = (255 * layers[..., :3].astype(np.float64) / np.maximum(share, 1)).round().clip(0, 255).astype(np.uint8)
    return colours, share[..., 0] < 64  # a quarter of a pixel is enough for its colour


def to_square(points: np.ndarray) -> Square:
    """The square crop of FFHQ (Karras et al. 2019, arXiv 1812.04948, as in the data set's script).

    Args:
        points: (5, 2) x and y of the eyes, the nose and the corners of the mouth; of each pair the picture's left first.
    """
    left, right, _, *mouth = points
    eyes, mouth = (left + right) / 2, np.mean(mouth, 0)
    down = mouth - eyes
    across = right - left + np.array([down[1], -down[0]])
    across *= max(2.0 * np.hypot(*(right - left)), 1.8 * np.hypot(*down)) / max(np.hypot(*across), 1e-9)
    middle = eyes + 0.1 * down
    angle = -np.degrees(np.arctan2(across[1], across[0]))
    return Square(float(middle[0] + 0.5), float(middle[1] + 0.5), float(2 * np.hypot(*across)), float(angle))


@dataclass(frozen=True)
class _View:
    """A part of the photo, (top, left, bottom, right), that the network sees scaled by ``factor``, and mirrored or not."""

    bounds: Bounds
    factor: float
    mirrored: bool = True


def _views(hole: np.ndarray) -> Iterator[_View]:
    """The whole photo, and the surroundings of each part of its hole at several sizes."""
    height, width = hole.shape
    yield _View((0, 0, height, width), min(1.0, LONGER / max(hole.shape)), mirrored=False)
    for part in split(hole):
        (top, bottom), (left, right) = extent(part)
        side = max(bottom - top, right - left, round(SMALLEST * min(hole.shape)))
        reach = round((0.5 + REACH) * side)
        y, x = (top + bottom) // 2, (left + right) // 2
        bounds = max(y - reach, 0), max(x - reach, 0), min(y + reach, height), min(x + reach, width)
        for factor in sorted({min(length / side, ENLARGED) for length in HOLE_SIDES}):
            yield _View(bounds, factor)


def _lies_inside(boxes: np.ndarray, bounds: Bounds, shape: tuple[int, ...]) -> np.ndarray:
    """False for boxes that the edge of a part cuts off, unless it is the photo's edge; bool (n,)."""
    top, left, bottom, right = bounds
    inside = (boxes[:, 0] >= left) | (left == 0), (boxes[:, 1] >= top) | (top == 0)
    return np.all(
        [*inside, (boxes[:, 2] <= right) | (right == shape[1]), (boxes[:, 3] <= bottom) | (bottom == shape[0])], 0
    )


def _detect(photo: np.ndarray, hole: np.ndarray) -> Iterator[list[tuple[Square, float]]]:
    """Yields the squares and scores that the network finds in each picture of each view."""
    for view in _views(hole):
        top, left, bottom, right = view.bounds
        picture, missing = reduce(photo[top:bottom, left:right], hole[top:bottom, left:right], view.factor)
        for shown in [damaged(picture, missing), telea(picture, missing)] if missing.any() else [picture]:
            both = [detect(shown, SEEN)]
            if view.mirrored:
                both.append(detect(shown[:, ::-1], SEEN).mirrored(shown.shape[1]))
            for detections in both:
                moved = detections.moved(1 / view.factor, left, top)
                whole = _lies_inside(moved.boxes, view.bounds, hole.shape)
                squares = map(to_square, moved.points[whole])
                yield [
                    (each, float(score))
                    for each, score in zip(squares, moved.scores[whole], strict=True)
                    if each.side >= 1
                ]


def _agree(squares: Sequence[Square], scores: Sequence[float], pictures: Sequence[int]) -> list[Face]:
    """The faces that squares from several pictures of a photo agree on, certain or not, the largest sum of scores first.

    Each face has the mean square of its best one in each picture, weighted by the scores.
    """
    values = np.array([(square.x, square.y, square.side, square.angle) for square in squares])
    of_picture = [np.flatnonzero(np.equal(pictures, picture)) for picture in set(pictures)]
    same, weights, faces = _overlaps(values) >= SAME, np.array(scores), []
    while weights.any():
        agreeing = same * weights
        first = np.sum([agreeing[:, rows].max(1) for rows in of_picture], axis=0).argmax()
        best = [rows[agreeing[first, rows].argmax()] for rows in of_picture if agreeing[first, rows].any()]
        square = np.average(values[best], axis=0, weights=weights[best])
        faces.append(Face(Square(*map(float, square)), float(weights[best].max())))
        weights[same[first]] = 0
    return faces


def _is_hidden(face: Face, hole: np.ndarray) -> bool:
    """True if a part of the hole lies in a face's square and hides much of it, and the face is as certain as that allows."""
    if face.score < SCORE_HIDDEN:
        return False
    inside = np.isfinite(face.square.distance(hole.shape))
    shared = ((part, (part & inside).sum()) for part in split(hole))
    return any(n >= CONTAINED * part.sum() and n >= HIDDEN * inside.sum() for part, n in shared)


def _overlaps(squares: np.ndarray) -> np.ndarray:
    """Intersection over union of squares (n, 4), as if they were upright: (n, n)."""
    side = squares[:, 2]
    shared = np.ones((len(squares), len(squares)))
    for middle in (squares[:, 0], squares[:, 1]):
        begin = np.maximum.outer(middle - side / 2, middle - side / 2)
        shared *= (np.minimum.outer(middle + side / 2, middle + side / 2) - begin).clip(0)
    return shared / (np.add.outer(side**2, side**2) - shared)


def _known_share(square: Square, hole: np.ndarray) -> float:
    inside = np.isfinite(square.distance(hole.shape))
    return float(1 - hole[inside].mean()) if inside.any() else 0.0
