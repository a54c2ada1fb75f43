"""Corrects the square of a face whose landmarks a hole hides, by a small network run by OpenCV.

The network was trained by ``experiments/face_square.py``.
"""

import math
import threading
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from ganfill.images.rotated_square import Square

WEIGHTS = Path(__file__).parents[1] / "packaged/face_square.onnx"
RESOLUTION = 64  # of the pictures that the network sees
SEEN = 0.75  # of the square's side that it sees
ROUNDS = 2  # the second corrects what is left of a large error
HIDDEN = 0.05  # of the square; with a smaller hole the landmarks are seen and tell more

_running = threading.Lock()  # a network of OpenCV serves one thread at a time


def correct(square: Square, photo: np.ndarray, hole: np.ndarray) -> Square:
    """Returns the square that the surroundings of the hole suggest, or the same one if the hole hides little of it.

    Args:
        square: of a face, as found from landmarks that may lie in the hole.
        photo: uint8 (H, W, 3); the content of its hole is ignored.
        hole: bool (H, W), True where a pixel is missing.
    """
    if hole[np.isfinite(square.distance(hole.shape))].mean() < HIDDEN:
        return square
    for _ in range(ROUNDS):
        square = _correct_once(square, photo, hole)
    return square


def _correct_once(square: Square, photo: np.ndarray, hole: np.ndarray) -> Square:
    seen = Square(square.x, square.y, SEEN * square.side, square.angle)
    colours, missing = seen.shrink(photo, hole, RESOLUTION)
    colours = np.where(missing[..., None], 0, colours / 127.5 - 1)
    picture = np.dstack([colours, missing]).transpose(2, 0, 1).astype(np.float32)
    with _running:
        network = _load()
        network.setInput(np.stack([picture, picture[..., ::-1]]))
        corrections = network.forward()
    across, down, log_side, turn = (corrections[0] + corrections[1] * [-1, 1, 1, -1]) / 2
    cos, sin = math.cos(math.radians(square.angle)), math.sin(math.radians(square.angle))
    return Square(
        float(square.x + square.side * (cos * across + sin * down)),
        float(square.y + square.side * (cos * down - sin * across)),
        float(square.side * math.exp(log_side)),
        float(square.angle - math.degrees(turn)),
    )


@cache
def _load() -> cv2.dnn.Net:
    return cv2.dnn.readNetFromONNX(str(WEIGHTS))
