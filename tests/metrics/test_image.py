import numpy as np
import pytest

from ganfill.metrics import image


@pytest.fixture
def truth():
    return np.random.default_rng(0).integers(40, 200, (3, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def holes():
    """A square in the middle, nothing, everything."""
    holes = np.zeros((3, 16, 16), bool)
    holes[0, 4:8, 4:8] = holes[2] = True
    return holes


EVERY = [image.psnr, image.l1, image.ssim, image.seam]


@pytest.mark.parametrize("metric", EVERY)
def test_what_is_outside_the_hole_plays_no_part(metric, truth, holes):
    finished = truth.copy()
    finished[0, 4:8, 4:8] += 10
    outside = finished.copy()
    outside[0, 12:, 12:] = 0  # farther from the hole than windows and gradients reach
    assert metric(finished, truth, holes)[0] == metric(outside, truth, holes)[0]


def test_a_constant_error_of_ten_levels(truth, holes):
    finished = np.where(holes[..., None], truth + 10, truth).astype(np.uint8)
    assert image.l1(finished, truth, holes)[[0, 2]] == pytest.approx(10)
    assert image.psnr(finished, truth, holes)[[0, 2]] == pytest.approx(20 * np.log10(25.5))
    seam = image.seam(finished, truth, holes)
    assert seam[0] == pytest.approx(10) and np.isnan(seam[1:]).all()
    assert 0.5 < image.ssim(finished, truth, holes)[0] < 1


def test_a_step_that_the_true_picture_has_is_no_seam(holes):
    truth = np.full((3, 16, 16, 3), 50, np.uint8)
    truth[0, 4:8, 4:8] = 200
    assert image.seam(truth, truth, holes)[0] == 0
    assert image.seam(np.full_like(truth, 50), truth, holes)[0] == 150


def test_what_is_filled_exactly_is_finite(truth, holes):
    assert image.psnr(truth, truth, holes)[0] == pytest.approx(108.13, abs=0.01)
    assert image.ssim(truth, truth, holes)[0] == pytest.approx(1)


@pytest.mark.parametrize("metric", EVERY)
def test_where_nothing_is_missing_there_is_no_figure(metric, truth, holes):
    assert np.isnan(metric(truth, truth, holes)[1])


def test_the_ssim_map_is_averaged_over_the_hole_alone(holes):
    truth = np.random.default_rng(1).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8)
    finished = truth.copy()
    finished[0, 4:8, 4:8] = 128
    all_missing = np.ones((1, 16, 16), bool)
    assert image.ssim(finished, truth, holes[:1])[0] < image.ssim(finished, truth, all_missing)[0] - 0.1


def test_diversity_is_the_mean_over_pairs(holes):
    answers = np.zeros((1, 3, 16, 16, 3), np.uint8)
    answers[:, 1], answers[:, 2] = 10, 40
    assert image.diversity(answers, holes[:1])[0] == pytest.approx((10 + 40 + 30) / 3)
    assert np.isnan(image.diversity(answers[:, :1], holes[:1])[0])


def test_rank_correlation():
    scores = np.array([[1.0, 2, 3, 4], [1, 2, 3, 4], [0, 0, 0, 0], [1, 1, 2, 2]])
    errors = np.array([[1.0, 4, 9, 16], [4, 3, 2, 1], [1, 2, 3, 4], [1, 1, 5, 5]])
    assert image.rank_correlation(scores, errors) == pytest.approx([1, -1, np.nan, 1], nan_ok=True)


def test_the_first_against_the_median():
    errors = np.array([[1.0, 2, 3], [2, 1, 3], [3, 1, 2]])
    assert image.first_beats_median(errors).tolist() == [1, 0.5, 0]


def test_coverage_counts_bounds_as_inside(truth, holes):
    low, high = truth.copy(), truth.copy()
    assert image.coverage(low, high, truth, holes)[0] == 1
    low[0, 4:6, 4:8] += 1
    assert image.coverage(low, high, truth, holes)[0] == 0.5
    low[0, 12:] = 255
    assert image.coverage(low, high, truth, holes)[0] == 0.5
