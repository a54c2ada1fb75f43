"""Distances and overlap of two sets of pictures in a feature space; in float64 on the CPU.

All functions take features (N, F) as returned by ``features.extract``. Pairwise distances are computed in blocks, which
limits memory to about 200 MB for 10,000 against 30,000 pictures.
"""

from collections.abc import Iterator

import numpy as np

from ganfill import seeding

SUBSETS, SUBSET_SIZE = 100, 1000  # as in the reference code of KID and in torchmetrics
PAIRS_AT_ONCE = 2**23
SAME = 1e-12  # relative to squared lengths: smaller squared distances are rounding errors


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Squared Frechet distance between the Gaussians fitted to two sets (Heusel et al. 2017, eq. 6).

    With centred features X = Q R, the covariance is R^T R, and tr (A B)^(1/2) is the sum of the singular values of
    R_a R_b^T: no matrix square root is needed, and singular covariances (N <= F) lose no accuracy.

    Args:
        a: (N, F), N at least 2.
        b: (M, F), M at least 2.

    Raises:
        ValueError: shapes do not match, or a value is not finite.
    """
    a, b = _features(a, b, at_least=2)
    mean_a, mean_b = a.mean(0), b.mean(0)
    root_a, root_b = _root(a - mean_a), _root(b - mean_b)
    overlap = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    distance = np.square(mean_a - mean_b).sum() + np.square(root_a).sum() + np.square(root_b).sum() - 2 * overlap
    return max(0.0, float(distance))  # rounding may make it negative


def kernel(a: np.ndarray, b: np.ndarray, seed: int = 0) -> float:
    """Squared maximum mean discrepancy under the kernel (x.y / F + 1)^3, unbiased (Binkowski et al. 2018, KID).

    Mean over 100 pairs of subsets of 1,000, as is common, or of the size of the smaller set; two sets of equal size up to
    1,000 are used whole. Close to 0, with either sign, for equal distributions.

    Args:
        a: (N, F), N at least 2.
        b: (M, F), M at least 2.
        seed: of the subsets.

    Raises:
        ValueError: shapes do not match, or a value is not finite.
    """
    a, b = _features(a, b, at_least=2)
    size = min(SUBSET_SIZE, len(a), len(b))
    if len(a) == len(b) == size:
        return _discrepancy(a, b)
    random = np.random.default_rng(seeding.derive_seed(seed, "kernel"))
    subsets = [
        _discrepancy(a[random.permutation(len(a))[:size]], b[random.permutation(len(b))[:size]]) for _ in range(SUBSETS)
    ]
    return float(np.mean(subsets))


def precision_recall(real: np.ndarray, fake: np.ndarray, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al. 2019, eq. 1 and 2).

    The manifold of a set is the union of balls around its members, each with the distance of the k-th nearest neighbour as
    radius.

    Args:
        real: (N, F), N more than ``k``.
        fake: (M, F), M more than ``k``; values are comparable only for equal N and M.
        k: rank of the neighbour.

    Returns:
        Precision, the share of fakes in the real manifold, and recall, the share of reals in the fake manifold.

    Raises:
        ValueError: shapes do not match, or a value is not finite.
    """
    real, fake = _features(real, fake, at_least=k + 1)
    real_reach, fake_reach = _reach(real, k), _reach(fake, k)
    precise, recalled = 0, np.zeros(len(real), dtype=bool)
    for rows, squares in _squared_distances(fake, real):
        precise += int((squares <= real_reach).any(1).sum())
        recalled |= (squares <= fake_reach[rows, None]).any(0)
    return precise / len(fake), float(recalled.mean())


def nearest(queries: np.ndarray, references: np.ndarray, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Finds the nearest references of each query.

    Args:
        queries: (N, F).
        references: (M, F), M at least ``count``.
        count: number of references for each query.

    Returns:
        Rows of the references, int64 (N, count), nearest first, and Euclidean distances, float64 (N, count).

    Raises:
        ValueError: shapes do not match, or a value is not finite.
    """
    queries, references = _features(queries, references, at_least=0)
    if not 1 <= count <= len(references):
        raise ValueError(f"count must be between 1 and the number of references, {len(references)}, got {count}")
    indices = np.empty((len(queries), count), dtype=np.int64)
    distances = np.empty((len(queries), count))
    for rows, squares in _squared_distances(queries, references):
        chosen = np.argpartition(squares, count - 1, axis=1)[:, :count]
        exact = np.linalg.norm(queries[rows, None] - references[chosen], axis=2)
        order = np.lexsort((chosen, exact), axis=1)
        indices[rows] = np.take_along_axis(chosen, order, 1)
        distances[rows] = np.take_along_axis(exact, order, 1)
    return indices, distances


def _features(a: np.ndarray, b: np.ndarray, at_least: int) -> tuple[np.ndarray, np.ndarray]:
    """Converts both to float64 and checks them."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or not a.shape[1]:
        raise ValueError(f"features must be (N, F) and (M, F), got {a.shape} and {b.shape}")
    if min(len(a), len(b)) < at_least:
        raise ValueError(f"each set needs at least {at_least} members, got {len(a)} and {len(b)}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("features must be finite")
    return a, b


def _root(centred: np.ndarray) -> np.ndarray:
    """Returns R (min(N, F), F) such that R^T R is the covariance of centred features (N, F)."""
    return np.linalg.qr(centred, mode="r") / np.sqrt(len(centred) - 1)


def _discrepancy(a: np.ndarray, b: np.ndarray) -> float:
    return _mean_within(a) + _mean_within(b) - 2 * float(_polynomial(a, b).mean())


def _mean_within(points: np.ndarray) -> float:
    """Mean of the kernel over pairs of different members."""
    values = _polynomial(points, points)
    return float((values.sum() - values.trace()) / (len(points) * (len(points) - 1)))


def _polynomial(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    inner = a @ b.T / a.shape[1] + 1
    return inner * inner * inner


def _reach(points: np.ndarray, k: int) -> np.ndarray:
    """Squared distance of each point to its k-th nearest neighbour, (N,)."""
    reach = np.empty(len(points))
    for rows, squares in _squared_distances(points, points):
        squares[np.arange(len(squares)), np.arange(rows.start, rows.stop)] = 0
        reach[rows] = np.partition(squares, k, axis=1)[:, k]  # the first is the point itself
    return reach


def _squared_distances(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields slices of ``a`` and their squared distances to all of ``b``; exactly 0 for equal points."""
    lengths_a, lengths_b = np.square(a).sum(1)[:, None], np.square(b).sum(1)
    rounding = SAME * (lengths_a + lengths_b.max(initial=0))
    step = max(1, PAIRS_AT_ONCE // max(1, len(b)))
    for start in range(0, len(a), step):
        rows = slice(start, min(start + step, len(a)))
        squares = a[rows] @ b.T
        squares *= -2
        squares += lengths_a[rows]
        squares += lengths_b
        squares[squares < rounding[rows]] = 0
        yield rows, squares
