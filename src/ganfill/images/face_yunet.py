"""Faces in a damaged photo, found by a landmark model that the user has: YuNet (Wu et al. 2023) as an ONNX file."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ganfill.errors import UserError
from ganfill.images.face_cascade import KNOWN, Face, known_share, reduce
from ganfill.images.rotated_square import Square

LONGER = 640  # pixels of the photo's longer side while it is searched
SCORE = 0.6  # that a face needs, 0 to 1
VOTES = 12  # a face of such a score counts as sure


@dataclass(frozen=True)
class Landmarks:
    """Finds faces by their eyes and mouths; more exactly than the cascade, and turned by any angle.

    Args:
        path: a YuNet model, as OpenCV's FaceDetectorYN takes it.

    Raises:
        UserError: it cannot be read, or is no such model.
    """

    path: Path

    def __post_init__(self) -> None:
        try:
            self._detect(np.zeros((320, 320, 3), np.uint8)) if self.path.is_file() else self.path.read_bytes()
        except (cv2.error, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no face detector that OpenCV can run"
            raise UserError(
                f"landmarks={self.path} cannot be used ({reason}): give a YuNet model, an .onnx file"
            ) from None

    def __call__(self, photo: np.ndarray, hole: np.ndarray) -> list[Face]:
        """As ``find_faces``."""
        if hole.all():
            return []
        factor = min(1.0, LONGER / max(hole.shape))
        found = self._detect(reduce(photo, hole, factor))
        squares = [to_square(row[4:14].reshape(5, 2) / factor) for row in found[(-found[:, 14]).argsort()]]
        return [Face(square, VOTES) for square in squares if known_share(square, hole) >= KNOWN]

    def _detect(self, picture: np.ndarray) -> np.ndarray:
        """Rows (n, 15) of box, five points and score in a picture, uint8 (H, W, 3)."""
        height, width = picture.shape[:2]
        detector = cv2.FaceDetectorYN.create(str(self.path), "", (width, height), SCORE)
        found = detector.detect(np.ascontiguousarray(picture[..., ::-1]))[1]  # it takes blue, green, red
        return np.empty((0, 15), np.float32) if found is None else found


def to_square(points: np.ndarray) -> Square:
    """The square that FFHQ cuts out (Karras et al. 2019, arXiv 1812.04948, as its data set's script does).

    Args:
        points: (5, 2) x and y of two eyes, nose and two corners of the mouth, those on the picture's left first.
    """
    left, right, _, *mouth = points
    eyes, mouth = (left + right) / 2, np.mean(mouth, 0)
    down = mouth - eyes
    across = right - left + np.array([down[1], -down[0]])
    across *= max(2.0 * np.hypot(*(right - left)), 1.8 * np.hypot(*down)) / np.hypot(*across)
    middle = eyes + 0.1 * down
    angle = -np.degrees(np.arctan2(across[1], across[0]))
    return Square(float(middle[0] + 0.5), float(middle[1] + 0.5), float(2 * np.hypot(*across)), float(angle))
