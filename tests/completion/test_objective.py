import math

import pytest
import torch

from ganfill.completion.networks import Networks
from ganfill.completion.objective import Neighbourhood, Objective, log_fake, minus_log_real, uniform


def known_from(rows):
    return torch.tensor(rows, dtype=torch.float32)[None, None]


def test_weights_of_yeh_equation_4_by_hand():
    known = known_from([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 1, 1], [1, 1, 1, 0]])
    # Shares of missing pixels in 3 x 3, the border counted as known.
    ninths = [[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 2, 1], [0, 0, 1, 0]]
    torch.testing.assert_close(Neighbourhood(3)(known), torch.tensor(ninths)[None, None] / 9)


def test_a_floor_lifts_far_pixels_and_the_hole_stays_0():
    known = known_from([[0, 1, 1, 1, 1, 1]])
    expected = [[0, 0.2 + 0.8 / 9, 0.2, 0.2, 0.2, 0.2]]
    torch.testing.assert_close(Neighbourhood(3, 0.2)(known), known_from(expected))


def test_a_wide_window_is_that_of_the_paper():
    known = torch.ones(1, 1, 15, 15)
    known[..., 7, 7] = 0
    weights = Neighbourhood()(known)
    assert (weights > 0).sum() == 48 and weights[0, 0, 4, 4] == pytest.approx(1 / 49)


def test_uniform_counts_known_pixels():
    known = known_from([[0, 1], [1, 1]])
    assert torch.equal(uniform(known), known)


def test_prior_terms_are_logarithms_of_probabilities():
    logits = torch.tensor([-3.0, 0.0, 2.5])
    probability = torch.sigmoid(logits)
    torch.testing.assert_close(log_fake(logits), torch.log(1 - probability))
    torch.testing.assert_close(minus_log_real(logits), -torch.log(probability))
    assert log_fake(torch.tensor(1000.0)) == -1000 and minus_log_real(torch.tensor(-1000.0)) == 1000


def test_normalised_weights_make_a_mean_absolute_error():
    known = torch.ones(2, 1, 4, 4)
    known[0, :, :2], known[1] = 0, 0
    weights = Objective().weigh(known)
    assert weights.sum((1, 2, 3)).tolist() == pytest.approx([1 / 3, 0])
    loss = Objective()(None, torch.full((2, 3, 4, 4), 0.75), torch.zeros(2, 3, 4, 4), weights)
    assert loss.tolist() == pytest.approx([0.75, 0])
    assert torch.equal(Objective(normalise=False).weigh(known), known)


def test_the_loss_is_the_weighted_sum_plus_lambda_times_the_prior(model):
    generator = torch.Generator().manual_seed(0)
    pictures, image = (torch.rand(2, 3, 32, 32, generator=generator) * 2 - 1 for _ in range(2))
    weights = torch.rand(2, 1, 32, 32, generator=generator)
    networks = Networks(model, "fp32")
    contextual = (weights * (pictures - image).abs()).sum((1, 2, 3))
    for prior, term in ((log_fake, lambda p: (1 - p).log()), (minus_log_real, lambda p: -p.log())):
        loss = Objective(prior=prior, prior_weight=0.1)(networks, pictures, image, weights)
        probability = model.discriminator(pictures).sigmoid()
        torch.testing.assert_close(loss, contextual + 0.1 * term(probability))


def test_without_a_prior_no_discriminator_runs(model):
    model.discriminator = None
    networks = Networks(model, "fp32")
    zeros = torch.zeros(1, 3, 32, 32)
    assert math.isclose(Objective()(networks, zeros, zeros, zeros[:, :1]).item(), 0)
