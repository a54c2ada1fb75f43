import math

import pytest
import torch

from ganfill import seeding
from ganfill.models.latent import EDGE, Normal, Uniform
from ganfill.search.optimizers import Adam

Z = 3 * torch.randn(50, 16, generator=torch.Generator().manual_seed(0))


def test_moments_and_bounds():
    normal = Normal(50).sample(4000, seeding.generator(0, "z"))
    uniform = Uniform(50).sample(4000, seeding.generator(0, "z"))
    assert normal.shape == uniform.shape == (4000, 50)
    torch.testing.assert_close(normal.std(), torch.tensor(1.0), atol=0.01, rtol=0)
    torch.testing.assert_close(uniform.std(), torch.tensor(3**-0.5), atol=0.01, rtol=0)
    assert uniform.abs().max() <= 1


def test_same_seed_and_purpose_give_the_same_draw_and_others_another():
    draw = [
        Normal(8).sample(4, seeding.generator(*words)) for words in [(0, "z", 1), (0, "z", 1), (0, "z", 2), (1, "z", 1)]
    ]
    assert torch.equal(draw[0], draw[1])
    assert not torch.equal(draw[0], draw[2])
    assert not torch.equal(draw[0], draw[3])


def test_clip_affects_a_uniform_prior_only():
    assert torch.equal(Uniform(16).clip(Z), Z.clamp(-1, 1)) and torch.equal(Uniform(16).project(Z), Z.clamp(-1, 1))
    assert torch.equal(Normal(16).clip(Z), Z)


def test_project_moves_z_of_a_normal_prior_to_its_shell_and_keeps_directions():
    scaled = Z * torch.linspace(0.01, 3, 50)[:, None]
    projected = Normal(16).project(scaled)
    norms = projected.norm(dim=1)
    assert norms.min() >= 2.5 - 1e-4 and norms.max() <= 5.5 + 1e-4
    torch.testing.assert_close(torch.cosine_similarity(projected, scaled), torch.ones(50))
    assert (norms < 2.6).any() and (norms > 5.4).any()


def test_project_leaves_samples_unchanged():
    z = Normal(64).sample(200, torch.Generator().manual_seed(0))
    torch.testing.assert_close(Normal(64).project(z, width=3.0), z)


@pytest.mark.parametrize("latent", [Normal(16), Uniform(16)])
def test_projecting_twice_is_projecting_once(latent):
    once = latent.project(Z)
    torch.testing.assert_close(latent.project(once), once)
    u = latent.project_unconstrained(Z * 9)
    torch.testing.assert_close(latent.project_unconstrained(u), u)


def test_the_projection_of_the_origin_is_finite():
    assert Normal(16).project(torch.zeros(1, 16)).isfinite().all()


def test_unconstrained_coordinates_of_a_normal_prior_are_z():
    latent = Normal(16)
    assert torch.equal(latent.to_unconstrained(Z), Z) and torch.equal(latent.from_unconstrained(Z), Z)
    assert torch.equal(latent.project_unconstrained(Z, 0.5), latent.project(Z, 0.5))


@pytest.mark.parametrize("latent", [Normal(16), Uniform(16)])
def test_vectors_of_any_batch_shape_are_moved_one_by_one(latent):
    for move in (latent.project, latent.to_unconstrained, latent.from_unconstrained, latent.project_unconstrained):
        assert torch.equal(move(Z.view(5, 10, 16)), move(Z).view(5, 10, 16))


def test_coordinates_of_a_uniform_prior_there_and_back():
    z = torch.linspace(-EDGE, EDGE, 201)[:, None]
    u = Uniform(1).to_unconstrained(z)
    torch.testing.assert_close(Uniform(1).from_unconstrained(u), z, atol=1e-5, rtol=0)
    torch.testing.assert_close(u, z.atanh())


@pytest.mark.parametrize("z", [1.0, -1.0, 7.0])
def test_the_edge_of_a_uniform_prior_still_has_a_slope(z):
    u = Uniform(1).to_unconstrained(torch.tensor([[z]])).requires_grad_()
    left = Uniform(1).from_unconstrained(u)
    (slope,) = torch.autograd.grad(left.sum(), u)
    assert left.abs() < 1 and left.sign() == math.copysign(1, z)
    assert slope.item() == pytest.approx(1 - EDGE**2, rel=0.01)


def test_a_coordinate_at_the_edge_comes_back():
    latent, wanted = Uniform(2), torch.tensor([[0.2, -0.7]])
    state = Adam(0.1).begin(latent.to_unconstrained(torch.tensor([[1.0, 1.0]])), 200)
    for _ in range(200):
        u = state.point.detach().requires_grad_()
        z = latent.from_unconstrained(u)
        state.step(torch.autograd.grad((z - wanted).square().sum(), u)[0])
        state.point = latent.project_unconstrained(state.point)
        assert (latent.from_unconstrained(state.point).abs() <= EDGE + 1e-6).all()
    torch.testing.assert_close(latent.from_unconstrained(state.point), wanted, atol=0.01, rtol=0)


def test_however_far_it_is_pushed_it_stays_where_there_is_a_slope():
    u = Uniform(3).project_unconstrained(torch.tensor([[50.0, -50.0, 1.0]]))
    torch.testing.assert_close(Uniform(3).from_unconstrained(u), torch.tensor([[EDGE, -EDGE, math.tanh(1)]]))


def test_neg_log_prob_is_minus_the_logarithm_of_the_density():
    u = torch.linspace(-4, 4, 9)[:, None]
    for latent, density in ((Normal(1), torch.exp(-(u**2) / 2)), (Uniform(1), 1 / u.cosh() ** 2)):
        energy = latent.neg_log_prob(u)
        torch.testing.assert_close(energy - energy[4], -density[:, 0].log())
    assert Uniform(2).neg_log_prob(torch.tensor([[300.0, -300.0]])).isfinite().all()
    assert Normal(3).neg_log_prob(torch.zeros(2, 5, 3)).shape == (2, 5)


def test_interpolation_of_a_normal_prior_stays_on_the_shell():
    start, end = torch.randn(2, 5, 100, generator=torch.Generator().manual_seed(0))
    found = Normal(100).interpolate(start, end, 9)
    assert found.shape == (5, 9, 100)
    torch.testing.assert_close(found[:, 0], start)
    torch.testing.assert_close(found[:, -1], end)
    norms = torch.stack([start.norm(dim=1), end.norm(dim=1)])
    assert (found.norm(dim=2) > 0.95 * norms.amin(0)[:, None]).all()  # on a straight line, the middle has 0.7 of it
    start, end = (torch.nn.functional.normalize(z, dim=1) for z in (start, end))
    unit = Normal(100).interpolate(start, end, 9)
    torch.testing.assert_close(unit.norm(dim=2), torch.ones(5, 9))
    angles = (unit[:, 1:] * unit[:, :-1]).sum(2).acos()
    torch.testing.assert_close(angles, (start * end).sum(1).acos()[:, None].expand(5, 8) / 8, rtol=1e-3, atol=1e-3)


def test_interpolation_between_equal_and_opposite_ends_is_finite():
    z = torch.ones(1, 4)
    torch.testing.assert_close(Normal(4).interpolate(z, z, 3), z.expand(1, 3, 4), rtol=1e-3, atol=1e-3)
    assert Normal(4).interpolate(z, -z, 3).isfinite().all()


def test_interpolation_of_a_uniform_prior_is_linear():
    start, end = torch.tensor([[-1.0, 1.0]]), torch.tensor([[1.0, 1.0]])
    assert Uniform(2).interpolate(start, end, 3).tolist() == [[[-1.0, 1.0], [0.0, 1.0], [1.0, 1.0]]]
