import math

import pytest
import torch
from torch import nn

import ganfill
from ganfill.errors import UserError
from ganfill.search.networks import Networks
from ganfill.search.presets import from_pool
from ganfill.search.w_prior import GaussianPrior, moments


def mapped_w(model, n):
    z = model.latent.sample(n, torch.Generator().manual_seed(1))
    return model.generator.forward_until(z, 1)


def test_the_penalty_is_the_weight_for_a_w_of_the_mapping_network(styled):
    penalty = GaussianPrior(0.5)(Networks(styled, "fp32"))
    assert penalty(mapped_w(styled, 4000)).mean().item() == pytest.approx(0.5, rel=0.05)


def test_the_penalty_is_the_mahalanobis_distance(styled):
    networks, ws = Networks(styled, "fp32"), torch.randn(2, 8, 8)
    mean, precision = moments(networks)
    expected = torch.zeros(2)
    for i, layers in enumerate(ws):
        for w in layers:
            v = torch.where(w < 0, 5 * w, w) - mean
            expected[i] += v @ precision @ v / (8 * 8)
    torch.testing.assert_close(GaussianPrior(1.0)(networks)(ws), expected, rtol=1e-3, atol=1e-4)
    w = mapped_w(styled, 20_000)[:, 0].double()
    v = torch.where(w < 0, 5 * w, w)
    torch.testing.assert_close(mean.double(), v.mean(0), atol=0.05 * v.std().item(), rtol=0.05)
    assert math.isfinite(precision.abs().max())
    assert moments(networks)[0] is mean  # computed once


def test_a_search_with_the_prior_stays_closer_to_the_distribution(styled, holes):
    styled.encoder = None
    images = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1  # not of the generator
    found, penalty = {}, GaussianPrior(1.0)(Networks(styled, "fp32"))
    of_ws, generate = [], styled.generator.forward_from
    styled.generator.forward_from = lambda features, stage: of_ws.append(features) or generate(features, stage)
    for weight in (0.0, 1.0):
        search = from_pool(4, 1, 8, cut_steps=30, cut_prior=weight, precision="fp32")
        found[weight] = search(styled, images, holes)
        assert found[weight].pictures.isfinite().all()
        found[weight] = penalty(of_ws[-1][:5]).mean().item()
    assert found[1.0] < 0.7 * found[0.0]


@pytest.mark.parametrize("mapping", [False, True])
def test_a_generator_without_a_mapping_network_that_can_be_split_off_is_refused(model, images, holes, mapping):
    search = from_pool(0, 1, 8, cut_prior=0.1)
    if mapping:
        model = ganfill.wrap(nn.Sequential(model.generator), latent=model.latent, resolution=32)
        model.generator.mapping = nn.Identity()
    with pytest.raises(UserError, match=r"search.cut_prior=0.1 needs a generator with a mapping network"):
        search(model, images, holes)
