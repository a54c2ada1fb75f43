from dataclasses import replace

import pytest
import torch

from ganfill.errors import UserError
from ganfill.models.latent import Normal, Uniform
from ganfill.search.hmc import PosteriorSampling
from ganfill.search.initialization import from_prior
from ganfill.search.latent_search import LatentSearch
from ganfill.search.presets import posterior
from ganfill.search.result import SearchOptions

BEGIN = LatentSearch(rounds=((4, 0),), start=from_prior, shell_width=100, precision="fp32")
SAMPLING = PosteriorSampling(BEGIN, chains=4, burn_in=60, samples=400, leaps=6, correlated=8.0, precision="fp32")


@pytest.fixture
def images():
    return torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def holes():
    holes = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    holes[:, :, :, 1:] = True
    return holes


def test_a_linear_generator_has_a_normal_posterior(linear, images, holes):
    begun = BEGIN(linear, images, holes, SearchOptions(answers=4)).latents
    found = SAMPLING(linear, images, holes, SearchOptions(answers=200))
    matrix = linear.generator.second @ linear.generator.first
    for i in range(2):
        known = ~holes[i].expand(3, -1, -1).flatten()
        part, wanted = matrix[known], images[i].flatten()[known]
        noise = (begun[i] @ part.T - wanted).square().mean(1).min()
        covariance = torch.linalg.inv(torch.eye(3) + part.T @ part / (8.0 * noise))
        mean = covariance @ part.T @ wanted / (8.0 * noise)
        deviation = (matrix @ covariance @ matrix.T).diagonal().sqrt()
        assert ((found.mean[i].flatten() - matrix @ mean).abs() < 0.2 * deviation).all()
        # 90 % of a normal distribution lie within 1.645 deviations; the interval also holds the noise.
        wide = 2 * 1.645 * (deviation**2 + noise).sqrt()
        low, high = (bound[i].flatten() for bound in found.interval)
        torch.testing.assert_close(high - low, wide, rtol=0.15, atol=0.02)
        torch.testing.assert_close((high + low) / 2, matrix @ mean, atol=0.15 * wide.max().item(), rtol=0)


@pytest.mark.parametrize(("latent", "variance"), [(Normal(3), 1.0), (Uniform(3), 1 / 3)])
def test_where_nothing_is_known_the_prior_is_sampled(linear, images, latent, variance, monkeypatch):
    linear.latent = latent
    monkeypatch.setattr("ganfill.search.hmc.STEP_SIZE", 0.6)  # of a length that is no whole number of periods
    sampling = replace(SAMPLING, burn_in=0)
    found = sampling(linear, images[:1], torch.ones(1, 1, 4, 4, dtype=torch.bool), SearchOptions(answers=1600))
    z = found.latents[0]
    assert z.mean(0).abs().max() < 0.2 * variance**0.5
    torch.testing.assert_close(z.var(0), torch.full((3,), variance), rtol=0.2, atol=0)
    assert isinstance(latent, Normal) or z.abs().max() <= 1


def test_answers_are_samples_and_ranked(model):
    images = model.generator(model.latent.sample(2, torch.Generator().manual_seed(3)))
    holes = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    holes[:, :, 8:24, 8:24] = True
    reports = []
    found = replace(SAMPLING, burn_in=2, samples=3, leaps=2)(
        model,
        images,
        holes,
        SearchOptions(answers=3, frames=3, on_progress=lambda progress: reports.append(progress.pictures)),
    )
    torch.testing.assert_close(model.generator(found.latents.flatten(0, 1)), found.pictures.flatten(0, 1))
    assert (found.scores.diff(dim=1) >= 0).all() and found.latents.abs().max() <= 1
    assert (found.interval[0] <= found.interval[1]).all() and found.mean.shape == (2, 3, 32, 32)
    assert [frame.shape for frame in found.frames] == [(2, 3, 32, 32)] * 3 and sum(reports) == pytest.approx(2)
    assert found.passes >= 4 * 2 * (2 + 3)


def test_no_more_answers_than_samples(linear, images, holes):
    with pytest.raises(UserError, match="answers=9, but 8 samples are drawn"):
        replace(SAMPLING, chains=2, samples=4)(linear, images, holes, SearchOptions(answers=9))
    with pytest.raises(ValueError, match="answers must be"):
        SAMPLING(linear, images, holes, SearchOptions(answers=0))


def test_agreement_counts_for_a_single_chain_too(model_with_encoder):
    holes = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    holes[:, :, 8:24, 8:24] = True
    scores = [
        posterior(chains=1, burn_in=1, samples=2, leaps=1, steps=1, agreement=agreement)(
            model_with_encoder, torch.zeros(1, 3, 32, 32), holes
        ).scores
        for agreement in (0.0, 10.0)
    ]
    assert (scores[1] > scores[0] + 0.01).all()


def test_the_expectation_is_computed_once_and_the_initial_search_is_not_finished(model_with_inpainter):
    encoded, completed = [], []
    model_with_inpainter.encoder.register_forward_pre_hook(lambda *_: encoded.append(1))
    model_with_inpainter.inpainter.register_forward_pre_hook(lambda *_: completed.append(1))
    holes = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    holes[:, :, 8:24, 8:24] = True
    posterior(burn_in=1, samples=2, leaps=1, steps=1)(model_with_inpainter, torch.zeros(1, 3, 32, 32), holes)
    assert len(encoded) == 3 and len(completed) == 8  # the start, the picture, its mirror image; both samples four ways
