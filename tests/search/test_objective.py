import math

import pytest
import torch

from ganfill.search.objective import ContextualWeights, EncoderPrior, Objective, chebyshev_distance, uniform


def known_from(rows):
    return torch.tensor(rows, dtype=torch.float32)[None, None]


def test_weights_of_yeh_equation_4_by_hand():
    known = known_from([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 1, 1], [1, 1, 1, 0]])
    # Shares of missing pixels in 3 x 3, the border counted as known.
    ninths = [[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 2, 1], [0, 0, 1, 0]]
    torch.testing.assert_close(ContextualWeights(3)(known), torch.tensor(ninths)[None, None] / 9)


def test_a_floor_lifts_far_pixels_and_the_hole_stays_0():
    known = known_from([[0, 1, 1, 1, 1, 1]])
    expected = [[0, 0.2 + 0.8 / 9, 0.2, 0.2, 0.2, 0.2]]
    torch.testing.assert_close(ContextualWeights(3, 0.2)(known), known_from(expected))


def test_a_wide_window_is_that_of_the_paper():
    known = torch.ones(1, 1, 15, 15)
    known[..., 7, 7] = 0
    weights = ContextualWeights()(known)
    assert (weights > 0).sum() == 48 and weights[0, 0, 4, 4] == pytest.approx(1 / 49)


def test_uniform_counts_known_pixels():
    known = known_from([[0, 1], [1, 1]])
    assert torch.equal(uniform(known), known)


def test_distances_of_a_king_by_hand():
    where = known_from([[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
    assert chebyshev_distance(where)[0, 0].tolist() == [[2, 2, 2, 3], [1, 1, 2, 3], [0, 1, 2, 3]]
    assert (
        chebyshev_distance(torch.zeros(1, 1, 2, 3)).isinf().all()
        and not chebyshev_distance(torch.ones(1, 1, 2, 3)).any()
    )
    corner = torch.zeros(1, 1, 9, 5)
    corner[..., 0, 0] = 1
    assert chebyshev_distance(corner).max() == 8


def test_trust_by_hand():
    known = known_from([[1, 0, 0, 0]])
    one, two = 1 - math.exp(-1 / 36), 1 - math.exp(-4 / 36)  # a pixel and two beyond the edge, over a length of six
    torch.testing.assert_close(EncoderPrior(9.0)(known), known_from([[0, 0, one, two]]) * 9 / (3 * 3))


def test_trust_where_all_or_nothing_is_known():
    weights = EncoderPrior(6.0)(torch.stack([torch.ones(1, 4, 4), torch.zeros(1, 4, 4)]))
    assert not weights[0].any() and torch.equal(weights[1], torch.full((1, 4, 4), 6 / 48))


def test_smooth_differences_are_squares_when_small_and_absolute_when_large():
    objective, weights = Objective(smooth=0.1), torch.ones(3, 1, 1, 1)
    pictures = torch.tensor([0.0, 0.001, 10.0]).view(3, 1, 1, 1).expand(3, 3, 1, 1)
    errors = objective(pictures, torch.zeros(3, 3, 1, 1), weights)
    assert errors[0] == 0 and errors[1].item() == pytest.approx(3 * 0.001**2 / 0.2, rel=1e-2)
    assert errors[2].item() == pytest.approx(3 * 9.9, rel=1e-3)


def test_normalised_weights_make_a_mean_absolute_error():
    known = torch.ones(2, 1, 4, 4)
    known[0, :, :2], known[1] = 0, 0
    weights = Objective().weigh(known)
    assert weights.sum((1, 2, 3)).tolist() == pytest.approx([1 / 3, 0])
    pictures, image = torch.full((2, 3, 4, 4), 0.75), torch.zeros(2, 3, 4, 4)
    assert Objective()(pictures, image, weights).tolist() == pytest.approx([0.75, 0])


def test_the_loss_is_the_weighted_sum_of_absolute_differences():
    generator = torch.Generator().manual_seed(0)
    pictures, image = (torch.rand(2, 3, 32, 32, generator=generator) * 2 - 1 for _ in range(2))
    weights = torch.rand(2, 1, 32, 32, generator=generator)
    expected = (weights * (pictures - image).abs()).sum((1, 2, 3))
    torch.testing.assert_close(Objective()(pictures, image, weights), expected)
