import numpy as np
import pytest
import torch
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_mmd

from ganfill.metrics import distances
from ganfill.metrics.distances import frechet, kernel, nearest, precision_recall

FUNCTIONS = [frechet, kernel, precision_recall, nearest]


def normal(n, width, seed=0):
    return np.random.default_rng(seed).standard_normal((n, width))


def exactly(points, covariance, mean):
    """The same points, moved to have exactly this covariance and mean."""
    centred = points - points.mean(0)
    whitened = centred @ np.linalg.inv(np.linalg.cholesky(np.cov(centred.T)).T)
    return whitened @ np.linalg.cholesky(covariance).T + mean


def by_hand(a, b):
    """The textbook's formula, with roots of symmetric matrices by their eigenvalues."""

    def root(matrix):
        values, vectors = np.linalg.eigh(matrix)
        return (vectors * np.sqrt(values.clip(0))) @ vectors.T

    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    cross = np.sqrt(np.linalg.eigvalsh(root(cov_a) @ cov_b @ root(cov_a)).clip(0)).sum()
    return np.square(a.mean(0) - b.mean(0)).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * cross


def test_frechet_of_gaussians_with_known_moments():
    a = exactly(normal(200, 3, 1), np.diag([1.0, 4.0, 9.0]), [0, 0, 0])
    b = exactly(normal(300, 3, 2), np.diag([4.0, 4.0, 1.0]), [1, -2, 2])
    assert frechet(a, b) == pytest.approx(9 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2)


def test_frechet_when_covariances_do_not_commute():
    first, second = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[1.0, 0.0], [0.0, 5.0]])
    a, b = exactly(normal(50, 2, 1), first, [0, 0]), exactly(normal(70, 2, 2), second, [0, 3])
    # tr (AB)^(1/2) of 2 x 2 matrices is sqrt(tr AB + 2 sqrt(det AB))
    cross = np.sqrt(np.trace(first @ second) + 2 * np.sqrt(np.linalg.det(first @ second)))
    assert frechet(a, b) == pytest.approx(9 + 4 + 6 - 2 * cross)


def test_frechet_in_one_dimension_is_the_difference_of_means_and_of_deviations():
    a, b = normal(100, 1) * 2 + 5, normal(80, 1, 1)
    expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert frechet(a, b) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(500, 448), (20, 448), (500, 8), (2, 3)])
def test_frechet_of_a_set_with_itself_is_zero_and_its_order_plays_no_part(shape):
    points = normal(*shape) * 10 + 100
    scale = np.square(points).sum(1).mean()
    assert 0 <= frechet(points, points) <= 1e-12 * scale
    assert 0 <= frechet(points, points[::-1]) <= 1e-12 * scale
    other = normal(*shape, seed=3)
    order = np.random.default_rng(4).permutation(shape[1])
    assert frechet(points, other) == pytest.approx(frechet(points[::-1, order], other[:, order]))
    assert frechet(points, other) == pytest.approx(frechet(other, points))


def test_frechet_of_fewer_pictures_than_features_is_exact():
    # In two planes at right angles the covariances' product is 0, and the distance is all that there is.
    a, b = np.zeros((50, 200)), np.zeros((60, 200))
    a[:, :100], b[:, 100:] = normal(50, 100), normal(60, 100, 1)
    whole = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(np.cov(a.T)) + np.trace(np.cov(b.T))
    assert frechet(a, b) == pytest.approx(whole, rel=1e-12)
    # Moved by a vector, a singular set is as far off as that vector is long.
    points = normal(50, 200, 2)
    assert frechet(points, points + 0.1) == pytest.approx(200 * 0.01, rel=1e-9)


def test_frechet_agrees_with_the_textbook_and_with_torchmetrics():
    a, b = normal(500, 64) @ normal(64, 64, 5), normal(400, 64, 1) + 0.3

    class Identity(torch.nn.Module):
        num_features = 64

        def forward(self, rows):
            return rows

    metric = FrechetInceptionDistance(Identity(), normalize=True).set_dtype(torch.float64)
    metric.update(torch.from_numpy(a), real=True)
    metric.update(torch.from_numpy(b), real=False)
    assert frechet(a, b) == pytest.approx(by_hand(a, b))
    assert frechet(a, b) == pytest.approx(float(metric.compute()))


def test_kernel_of_few_points_is_the_formula_and_agrees_with_torchmetrics():
    a, b = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    # (xy + 1)^3: within a 1, within b 7^3, between 1, 1, 3^3, 4^3
    assert kernel(a, b) == pytest.approx(1 + 343 - 2 * (1 + 1 + 27 + 64) / 4)
    a, b = normal(200, 16), normal(200, 16, 1) + 0.5
    assert kernel(a, b) == pytest.approx(float(poly_mmd(torch.from_numpy(a), torch.from_numpy(b))))


def test_kernel_is_unbiased():
    values = [kernel(normal(60, 8, seed), normal(60, 8, 1000 + seed)) for seed in range(100)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * error and min(values) < 0 < max(values)
    assert kernel(normal(60, 8), normal(60, 8, 1) + 1) > 10 * max(values)


def test_kernel_of_large_sets_is_taken_in_subsets_by_the_seed(monkeypatch):
    monkeypatch.setattr(distances, "SUBSET_SIZE", 50)
    a, b = normal(120, 8), normal(80, 8, 1) + 0.5
    assert kernel(a, b, seed=1) == kernel(a, b, seed=1) != kernel(a, b, seed=2)
    monkeypatch.setattr(distances, "SUBSET_SIZE", 80)
    whole = kernel(a[:80], b)
    assert kernel(a, b) == pytest.approx(whole, rel=0.3)


def test_precision_and_recall_of_points_on_a_line():
    real, fake = np.array([[0.0], [1.0], [3.0], [10.0]]), np.array([[0.5], [2.0], [30.0], [31.0]])
    # k=1, reaches of real: 1, 1, 2, 7, so that they cover [-1, 5] and [3, 17]; of fake: 1.5, 1.5, 1, 1: [-1, 3.5], [29, 32]
    assert precision_recall(real, fake, k=1) == (2 / 4, 3 / 4)
    assert precision_recall(fake, real, k=1) == (3 / 4, 2 / 4)


def test_precision_and_recall_of_copies_a_mode_and_strangers():
    real = normal(300, 6)
    assert precision_recall(real, real) == (1, 1)
    precision, recall = precision_recall(real, real[:1] + 1e-3 * normal(300, 6, 1))
    assert precision == 1 and recall < 0.05
    assert precision_recall(real, real + 100) == (0, 0)


def test_a_picture_that_occurs_four_times_covers_itself_alone():
    real = np.repeat(normal(5, 40) * 0.1 + 7.3, 4, axis=0)
    assert precision_recall(real, real[::-1]) == (1, 1)
    assert precision_recall(real, real + 1e-3) == (0, 0)


def test_nearest_of_points_on_a_plane():
    references = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0], [100.0, 0.0]])
    indices, lengths = nearest(np.array([[0.0, 0.0], [90.0, 0.0]]), references, count=3)
    assert indices.tolist() == [[0, 2, 1], [3, 1, 0]] and indices.dtype == np.int64
    assert lengths[0].tolist() == [0, 1, 5] and lengths[1, 0] == 10


def test_nearest_of_a_copy_is_itself_at_no_distance_and_equals_go_by_row():
    references = normal(500, 32) + 1000
    indices, lengths = nearest(references[::-1], references)
    assert (indices[:, 0] == np.arange(500)[::-1]).all() and (lengths == 0).all()
    assert nearest(np.zeros((1, 2)), np.array([[1.0, 0], [0, 1], [-1, 0]]), 3)[0].tolist() == [[0, 1, 2]]


def test_parts_change_nothing(monkeypatch):
    a, b = normal(150, 5), normal(90, 5, 1)
    near, figures = nearest(a, b, 4), precision_recall(b, a)
    monkeypatch.setattr(distances, "PAIRS_AT_ONCE", 7 * 90)
    assert (nearest(a, b, 4)[0] == near[0]).all() and np.allclose(nearest(a, b, 4)[1], near[1])
    assert precision_recall(b, a) == figures
    exact = np.linalg.norm(a[:, None] - b, axis=2)
    assert (near[0] == exact.argsort(axis=1)[:, :4]).all()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_is_not_finite_or_does_not_fit_is_refused(function):
    good = normal(10, 4)
    spoilt = good.copy()
    spoilt[3, 2] = np.nan
    for one, other in [(good, spoilt), (spoilt, good), (good, good[:, :3]), (good[0], good), (good, good[:0])]:
        with pytest.raises(ValueError):
            function(one, other)


def test_sets_that_are_too_small_are_refused():
    with pytest.raises(ValueError, match="at least 2"):
        frechet(normal(1, 4), normal(9, 4))
    with pytest.raises(ValueError, match="at least 2"):
        kernel(normal(9, 4), normal(1, 4))
    with pytest.raises(ValueError, match="at least 4"):
        precision_recall(normal(3, 4), normal(9, 4))
    with pytest.raises(ValueError, match="got 4"):
        nearest(normal(3, 4), normal(3, 4), 4)


def test_global_random_numbers_are_left_alone(monkeypatch):
    monkeypatch.setattr(distances, "SUBSET_SIZE", 5)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    for function in FUNCTIONS:
        function(normal(10, 4), normal(10, 4, 1))
    assert (np.random.get_state()[1] == before[0]).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])
