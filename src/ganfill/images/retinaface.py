"""RetinaFace (Deng et al. 2020, arXiv 1905.00641) with a MobileNet-0.25 trunk, run by OpenCV."""

import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

WEIGHTS = Path(__file__).parents[1] / "packaged/retinaface_mobilenet025.onnx"
MEAN = np.array([104, 117, 127], np.float32)  # blue, green, red
ANCHORS = {8: (16, 32), 16: (64, 128), 32: (256, 512)}  # sides of the anchors of each stride
SCALES = 0.1, 0.2  # of the network's offsets and logarithmic sizes

_running = threading.Lock()  # a network of OpenCV serves one thread at a time


@dataclass(frozen=True)
class Detections:
    """Faces that the network sees.

    Attributes:
        boxes: (n, 4) left, top, right, bottom.
        scores: (n,) probabilities, 0 to 1.
        points: (n, 5, 2) x and y of the eyes, the nose and the corners of the mouth; of each pair the picture's left first.
    """

    boxes: np.ndarray
    scores: np.ndarray
    points: np.ndarray

    def moved(self, factor: float, left: float, top: float) -> "Detections":
        """Returns the same faces in other coordinates: scaled first, then shifted."""
        shift = np.array([left, top])
        return Detections(self.boxes * factor + np.tile(shift, 2), self.scores, self.points * factor + shift)

    def mirrored(self, width: int) -> "Detections":
        """Returns the same faces in the mirrored picture of this width."""
        boxes, points = self.boxes[:, [2, 1, 0, 3]].copy(), self.points[:, [1, 0, 2, 4, 3]].copy()
        boxes[:, [0, 2]] = width - boxes[:, [0, 2]]
        points[..., 0] = width - 1 - points[..., 0]
        return Detections(boxes, self.scores, points)


def detect(picture: np.ndarray, lowest: float) -> Detections:
    """Runs the network on a picture, uint8 (H, W, 3); keeps every detection with a score of ``lowest`` or more."""
    height, width = (-(-length // 32) * 32 for length in picture.shape[:2])
    padded = np.zeros((height, width, 3), np.float32)
    padded[: picture.shape[0], : picture.shape[1]] = picture[..., ::-1] - MEAN
    names = ["loc", "conf", "landmarks"]
    with _running:
        network = _load()
        network.setInput(padded.transpose(2, 0, 1)[None])
        offsets, scores, points = (output[0] for output in network.forward(names))
    anchors = _anchors(height, width)
    keep = scores[:, 1] >= lowest
    anchors, offsets, scores, points = anchors[keep], offsets[keep], scores[keep, 1], points[keep]
    centers, sides = anchors[:, :2], anchors[:, 2:]
    middle = centers + SCALES[0] * offsets[:, :2] * sides
    half = sides * np.exp(SCALES[1] * offsets[:, 2:]) / 2
    landmarks = centers[:, None] + SCALES[0] * points.reshape(-1, 5, 2) * sides[:, None]
    return Detections(np.hstack([middle - half, middle + half]), scores, landmarks)


@cache
def _load() -> cv2.dnn.Net:
    return cv2.dnn.readNetFromONNX(str(WEIGHTS))


@cache
def _anchors(height: int, width: int) -> np.ndarray:
    """x, y and side of all anchors, (n, 3)."""
    parts = []
    for stride, sides in ANCHORS.items():
        y, x, side = np.meshgrid(
            (np.arange(height // stride) + 0.5) * stride,
            (np.arange(width // stride) + 0.5) * stride,
            sides,
            indexing="ij",
        )
        parts.append(np.stack([x, y, side], -1).reshape(-1, 3))
    return np.concatenate(parts)
