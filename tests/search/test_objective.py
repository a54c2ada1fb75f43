import math

import pytest
import torch

from ganfill.search.networks import Networks
from ganfill.search.objective import (
    ContextualWeights,
    Decay,
    DiscriminatorPrior,
    EncoderPrior,
    Objective,
    distance_to,
    features,
    log_fake,
    minus_log_real,
    shell,
    uniform,
)


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


def test_prior_terms_are_logarithms_of_probabilities():
    logits = torch.tensor([-3.0, 0.0, 2.5])
    probability = torch.sigmoid(logits)
    torch.testing.assert_close(log_fake(logits), torch.log(1 - probability))
    torch.testing.assert_close(minus_log_real(logits), -torch.log(probability))
    assert log_fake(torch.tensor(1000.0)) == -1000 and minus_log_real(torch.tensor(-1000.0)) == 1000


def test_decay_by_hand():
    known = known_from([[1, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
    one, two = math.exp(-1 / 2), math.exp(-2 / 2)  # beyond a distance of 0, corners counting as neighbours
    expected = torch.tensor([[1, 0, 1, one, two], [1, 1, 1, one, two]])[None, None]
    torch.testing.assert_close(Decay(2)(known), expected)
    torch.testing.assert_close(Decay(2, 0.3)(known), known * (0.3 + 0.7 * expected))


def test_decay_ends_at_the_floor_where_nothing_is_missing_and_at_0_where_nothing_is_known():
    known = torch.stack([torch.ones(1, 6, 4), torch.zeros(1, 6, 4)])
    assert torch.equal(Decay(2, 0.25)(known), 0.25 * known)


def test_decay_takes_items_one_by_one():
    known = (torch.rand(6, 1, 9, 7, generator=torch.Generator().manual_seed(0)) > 0.1).float()
    known[2] = 1
    together = Decay(3, 0.1)(known)
    for i in range(6):
        torch.testing.assert_close(Decay(3, 0.1)(known[i : i + 1]), together[i : i + 1])
    assert together.min() >= 0 and together.max() <= 1


def test_distances_of_a_king_by_hand():
    where = known_from([[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
    assert distance_to(where)[0, 0].tolist() == [[2, 2, 2, 3], [1, 1, 2, 3], [0, 1, 2, 3]]
    assert distance_to(torch.zeros(1, 1, 2, 3)).isinf().all() and not distance_to(torch.ones(1, 1, 2, 3)).any()
    corner = torch.zeros(1, 1, 9, 5)
    corner[..., 0, 0] = 1
    assert distance_to(corner).max() == 8


def test_trust_by_hand():
    known = known_from([[1, 0, 0, 0]])
    one, two = 1 - math.exp(-1 / 4), 1 - math.exp(-1)  # a pixel and two beyond the edge, over a length of two
    torch.testing.assert_close(EncoderPrior(9.0, 2.0)(known), known_from([[0, 0, one, two]]) * 9 / (3 * 3))


def test_trust_where_all_or_nothing_is_known():
    weights = EncoderPrior(6.0)(torch.stack([torch.ones(1, 4, 4), torch.zeros(1, 4, 4)]))
    assert not weights[0].any() and torch.equal(weights[1], torch.full((1, 4, 4), 6 / 48))


def test_smooth_differences_are_squares_when_small_and_absolute_when_large():
    objective, weights = Objective(smooth=0.1), torch.ones(3, 1, 1, 1)
    pictures = torch.tensor([0.0, 0.001, 10.0]).view(3, 1, 1, 1).expand(3, 3, 1, 1)
    errors = objective.error(pictures, torch.zeros(3, 3, 1, 1), weights)
    assert errors[0] == 0 and errors[1].item() == pytest.approx(3 * 0.001**2 / 0.2, rel=1e-2)
    assert errors[2].item() == pytest.approx(3 * 9.9, rel=1e-3)


def test_normalised_weights_make_a_mean_absolute_error():
    known = torch.ones(2, 1, 4, 4)
    known[0, :, :2], known[1] = 0, 0
    weights = Objective().weigh(known)
    assert weights.sum((1, 2, 3)).tolist() == pytest.approx([1 / 3, 0])
    z, pictures = torch.zeros(2, 8), torch.full((2, 3, 4, 4), 0.75)
    assert Objective()(None, z, pictures, torch.zeros(2, 3, 4, 4), weights).tolist() == pytest.approx([0.75, 0])
    assert torch.equal(Objective(normalise=False).weigh(known), known)


@pytest.fixture
def scene():
    """z, pictures, image and weights of two items."""
    generator = torch.Generator().manual_seed(0)
    pictures, image = (torch.rand(2, 3, 32, 32, generator=generator) * 2 - 1 for _ in range(2))
    weights = torch.rand(2, 1, 32, 32, generator=generator)
    weights[:, :, 8:20, 10:30] = 0
    return torch.randn(2, 8, generator=generator), pictures, image, weights


def test_the_loss_is_the_weighted_sum_plus_lambda_times_the_prior(model, scene):
    _, pictures, image, weights = scene
    contextual = (weights * (pictures - image).abs()).sum((1, 2, 3))
    torch.testing.assert_close(Objective().error(pictures, image, weights), contextual)
    for penalty, term in ((log_fake, lambda p: (1 - p).log()), (minus_log_real, lambda p: -p.log())):
        loss = Objective(prior=DiscriminatorPrior(penalty), prior_weight=0.1)(Networks(model, "fp32"), *scene)
        probability = model.discriminator(pictures).sigmoid()
        torch.testing.assert_close(loss, contextual + 0.1 * term(probability))


@pytest.mark.parametrize("prior", [DiscriminatorPrior(), DiscriminatorPrior(centred=True), shell, features])
def test_any_prior_term_is_added_as_it_is(model, scene, prior):
    networks = Networks(model, "fp32")
    loss = Objective(prior=prior, prior_weight=0.7)(networks, *scene)
    torch.testing.assert_close(loss, Objective()(networks, *scene) + 0.7 * prior(networks, *scene))
    assert prior(networks, *scene).shape == (2,) and not torch.equal(loss, Objective()(networks, *scene))


def test_without_a_prior_no_discriminator_runs(model):
    model.discriminator = None
    networks = Networks(model, "fp32")
    zeros = torch.zeros(1, 3, 32, 32)
    assert math.isclose(Objective()(networks, torch.zeros(1, 8), zeros, zeros, zeros[:, :1]).item(), 0)
    unweighted = Objective(prior=DiscriminatorPrior(), prior_weight=0)
    assert math.isclose(unweighted(networks, torch.zeros(1, 8), zeros, zeros, zeros[:, :1]).item(), 0)


def test_a_centred_critic_counts_from_the_mean_logit_of_real_pictures(model, scene):
    networks, logits = Networks(model, "fp32"), model.discriminator(scene[1])
    assert model.logit_centre == 1.5
    torch.testing.assert_close(DiscriminatorPrior(log_fake, centred=True)(networks, *scene), log_fake(logits - 1.5))
    torch.testing.assert_close(DiscriminatorPrior(log_fake)(networks, *scene), log_fake(logits))


def test_the_shell_is_the_square_of_the_distance_to_it(scene):
    z = torch.tensor([[3.0, 0, 0, 0], [0, 1, 1, 0], [2, 0, 0, 0]])
    torch.testing.assert_close(shell(None, z, *scene[1:]), torch.tensor([1.0, (2**0.5 - 2) ** 2, 0.0]))


def test_features_by_hand(linear):
    """The features of this discriminator are the pixels themselves."""
    image, pictures = torch.full((1, 3, 4, 4), 0.5), torch.zeros(1, 3, 4, 4)
    weights = torch.zeros(1, 1, 4, 4)
    weights[..., :2] = 0.1
    penalty = features(Networks(linear, "fp32"), torch.zeros(1, 3), pictures, image, weights)
    assert penalty.tolist() == pytest.approx([0.25])  # half of the pixels change by one half


def test_features_are_0_where_all_that_is_known_agrees_and_never_see_the_hole(model, scene):
    z, pictures, image, weights = scene
    networks, missing = Networks(model, "fp32"), weights == 0
    agreeing = torch.where(missing, image, pictures)
    assert not features(networks, z, pictures, agreeing, weights).any()
    penalty = features(networks, *scene)
    assert (penalty > 0).all()
    for content in (torch.full_like(image, float("nan")), torch.randn(image.shape)):
        other = torch.where(missing, content, image)
        assert torch.equal(features(networks, z, pictures, other, weights), penalty)
    free = pictures.clone().requires_grad_()
    hidden = image.masked_fill(missing, float("nan"))
    (gradient,) = torch.autograd.grad(features(networks, z, free, hidden, weights).sum(), free)
    assert gradient.isfinite().all() and gradient.any()
