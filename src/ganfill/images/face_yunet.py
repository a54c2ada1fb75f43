"""Finds faces in damaged photos with a landmark model of the user: YuNet (Wu et al. 2023) as an ONNX file."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ganfill.errors import UserError
from ganfill.images.face_cascade import Face, search
from ganfill.images.rotated_square import Square

LONGER = 640  # pixels of the photo's longer side during the search
SCORE = 0.6  # minimum score of a face, 0 to 1
VOTES = 12  # a face with that score counts as certain


@dataclass(frozen=True)
class Landmarks:
    """Finds faces by their eyes and mouths, at any angle and more accurately than the cascade.

    Args:
        path: a YuNet model, as OpenCV's FaceDetectorYN takes it.

    Raises:
        UserError: the file cannot be read, or is not such a model.
    """

    path: Path

    def __post_init__(self) -> None:
        try:
            self._detect(np.zeros((320, 320, 3), np.uint8), 1.0) if self.path.is_file() else self.path.read_bytes()
        except (cv2.error, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no face detector that OpenCV can run"
            raise UserError(
                f"landmarks={self.path} cannot be used ({reason}): give a YuNet model, an .onnx file"
            ) from None

    def __call__(self, photo: np.ndarray, hole: np.ndarray) -> list[Face]:
        """Finds the faces of a photo, highest score first; takes the same arguments as ``find_faces``."""
        return search(photo, hole, LONGER, self._detect)

    def _detect(self, picture: np.ndarray, factor: float) -> list[Face]:
        height, width = picture.shape[:2]
        detector = cv2.FaceDetectorYN.create(str(self.path), "", (width, height), SCORE)
        rows = detector.detect(np.ascontiguousarray(picture[..., ::-1]))[1]  # OpenCV takes BGR
        if rows is None:
            return []
        rows = rows[(-rows[:, 14]).argsort()]  # each row: box, five points, score
        return [Face(to_square(row[4:14].reshape(5, 2) / factor), VOTES) for row in rows]


def to_square(points: np.ndarray) -> Square:
    """The square crop of FFHQ (Karras et al. 2019, arXiv 1812.04948, as in the data set's script).

    Args:
        points: (5, 2) x and y of the eyes, the nose and the corners of the mouth; of each pair the picture's left first.
    """
    left, right, _, *mouth = points
    eyes, mouth = (left + right) / 2, np.mean(mouth, 0)
    down = mouth - eyes
    across = right - left + np.array([down[1], -down[0]])
    across *= max(2.0 * np.hypot(*(right - left)), 1.8 * np.hypot(*down)) / np.hypot(*across)
    middle = eyes + 0.1 * down
    angle = -np.degrees(np.arctan2(across[1], across[0]))
    return Square(float(middle[0] + 0.5), float(middle[1] + 0.5), float(2 * np.hypot(*across)), float(angle))
