import copy
from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from torch import nn

from ganfill.errors import UserError
from ganfill.search.networks import Networks
from ganfill.search.objective import Objective
from ganfill.search.parametrization import TypicalSet
from ganfill.search.refinement import Adapt, Answers, FeatureOptimization, Polish
from ganfill.search.selection import hold_out
from ganfill.search.target import Target

FREE = TypicalSet(width=100)


@dataclass(frozen=True)
class Squares(Objective):
    """Weighted squared error, whose least value is known."""

    def __call__(self, networks, z, pictures, image, weights):
        return (weights * (pictures - image).square()).flatten(1).sum(1)


def finish(how, model, images, holes, z, objective=None, held_out=0.0):
    """Finishes the answers z; what it gives and a mean absolute error on known pixels."""
    networks, target, objective = Networks(model, "fp32"), Target.of(images, holes), objective or Objective()
    with torch.no_grad():
        answers = Answers(z, z, 0, networks.generate(z))
    held = hold_out(target, held_out, 0)
    return how(networks, target, objective, objective.weigh(target.known), held, answers)


def error(pictures, images, where):
    where = where.expand_as(images).float()
    return ((pictures - images).abs() * where).flatten(1).sum(1) / where.flatten(1).sum(1)


@pytest.fixture
def holes():
    holes = torch.zeros(4, 1, 4, 4, dtype=torch.bool)
    holes[:, :, 1:3, 2:4] = True
    return holes


@pytest.fixture
def z():
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(2))


def test_a_polish_finds_the_least_squares(linear, holes, z):
    images = torch.randn(4, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    known = ~holes.expand_as(images).flatten(1)
    matrix = linear.generator.second @ linear.generator.first
    found = finish(Polish(25, parametrise=FREE), linear, images, holes, z, Squares())
    for i in range(4):
        solution = torch.linalg.lstsq(matrix[known[i]], images[i].flatten()[known[i]][:, None])[0][:, 0]
        torch.testing.assert_close(found.z[i], solution, atol=2e-3, rtol=0)
    torch.testing.assert_close(found.pictures, linear.generator(found.z))
    assert found.level == 0 and found.features is found.z


def test_a_polish_of_absolute_errors_finds_what_the_generator_drew(linear, holes, z):
    true = torch.randn(4, 3, generator=torch.Generator().manual_seed(5))
    images = linear.generator(true)
    found = finish(Polish(80, parametrise=FREE), linear, images, holes, z)
    before = error(linear.generator(z), images, ~holes)
    assert (error(found.pictures, images, ~holes) < 0.1 * before).all()


def test_a_polish_stays_where_the_prior_is(linear, holes, z):
    found = finish(Polish(20), linear, 9 * torch.ones(4, 3, 4, 4), holes, 0.01 * z)
    norms = found.z.norm(dim=1)
    assert (norms >= 3**0.5 - 1.5 - 1e-4).all() and (norms <= 3**0.5 + 1.5 + 1e-4).all()


def test_a_polish_of_a_uniform_prior_never_ends_worse(model):
    images = model.generator(model.latent.sample(3, torch.Generator().manual_seed(3)))
    holes = torch.zeros(3, 1, 32, 32, dtype=torch.bool)
    holes[:, :, 8:20, 8:20] = True
    z = model.latent.sample(3, torch.Generator().manual_seed(4))
    found = finish(Polish(10), model, images, holes, z)
    assert found.z.abs().max() <= 1
    assert (error(found.pictures, images, ~holes) < error(model.generator(z), images, ~holes)).all()


def test_a_cut_fits_what_z_cannot_and_ends_at_the_only_solution(linear, holes, z):
    features = torch.randn(4, 8, generator=torch.Generator().manual_seed(6))
    images = linear.generator.forward_from(features, 1)
    by_z = finish(Polish(60, parametrise=FREE), linear, images, holes, z)
    cut = finish(FeatureOptimization(1, 400, 0.1), linear, images, holes, z)
    assert (error(by_z.pictures, images, ~holes) > 0.1).all()
    # 36 known values settle 8 features, and these the hole.
    torch.testing.assert_close(cut.features, features, atol=0.02, rtol=0)
    torch.testing.assert_close(cut.pictures, images, atol=0.02, rtol=0)
    assert cut.level == 1 and torch.equal(cut.z, z)
    torch.testing.assert_close(cut.pictures, linear.generator.forward_from(cut.features, 1))


def test_a_cut_of_no_steps_changes_nothing(linear, holes, z):
    cut = finish(FeatureOptimization(1, 0), linear, torch.zeros(4, 3, 4, 4), holes, z)
    torch.testing.assert_close(cut.pictures, linear.generator(z))
    torch.testing.assert_close(cut.features, linear.generator.forward_until(z, 1))


def test_cutting_a_mapping_network_frees_a_w_for_every_layer(mapped, holes, z):
    w = torch.randn(4, 2, 5, generator=torch.Generator().manual_seed(7))
    images = mapped.generator.forward_from(w, 1)
    by_z = finish(Polish(60, parametrise=FREE), mapped, images, holes, z)
    cut = finish(FeatureOptimization(1, 400, 0.1), mapped, images, holes, z)
    assert cut.features.shape == (4, 2, 5) and not torch.allclose(cut.features[:, 0], cut.features[:, 1], atol=0.1)
    torch.testing.assert_close(cut.features, w, atol=0.02, rtol=0)
    assert (error(cut.pictures, images, ~holes) < 0.02).all() and (error(by_z.pictures, images, ~holes) > 0.2).all()


@pytest.mark.parametrize("before", [FeatureOptimization(1, 3), FeatureOptimization(1, 0)], ids=str)
def test_stylegan2_is_cut_open_and_adapted(styled, before):
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    holes, z = (
        torch.zeros(2, 1, 32, 32, dtype=torch.bool),
        torch.randn(2, 8, generator=torch.Generator().manual_seed(1)),
    )
    cut = finish(before, styled, images, holes, z)
    assert cut.features.shape == (2, 8, 8) and cut.level == 1
    networks, target, state = (
        Networks(styled, "fp32"),
        Target.of(images, holes),
        copy.deepcopy(styled.generator.state_dict()),
    )
    adapted = Adapt(3)(networks, target, Objective(), Objective().weigh(target.known), 0 * target.known, cut)
    errors = [error(pictures, images, ~holes) for pictures in (styled.generator(z), cut.pictures, adapted.pictures)]
    assert (errors[2] < errors[1]).all() and ((errors[1] < errors[0]).all() or not before.steps)
    assert all(torch.equal(value, state[name]) for name, value in styled.generator.state_dict().items())


def test_a_level_that_a_generator_does_not_have_is_refused_in_one_line(styled):
    images, holes = torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    with pytest.raises(
        UserError, match=r"search.cut_level=2 does not suit this model: .* stages 0 \(z\) and 1 .* use 1"
    ):
        finish(FeatureOptimization(2, 1), styled, images, holes, torch.ones(1, 8))


def test_a_second_cut_goes_on_from_the_first(model):
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    holes, z = torch.zeros(2, 1, 32, 32, dtype=torch.bool), model.latent.sample(2, torch.Generator().manual_seed(1))
    networks, target = Networks(model, "fp32"), Target.of(images, holes)
    weights, held = Objective().weigh(target.known), torch.zeros_like(target.known)
    answers = Answers(z, z, 0, model.generator(z))
    errors = [error(answers.pictures, images, ~holes)]
    for level in (1, 2, 3):
        before = answers
        answers = FeatureOptimization(level, 10, 0.1)(networks, target, Objective(), weights, held, answers)
        errors.append(error(answers.pictures, images, ~holes))
        assert answers.level == level and answers.features.shape[2] == 2 ** (level + 1)
        untouched = FeatureOptimization(level, 0)(networks, target, Objective(), weights, held, before)
        torch.testing.assert_close(untouched.pictures, before.pictures, atol=1e-5, rtol=0)
    assert all((after < before).all() for before, after in pairwise(errors))


@pytest.mark.parametrize(
    "how", [Polish(6), FeatureOptimization(1, 6), FeatureOptimization(2, 6, 0.2), Adapt(3)], ids=str
)
def test_items_know_neither_order_nor_mates(how, model):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(4, 3, 32, 32, generator=generator) * 2 - 1
    holes = torch.zeros(4, 1, 32, 32, dtype=torch.bool)
    holes[:, :, 10:22, 6:18] = True
    z = model.latent.sample(4, generator)
    together = finish(how, model, images, holes, z, held_out=0.2)
    turned = finish(how, model, images.flip(0), holes, z.flip(0), held_out=0.2)
    assert torch.equal(turned.pictures.flip(0), together.pictures)
    alone = finish(how, model, images[1:2], holes[1:2], z[1:2], held_out=0.2)
    torch.testing.assert_close(alone.pictures, together.pictures[1:2], atol=1e-3, rtol=0)
    nothing = finish(how, model, images.masked_fill(holes, float("nan")), holes, z, held_out=0.2)
    assert torch.equal(nothing.pictures, together.pictures)


@pytest.mark.parametrize("before", [None, FeatureOptimization(1, 2)])
def test_adapting_leaves_the_model_as_it_was_to_the_bit(model, before):
    state = copy.deepcopy(model.generator.state_dict())
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    holes, z = torch.zeros(2, 1, 32, 32, dtype=torch.bool), model.latent.sample(2)
    networks, target = Networks(model, "fp32"), Target.of(images, holes)
    weights, held = Objective().weigh(target.known), hold_out(target, 0.2, 0)
    answers = Answers(z, z, 0, model.generator(z))
    if before is not None:
        answers = before(networks, target, Objective(), weights, held, answers)
    pictures, features = answers.pictures.clone(), answers.features.clone()
    found = Adapt(4)(networks, target, Objective(), weights, held, answers)
    assert all(torch.equal(value, state[name]) for name, value in model.generator.state_dict().items())
    assert not any(p.requires_grad for p in model.generator.parameters()) and not model.generator.training
    assert all(p.grad is None for p in model.generator.parameters())
    assert torch.equal(answers.pictures, pictures) and torch.equal(answers.features, features)
    assert not found.pictures.requires_grad and torch.equal(found.z, z) and found.level == answers.level
    assert (error(found.pictures, images, target.known > 0) < error(pictures, images, target.known > 0)).all()


class Shift(nn.Module):
    """G(z) = z + shift, the same for every pixel: what is learnt from some pixels is said of all."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, z):
        return self.forward_from(z, 0)

    def forward_until(self, features, stage, since=0):
        return features

    def forward_from(self, features, stage):
        return (features[:, :1, None, None] + self.shift).expand(-1, 3, 4, 4)


@pytest.fixture
def shift(linear):
    linear.generator = Shift().eval().requires_grad_(False)
    return linear


def adapt(model, image, held, steps, rate=0.1, z=0.0):
    """The grey level that Adapt ends with."""
    target = Target.of(image, torch.zeros(1, 1, 4, 4, dtype=torch.bool))
    start = torch.full((1, 3), z)
    answers = Answers(start, start, 0, model.generator(start))
    weights = Objective().weigh(target.known)
    pictures = Adapt(steps, rate)(Networks(model, "fp32"), target, Objective(), weights, held, answers).pictures
    assert pictures.unique().numel() == 1
    return pictures.mean().item()


def test_adapting_stops_at_the_best_held_out_step(shift):
    """Fitted pixels pull towards 5, one step after the other; held-out ones are best at 2.2."""
    image, held = torch.full((1, 3, 4, 4), 5.0), torch.zeros(1, 1, 4, 4)
    image[..., 0], held[..., 0] = 2.2, 1
    # A step moves the feature by 1 and the shift by 0.1.
    assert adapt(shift, image, held, 4) == pytest.approx(2.2, abs=1e-3)
    assert adapt(shift, image, held, 1) == pytest.approx(1.1, abs=1e-3)
    image[..., 0] = -1  # the first step already leads away
    assert adapt(shift, image, held, 4) == 0


def test_without_held_out_pixels_the_fit_itself_decides(shift):
    image, nothing = torch.full((1, 3, 4, 4), 3.3), torch.zeros(1, 1, 4, 4)
    assert adapt(shift, image, nothing, 6) == pytest.approx(3.3, abs=1e-3)
    assert adapt(shift, image, nothing, 0) == 0


def test_held_out_pixels_judge_but_are_never_fitted(shift):
    image, held = torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    image[..., 0], held[..., 0] = 9.0, 1
    assert adapt(shift, image, held, 5, z=0.0) == pytest.approx(0, abs=1e-6)


def test_passes_are_what_each_step_costs():
    assert [how.passes for how in (Polish(7), FeatureOptimization(1, 9), Adapt(5))] == [8, 9, 5]
