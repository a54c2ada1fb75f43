import pytest
import torch

from ganfill.completion.parametrise import clip, typical
from ganfill.models.latent import Normal, Uniform

Z = 3 * torch.randn(50, 16, generator=torch.Generator().manual_seed(0))


def test_clip_is_for_a_uniform_prior_only():
    assert torch.equal(clip(Z, Uniform(16)), Z.clamp(-1, 1))
    assert torch.equal(clip(Z, Normal(16)), Z)


def test_typical_puts_a_normal_prior_near_its_shell_and_keeps_directions():
    scaled = Z * torch.linspace(0.01, 3, 50)[:, None]
    moved = typical(scaled, Normal(16))
    norms = moved.norm(dim=1)
    assert norms.min() >= 2.5 - 1e-4 and norms.max() <= 5.5 + 1e-4
    torch.testing.assert_close(torch.cosine_similarity(moved, scaled), torch.ones(50))
    assert (norms < 2.6).any() and (norms > 5.4).any()


def test_typical_leaves_what_is_typical_alone():
    z = Normal(64).sample(200, torch.Generator().manual_seed(0))
    moved = typical(z, Normal(64), width=3.0)
    torch.testing.assert_close(moved, z)
    assert torch.equal(typical(Z, Uniform(16)), Z.clamp(-1, 1))


@pytest.mark.parametrize("latent", [Normal(16), Uniform(16)])
def test_projecting_twice_is_projecting_once(latent):
    once = typical(Z, latent)
    torch.testing.assert_close(typical(once, latent), once)


def test_the_origin_stays_a_number():
    assert typical(torch.zeros(1, 16), Normal(16)).isfinite().all()
