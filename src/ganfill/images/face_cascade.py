"""Faces in a damaged photo, found by the cascade that scikit-image carries; nothing is downloaded."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from skimage.data import lbp_frontal_face_cascade_filename
from skimage.feature import Cascade

from ganfill.images.classical import telea
from ganfill.images.rotated_square import Square

LONGER = 400  # pixels of the photo's longer side while it is searched
WINDOW = 24  # smallest window, in the same pixels; a face's square is then 37
KNOWN = 0.3  # share of the square that has to be known; a face made of less is the filling's work
# Measured on FFHQ crops pasted upside up and turned: a window's width and how far below the square's middle it lies, in
# sides of the square. What is left is 1 % of the side in place, 7 % in size and 2 degrees (undamaged faces).
WIDTH, BELOW = 0.688, 0.041
ANGLES = (-30, -15, 0, 15, 30)  # degrees that the photo is turned by; the cascade itself bears some ten more
VOTES = 6  # windows that have to agree; small groups of seven come about by chance


@dataclass(frozen=True)
class Face:
    """A face in a photo.

    Attributes:
        square: that FFHQ would cut out for it.
        votes: windows that agree on it; from a dozen on it is hardly ever chance.
    """

    square: Square
    votes: int


def find_faces(photo: np.ndarray, hole: np.ndarray) -> list[Face]:
    """The faces of a photo, the surest first.

    The hole is filled by Telea's method before the search, so a face is found if enough of it is left.

    Args:
        photo: uint8 (H, W, 3); what its hole holds plays no part.
        hole: bool (H, W), True where a pixel is missing.
    """
    if hole.all():
        return []
    factor = min(1.0, LONGER / max(hole.shape))
    small = reduce(photo, hole, factor)
    windows = np.concatenate([_windows(small, angle) for angle in ANGLES])
    faces = [Face(_square(group, factor), len(group)) for group in _groups(windows)]
    return [face for face in faces if known_share(face.square, hole) >= KNOWN]


def reduce(photo: np.ndarray, hole: np.ndarray, factor: float) -> np.ndarray:
    """The photo scaled by ``factor``, at most 1, for a search; its hole filled from the known pixels alone."""
    height, width = (max(1, round(length * factor)) for length in hole.shape)
    known = (~hole).astype(np.uint8)
    layers = np.dstack([photo * known[..., None], known * np.uint8(255)])
    layers = cv2.resize(layers, (width, height), interpolation=cv2.INTER_AREA)
    share = layers[..., 3:]
    colours = (255 * layers[..., :3].astype(np.float64) / np.maximum(share, 1)).round().clip(0, 255).astype(np.uint8)
    return telea(colours, share[..., 0] < 64)  # a quarter of a pixel tells its colour


def known_share(square: Square, hole: np.ndarray) -> float:
    """Share of a square inside the photo that is known."""
    inside = np.isfinite(square.distance(hole.shape))
    return float(1 - hole[inside].mean()) if inside.any() else 0.0


def _windows(picture: np.ndarray, angle: float) -> np.ndarray:
    """What the cascade takes for a face in a picture turned so that heads of that angle stand upright.

    Returns:
        (n, 4) rows of x, y of the window's middle in the picture, its width, and the angle.
    """
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -angle, 1.0)
    cos, sin = abs(turn[0, 0]), abs(turn[0, 1])
    size = int(width * cos + height * sin), int(height * cos + width * sin)
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    turned = cv2.warpAffine(picture, turn, size, borderMode=cv2.BORDER_REPLICATE)
    longest = min(size)
    if longest < WINDOW:
        return np.empty((0, 4))
    # Every single window is wanted: how many agree, and at which angles, tells more than the cascade's own merging.
    found = _cascade().detect_multi_scale(
        turned,
        scale_factor=1.15,
        step_ratio=1,
        min_size=(WINDOW, WINDOW),
        max_size=(longest, longest),
        min_neighbor_number=0,
        intersection_score_threshold=2,
    )
    middles = [(box["c"] + box["width"] / 2, box["r"] + box["height"] / 2, 1) for box in found]
    back = cv2.invertAffineTransform(turn)
    rows = [(*(back @ middle), box["width"], angle) for middle, box in zip(np.array(middles), found, strict=True)]
    return np.array(rows).reshape(-1, 4)


@cache
def _cascade() -> Cascade:
    return Cascade(lbp_frontal_face_cascade_filename())


def _groups(windows: np.ndarray) -> list[np.ndarray]:
    """Windows that agree on a face, the largest group first; each window is in one group."""
    groups = []
    while len(windows):
        offsets = np.hypot(*(windows[:, None, axis] - windows[None, :, axis] for axis in (0, 1)))
        ratio = windows[:, None, 2] / windows[None, :, 2]
        agree = (offsets < 0.2 * windows[:, 2]) & (abs(np.log(ratio)) < 0.3)
        best = agree[agree.sum(1).argmax()]
        if best.sum() < VOTES:
            break
        group = windows[best]
        groups.append(group)
        # What overlaps a face is no second face.
        middle = np.median(group, 0)
        far = np.hypot(windows[:, 0] - middle[0], windows[:, 1] - middle[1]) > 0.6 * np.maximum(
            middle[2], windows[:, 2]
        )
        windows = windows[far & ~best]
    return groups


def _square(windows: np.ndarray, factor: float) -> Square:
    x, y, width, angle = windows.mean(0)
    side, turn = width / WIDTH, np.deg2rad(angle)
    x, y = x - BELOW * side * np.sin(turn), y - BELOW * side * np.cos(turn)
    return Square(float(x / factor), float(y / factor), float(side / factor), float(angle))
