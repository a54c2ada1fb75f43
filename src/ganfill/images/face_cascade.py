"""Finds faces in damaged photos with the LBP cascade that scikit-image contains; nothing is downloaded."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from skimage.data import lbp_frontal_face_cascade_filename
from skimage.feature import Cascade

from ganfill.checkpoints import checkpoint
from ganfill.images.classical import telea
from ganfill.images.rotated_square import Square

LONGER = 400  # pixels of the photo's longer side during the search
WINDOW = 24  # side of the smallest window, in the same pixels; the face's square is then 37 pixels wide
KNOWN = 0.3  # share of a face's square that must be known; below that the detected face is mostly the filled hole
# Width of a window and distance of its center below that of the FFHQ square, in sides of the square, measured on FFHQ crops
# pasted upright and rotated. Errors that remain on undamaged faces: 1 % of the side in place, 7 % in size, 2 degrees.
WIDTH, BELOW = 0.688, 0.041
ANGLES = (-30, -15, 0, 15, 30)  # rotations of the photo in degrees; the cascade itself tolerates about ten more
VOTES = 6  # windows that have to agree; small groups of up to seven occur by chance


@dataclass(frozen=True)
class Face:
    """A face in a photo.

    Attributes:
        square: the crop that FFHQ would use.
        votes: windows that agree on the face; from 12 on, a false detection is rare.
    """

    square: Square
    votes: int


def find_faces(photo: np.ndarray, hole: np.ndarray) -> list[Face]:
    """Finds the faces of a photo, most votes first.

    Args:
        photo: uint8 (H, W, 3); the content of its hole is ignored.
        hole: bool (H, W), True where a pixel is missing.
    """
    return search(photo, hole, LONGER, _detect)


def search(
    photo: np.ndarray, hole: np.ndarray, longer: int, detect: Callable[[np.ndarray, float], list[Face]]
) -> list[Face]:
    """Runs a detector on the reduced photo, its hole filled by Telea's method, and drops faces that are mostly missing.

    Args:
        photo: uint8 (H, W, 3); the content of its hole is ignored.
        hole: bool (H, W), True where a pixel is missing.
        longer: longer side of the reduced photo, in pixels.
        detect: ``(picture, factor) -> faces``, from the reduced photo and its scale to faces in the photo's own pixels.
    """
    if hole.all():
        return []
    factor = min(1.0, longer / max(hole.shape))
    faces = detect(_reduce(photo, hole, factor), factor)
    return [face for face in faces if _known_share(face.square, hole) >= KNOWN]


def _reduce(photo: np.ndarray, hole: np.ndarray, factor: float) -> np.ndarray:
    height, width = (max(1, round(length * factor)) for length in hole.shape)
    known = (~hole).astype(np.uint8)
    layers = np.dstack([photo * known[..., None], known * np.uint8(255)])
    layers = cv2.resize(layers, (width, height), interpolation=cv2.INTER_AREA)
    share = layers[..., 3:]
    colours = (255 * layers[..., :3].astype(np.float64) / np.maximum(share, 1)).round().clip(0, 255).astype(np.uint8)
    return telea(colours, share[..., 0] < 64)  # a quarter of a pixel is enough for its colour


def _known_share(square: Square, hole: np.ndarray) -> float:
    inside = np.isfinite(square.distance(hole.shape))
    return float(1 - hole[inside].mean()) if inside.any() else 0.0


def _detect(picture: np.ndarray, factor: float) -> list[Face]:
    windows = np.concatenate([_windows(picture, angle) for angle in ANGLES])
    return [Face(_square(group, factor), len(group)) for group in _groups(windows)]


def _windows(picture: np.ndarray, angle: float) -> np.ndarray:
    """Detections in a picture rotated so that heads of that angle are upright.

    Returns:
        (n, 4) rows of x and y of the window's center in the picture, its width, and the angle.
    """
    checkpoint()
    height, width = picture.shape[:2]
    rotation = cv2.getRotationMatrix2D((width / 2, height / 2), -angle, 1.0)
    cos, sin = abs(rotation[0, 0]), abs(rotation[0, 1])
    size = int(width * cos + height * sin), int(height * cos + width * sin)
    rotation[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    rotated = cv2.warpAffine(picture, rotation, size, borderMode=cv2.BORDER_REPLICATE)
    longest = min(size)
    if longest < WINDOW:
        return np.empty((0, 4))
    # Every single window is kept: how many agree, and at which angles, says more than the cascade's own grouping.
    boxes = _cascade().detect_multi_scale(
        rotated,
        scale_factor=1.15,
        step_ratio=1,
        min_size=(WINDOW, WINDOW),
        max_size=(longest, longest),
        min_neighbor_number=0,
        intersection_score_threshold=2,
    )
    back = cv2.invertAffineTransform(rotation)
    centers = (back @ (box["c"] + box["width"] / 2, box["r"] + box["height"] / 2, 1) for box in boxes)
    rows = [(*center, box["width"], angle) for center, box in zip(centers, boxes, strict=True)]
    return np.array(rows).reshape(-1, 4)


@cache
def _cascade() -> Cascade:
    return Cascade(lbp_frontal_face_cascade_filename())


def _groups(windows: np.ndarray) -> list[np.ndarray]:
    """Windows that agree on a face, the largest group first; each window is in at most one group."""
    groups = []
    while len(windows):
        offsets = np.hypot(*(windows[:, None, axis] - windows[None, :, axis] for axis in (0, 1)))
        ratio = windows[:, None, 2] / windows[None, :, 2]
        agree = (offsets < 0.2 * windows[:, 2]) & (abs(np.log(ratio)) < 0.3)
        best = agree[agree.sum(1).argmax()]
        if best.sum() < VOTES:
            break
        groups.append(windows[best])
        x, y, width, _ = np.median(windows[best], 0)
        # A window that overlaps the face is not a second face.
        apart = np.hypot(windows[:, 0] - x, windows[:, 1] - y) > 0.6 * np.maximum(width, windows[:, 2])
        windows = windows[apart & ~best]
    return groups


def _square(windows: np.ndarray, factor: float) -> Square:
    x, y, width, angle = windows.mean(0)
    side, turn = width / WIDTH, np.deg2rad(angle)
    x, y = x - BELOW * side * np.sin(turn), y - BELOW * side * np.cos(turn)
    return Square(float(x / factor), float(y / factor), float(side / factor), float(angle))
