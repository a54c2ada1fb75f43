"""Finds faces in damaged photos with a landmark model of the user: YuNet (Wu et al. 2023) as an ONNX file."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ganfill.errors import UserError
from ganfill.images.classical import telea
from ganfill.images.faces import Face, keep_known, reduce, to_square

LONGER = 640  # pixels of the photo's longer side during the search
SCORE = 0.6  # minimum score of a face, 0 to 1


@dataclass(frozen=True)
class Landmarks:
    """Finds faces by their eyes and mouths, at any angle.

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
        if hole.all():
            return []
        factor = min(1.0, LONGER / max(hole.shape))
        return keep_known(self._detect(telea(*reduce(photo, hole, factor)), factor), hole)

    def _detect(self, picture: np.ndarray, factor: float) -> list[Face]:
        height, width = picture.shape[:2]
        detector = cv2.FaceDetectorYN.create(str(self.path), "", (width, height), SCORE)
        rows = detector.detect(np.ascontiguousarray(picture[..., ::-1]))[1]  # OpenCV takes BGR
        if rows is None:
            return []
        rows = rows[(-rows[:, 14]).argsort()]
        return [  # each row: box, five points, score
            Face(to_square(row[4:14].reshape(5, 2) / factor), float(row[14])) for row in rows
        ]
