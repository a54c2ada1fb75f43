import math

import pytest
import torch

from ganfill.models.latent import Normal, Uniform, typical
from ganfill.search.optimizers import Adam
from ganfill.search.parametrization import EDGE, Clip, TypicalSet

Z = 3 * torch.randn(50, 16, generator=torch.Generator().manual_seed(0))


def test_clip_is_for_a_uniform_prior_only():
    assert torch.equal(Clip().project(Z, Uniform(16)), Z.clamp(-1, 1))
    assert torch.equal(Clip().project(Z, Normal(16)), Z)


@pytest.mark.parametrize("latent", [Normal(16), Uniform(16)])
def test_clip_moves_in_z_itself(latent):
    assert torch.equal(Clip().enter(Z, latent), Z) and torch.equal(Clip().leave(Z, latent), Z)


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
    u = TypicalSet().project(Z * 9, latent)
    torch.testing.assert_close(TypicalSet().project(u, latent), u)


def test_the_origin_stays_a_number():
    assert typical(torch.zeros(1, 16), Normal(16)).isfinite().all()


def test_a_normal_prior_is_searched_in_z_near_its_shell():
    parametrise, latent = TypicalSet(width=0.5), Normal(16)
    assert torch.equal(parametrise.enter(Z, latent), typical(Z, latent, 0.5))
    assert torch.equal(parametrise.project(Z, latent), typical(Z, latent, 0.5))
    assert torch.equal(parametrise.leave(Z, latent), Z)


def test_vectors_of_any_batch_shape_are_moved_one_by_one():
    for latent in (Normal(16), Uniform(16)):
        for move in (TypicalSet().enter, TypicalSet().leave, TypicalSet().project):
            assert torch.equal(move(Z.view(5, 10, 16), latent), move(Z, latent).view(5, 10, 16))


def test_coordinates_of_a_uniform_prior_there_and_back():
    z = torch.linspace(-EDGE, EDGE, 201)[:, None]
    u = TypicalSet().enter(z, Uniform(1))
    torch.testing.assert_close(TypicalSet().leave(u, Uniform(1)), z, atol=1e-5, rtol=0)
    torch.testing.assert_close(u, z.atanh())


@pytest.mark.parametrize("z", [1.0, -1.0, 7.0])
def test_the_edge_of_a_uniform_prior_still_has_a_slope(z):
    u = TypicalSet().enter(torch.tensor([[z]]), Uniform(1)).requires_grad_()
    left = TypicalSet().leave(u, Uniform(1))
    (slope,) = torch.autograd.grad(left.sum(), u)
    assert left.abs() < 1 and left.sign() == math.copysign(1, z)
    assert slope.item() == pytest.approx(1 - EDGE**2, rel=0.01)


def test_a_coordinate_at_the_edge_comes_back():
    latent, parametrise, wanted = Uniform(2), TypicalSet(), torch.tensor([[0.2, -0.7]])
    run = Adam(0.1).begin(parametrise.enter(torch.tensor([[1.0, 1.0]]), latent), 200)
    for _ in range(200):
        u = run.point.detach().requires_grad_()
        z = parametrise.leave(u, latent)
        run.step(torch.autograd.grad((z - wanted).square().sum(), u)[0])
        run.point = parametrise.project(run.point, latent)
        assert (parametrise.leave(run.point, latent).abs() <= EDGE + 1e-6).all()
    torch.testing.assert_close(parametrise.leave(run.point, latent), wanted, atol=0.01, rtol=0)


def test_however_far_it_is_pushed_it_stays_where_there_is_a_slope():
    u = TypicalSet().project(torch.tensor([[50.0, -50.0, 1.0]]), Uniform(3))
    torch.testing.assert_close(TypicalSet().leave(u, Uniform(3)), torch.tensor([[EDGE, -EDGE, math.tanh(1)]]))
