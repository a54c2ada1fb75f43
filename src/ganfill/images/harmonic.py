"""Harmonic extension of known values into a hole: there, each pixel is the mean of its neighbours inside the picture.

A small hole is solved directly, a large one by full multigrid, whose time grows linearly (Briggs et al. 2000, A Multigrid
Tutorial, chapter 3).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.linalg import splu

from ganfill.cancellation import check_cancelled

# Missing pixels that a direct solution takes a fifth of a second for; more take more than linearly longer.
DIRECT = 50_000
COARSEST = 1000  # missing pixels of the level that multigrid solves directly
CYCLES = 2  # on every level; they leave an error of at most about one grey level
# Of Jacobi sweeps: a Chebyshev polynomial that damps the upper half of all frequencies.
WEIGHTS = (2.2473, 0.8571, 0.5296)
NEIGHBOURS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4


def extend(hole: np.ndarray, values: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Extends known values into a hole.

    Args:
        hole: bool (H, W), True where a pixel is missing; some pixel is known.
        values: (H, W, C), of any type; the content of the hole is ignored.

    Yields:
        A range of channels and their values in the hole's N missing pixels, float (N, channels).
    """
    rows, columns = (np.flatnonzero(hole.any(axis)) for axis in (1, 0))
    around = np.s_[max(rows[0] - 1, 0) : rows[-1] + 2, max(columns[0] - 1, 0) : columns[-1] + 2]
    hole, values = hole[around], values[around]  # pixels farther away have no influence
    channels = values.shape[2]
    if np.count_nonzero(hole) <= DIRECT:
        yield slice(0, channels), _solve_directly(hole, values)
        return
    for channel in range(channels):
        known = np.where(hole, np.float32(0), values[..., channel])
        yield slice(channel, channel + 1), _full_multigrid(hole, known)[hole][:, None]


def _full_multigrid(hole: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns the solution, float32 (H, W), equal to ``values`` (H, W) outside the hole."""
    if np.count_nonzero(hole) <= COARSEST:
        return _solve_coarsest(hole, values)
    # A coarse pixel is known if any of its four is, and is the mean of the known ones.
    known = ~hole
    count = _sum_of_four(known.astype(np.float32))
    coarse = _full_multigrid(count == 0, _sum_of_four(values * known) / np.maximum(count, 1))
    solution = _double(coarse, hole.shape)
    np.copyto(solution, values, where=known)
    for _ in range(CYCLES):
        _v_cycle(solution, values, known)
    return solution


def _v_cycle(solution: np.ndarray, values: np.ndarray, known: np.ndarray, source: np.ndarray | None = None) -> None:
    """Improves a solution in place; ``source`` is by how much each pixel should exceed the mean of its neighbours."""
    _smooth(solution, values, known, source, WEIGHTS)
    residual = _mean_of_neighbours(solution, source) - solution
    residual[known] = 0
    coarse_known = _sum_of_four(known.astype(np.float32)) > 0
    missing = np.count_nonzero(~coarse_known)
    if missing:
        # The equation of the error: its source quadruples, because the distance between pixels doubles.
        source_of_error = _sum_of_four(residual)
        if missing <= COARSEST:
            error = _solve_coarsest(~coarse_known, np.zeros_like(source_of_error), source_of_error)
        else:
            error = np.zeros_like(source_of_error)
            _v_cycle(error, np.zeros((), np.float32), coarse_known, source_of_error)
        solution += _double(error, solution.shape)
        np.copyto(solution, values, where=known)
    _smooth(solution, values, known, source, WEIGHTS[::-1])


def _smooth(
    solution: np.ndarray, values: np.ndarray, known: np.ndarray, source: np.ndarray | None, weights: tuple[float, ...]
) -> None:
    """Makes weighted Jacobi sweeps in place."""
    for weight in weights:
        check_cancelled()
        cv2.addWeighted(solution, 1 - weight, _mean_of_neighbours(solution, source), weight, 0, dst=solution)
        np.copyto(solution, values, where=known)


def _mean_of_neighbours(solution: np.ndarray, source: np.ndarray | None) -> np.ndarray:
    # A pixel beyond the border counts as the pixel itself, which leaves the equation of the others.
    mean = cv2.filter2D(solution, -1, NEIGHBOURS, borderType=cv2.BORDER_REPLICATE)
    return mean if source is None else cv2.add(mean, source, dst=mean)


def _sum_of_four(values: np.ndarray) -> np.ndarray:
    """Sums float32 (H, W) over blocks of 2 x 2; pixels beyond an odd border count 0."""
    height, width = values.shape
    even = np.pad(values, [(0, height % 2), (0, width % 2)]) if height % 2 or width % 2 else values
    rows = even[::2] + even[1::2]
    return rows[:, ::2] + rows[:, 1::2]


def _double(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Interpolates linearly at twice the resolution, float32 ``shape``."""
    height, width = values.shape
    return cv2.resize(values, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)[: shape[0], : shape[1]].copy()


def _solve_coarsest(hole: np.ndarray, values: np.ndarray, source: np.ndarray | None = None) -> np.ndarray:
    solution = values.astype(np.float32)
    solution[hole] = _solve_directly(hole, values[..., None], source)[:, 0]
    return solution


def _solve_directly(hole: np.ndarray, values: np.ndarray, source: np.ndarray | None = None) -> np.ndarray:
    """Returns the solution in the hole, float64 (N, C), for known values (H, W, C)."""
    system = _factorize(hole.shape, np.packbits(hole).tobytes())
    padded = np.pad(np.where(hole[..., None], 0, values), ((1, 1), (1, 1), (0, 0)))
    right = np.zeros((np.count_nonzero(hole), values.shape[2]))
    for neighbours in system.neighbours:
        right += padded[neighbours]
    if source is not None:
        right[:, 0] += 4 * source[hole]
    return system.solve(right)


@dataclass(frozen=True)
class _System:
    """The factorized equations of a hole's N pixels.

    Attributes:
        neighbours: rows and columns of the pixels' neighbours in each direction, in a picture with a margin of one pixel.
        solve: from the right side (N, C) to the solution (N, C).
    """

    neighbours: list[tuple[np.ndarray, np.ndarray]]
    solve: Callable[[np.ndarray], np.ndarray]


@lru_cache(maxsize=4)  # the answers of a picture and the frames of its search share their holes
def _factorize(shape: tuple[int, int], packed_hole: bytes) -> _System:
    hole = np.unpackbits(np.frombuffer(packed_hole, np.uint8), count=shape[0] * shape[1]).reshape(shape).astype(bool)
    y, x = (axis + 1 for axis in np.nonzero(hole))
    n = len(y)
    number = np.full((shape[0] + 2, shape[1] + 2), -1, np.int32)
    number[y, x] = np.arange(n)
    inside = np.pad(np.ones_like(hole), 1)
    neighbours = [(y + step_y, x + step_x) for step_y, step_x in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    degree = sum(inside[pixels].astype(float) for pixels in neighbours)
    linked = [number[pixels] >= 0 for pixels in neighbours]
    row = np.concatenate([*(np.nonzero(link)[0] for link in linked), np.arange(n)])
    others = [number[pixels][link] for pixels, link in zip(neighbours, linked, strict=True)]
    column = np.concatenate([*others, np.arange(n)])
    entries = np.concatenate([np.full(len(row) - n, -1.0), degree])
    matrix = coo_array((entries, (row, column)), shape=(n, n)).tocsc()
    symmetric = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
    return _System(neighbours, splu(matrix, **symmetric).solve)
