import pytest
import torch

from ganfill.images.blend import Paste, Poisson
from ganfill.models.latent import Normal
from ganfill.search.initialization import from_prior
from ganfill.search.networks import Networks
from ganfill.search.objective import ContextualWeights
from ganfill.search.published import amos2016, log_fake, minus_log_real, yeh2017
from ganfill.search.result import SearchOptions
from ganfill.search.target import Target


def by_the_paper(model, images, holes, weights, prior, factor, rate, steps, clip=True):
    """The published loop, one picture at a time, in torch's own words."""
    target = Target.of(images, holes)
    found = []
    for i, z in enumerate(from_prior(Networks(model, "fp32"), target, weights, 1, 0)):
        z = z.clone().requires_grad_()
        adam = torch.optim.Adam([z], lr=rate)
        for _ in range(steps):
            adam.zero_grad()
            picture = model.generator(z)
            probability = model.discriminator(picture).sigmoid()
            loss = (weights[i] * (picture - images[i]).abs()).sum() + factor * prior(probability).sum()
            loss.backward()
            adam.step()
            if clip:
                z.data.clamp_(-1, 1)
        found.append(z.detach())
    return torch.stack(found)


def minus_log(p):
    return -p.log()


def log_of_rest(p):
    return (1 - p).log()


def test_amos2016_is_the_published_loop(model, images, holes):
    found = amos2016(steps=8, rate=0.2, prior_weight=5.0, precision="fp32")(model, images, holes).latents
    torch.testing.assert_close(
        found, by_the_paper(model, images, holes, (~holes).float(), minus_log, 5.0, 0.2, 8), atol=1e-3, rtol=0
    )
    assert (found.abs() == 1).any()


def test_yeh2017_is_the_published_loop(model, images, holes):
    weights = ContextualWeights(7)((~holes).float())
    found = yeh2017(steps=8, rate=0.2, prior_weight=5.0, precision="fp32")(model, images, holes).latents
    expected = by_the_paper(model, images, holes, weights, log_of_rest, 5.0, 0.2, 8)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


def test_prior_terms_are_logarithms_of_probabilities():
    logits = torch.tensor([-3.0, 0.0, 2.5])
    probability = torch.sigmoid(logits)
    torch.testing.assert_close(log_fake(logits), torch.log(1 - probability))
    torch.testing.assert_close(minus_log_real(logits), -torch.log(probability))
    assert log_fake(torch.tensor(1000.0)) == -1000 and minus_log_real(torch.tensor(-1000.0)) == 1000


@pytest.mark.parametrize("make", [amos2016, yeh2017])
def test_the_published_searches_know_no_hole_and_rank_their_answers(model, images, holes, make, bits, equal):
    search, options = make(steps=4, precision="fp32"), SearchOptions(answers=3, frames=2)
    found = search(model, images, holes, options)
    assert equal(bits(search(model, images.masked_fill(holes, float("nan")), holes, options)), bits(found))
    assert (found.scores.diff(dim=1) >= 0).all() and found.passes == pytest.approx(3 * (4 + 1 / 3))
    torch.testing.assert_close(model.generator(found.latents.flatten(0, 1)), found.pictures.flatten(0, 1))
    single = SearchOptions(deterministic=True)
    together = search(model, images, holes, single)
    assert equal(bits(search(model, images[1:2], holes[1:2], single)), bits(together, [1]))


@pytest.mark.parametrize("make", [amos2016, yeh2017])
def test_a_normal_prior_is_not_clipped(model, images, holes, make):
    model.latent = Normal(8)
    assert make(steps=3, rate=0.5, precision="fp32")(model, images, holes).latents.abs().max() > 1.5


def test_settings_of_the_papers():
    assert amos2016().steps == 1000 and yeh2017().steps == 1500
    assert amos2016().prior_weight == 0.1 and yeh2017().prior_weight == 0.003
    assert amos2016().blend == Paste() and yeh2017().blend == Poisson()
    known = torch.ones(1, 1, 8, 8)
    assert torch.equal(amos2016().weights(known), known) and yeh2017().weights == ContextualWeights(7)
