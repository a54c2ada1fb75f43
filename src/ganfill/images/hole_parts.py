"""The separate parts of a hole, and how deep they are."""

import cv2
import numpy as np

from ganfill.images.photo import bins

GAP = 0.02  # of the photo's shorter side; parts that are closer together count as one
SHALLOW = 0.03  # of the photo's shorter side; neighbouring pixels fill a hole up to this depth well
MOST = 8  # parts with a region of their own; a hole of more parts counts as one
LONGER = 1000  # pixels of the longer side at which parts are told apart


def split(hole: np.ndarray) -> list[np.ndarray]:
    """Splits a hole, bool (H, W), into the parts that lie apart, bool (H, W) each, the largest first.

    A hole of more than ``MOST`` parts, such as scattered pixels, is one part. An empty hole has none.
    """
    if not hole.any():
        return []
    factor = min(1.0, LONGER / max(hole.shape))
    height, width = (max(1, round(length * factor)) for length in hole.shape)
    small = cv2.resize(hole.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0
    gap = 2 * (round(GAP * min(height, width)) // 2) + 1
    count, labels = cv2.connectedComponents(cv2.dilate(small.astype(np.uint8), np.ones((gap, gap), np.uint8)))
    if count - 1 > MOST:
        return [hole]
    rows, columns = (bins(length, n) for length, n in zip(hole.shape, labels.shape, strict=True))
    large = labels[rows[:, None], columns]
    return sorted((hole & (large == label) for label in range(1, count)), key=lambda part: -int(part.sum()))


def split_by_depth(hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Splits a hole, bool (H, W), into what is deep and what is shallow, such as scratches that touch a stain."""
    limit = _shallow_depth(hole)
    middle = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 5) > limit
    if not middle.any() or hole.all():
        return hole & middle, hole & ~middle
    # Half as far again as it is deep, so that corners belong to what is deep.
    deep = hole & (cv2.distanceTransform((~middle).astype(np.uint8), cv2.DIST_L2, 5) <= 1.5 * limit)
    return deep, hole & ~deep


def extent(hole: np.ndarray) -> list[tuple[int, int]]:
    """Begin and end of the rows, and of the columns, that a hole, bool (H, W), touches."""
    used = [np.nonzero(hole.any(axis))[0] for axis in (1, 0)]
    return [(int(indices[0]), int(indices[-1]) + 1) for indices in used]


def depth(hole: np.ndarray) -> float:
    """Distance of the pixel that is farthest from all known ones, in pixels; infinite if nothing is known."""
    if hole.all() or not hole.any():
        return float(np.inf if hole.any() else 0)
    return float(cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 5).max())


def is_shallow(hole: np.ndarray) -> bool:
    """True for thin and small holes, bool (H, W), which neighbouring pixels fill well."""
    return depth(hole) <= _shallow_depth(hole)


def _shallow_depth(hole: np.ndarray) -> float:
    return max(3.0, SHALLOW * min(hole.shape))
