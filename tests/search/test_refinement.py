import pytest
import torch

from ganfill.errors import UserError
from ganfill.search.initialization import from_prior
from ganfill.search.latent_search import LatentSearch
from ganfill.search.networks import Networks
from ganfill.search.objective import Objective
from ganfill.search.optimizers import Adam
from ganfill.search.refinement import FeatureOptimization
from ganfill.search.target import Target


def refine(refinement, model, images, holes, z):
    """Refined pictures of the answers z."""
    target, objective = Target.of(images, holes), Objective()
    weights = objective.weigh(target.known)
    return refinement(Networks(model, "fp32"), objective, z, target.image, weights, lambda pictures, losses: None)


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


def by_z(model, images, holes):
    """The best pictures that z gives."""
    search = LatentSearch(
        rounds=((4, 200),), start=from_prior, optimizer=Adam(0.1, decay=0.5), shell_width=100, precision="fp32"
    )
    return search(model, images, holes).pictures[:, 0]


def test_features_fit_what_z_cannot_and_end_at_the_only_solution(linear, holes, z):
    features = torch.randn(4, 8, generator=torch.Generator().manual_seed(6))
    images = linear.generator.forward_from(features, 1)
    refined = refine(FeatureOptimization(1, 400, 0.1), linear, images, holes, z)
    assert (error(by_z(linear, images, holes), images, ~holes) > 0.1).all()
    # 36 known values determine 8 features, and these the hole.
    torch.testing.assert_close(refined, images, atol=0.02, rtol=0)


def test_no_steps_change_nothing(linear, holes, z):
    refined = refine(FeatureOptimization(1, 0), linear, torch.zeros(4, 3, 4, 4), holes, z)
    torch.testing.assert_close(refined, linear.generator(z))


def test_a_mapping_network_has_a_free_w_for_every_layer(mapped, holes, z):
    w = torch.randn(4, 2, 5, generator=torch.Generator().manual_seed(7))
    images = mapped.generator.forward_from(w, 1)
    refined = refine(FeatureOptimization(1, 400, 0.1), mapped, images, holes, z)
    torch.testing.assert_close(refined, images, atol=0.05, rtol=0)
    assert (error(refined, images, ~holes) < 0.02).all()
    assert (error(by_z(mapped, images, holes), images, ~holes) > 0.2).all()


def test_stylegan2_is_refined_and_stays_as_it_was(styled):
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    holes = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(1))
    state = {name: value.clone() for name, value in styled.generator.state_dict().items()}
    refined = refine(FeatureOptimization(1, 3), styled, images, holes, z)
    assert (error(refined, images, ~holes) < error(styled.generator(z), images, ~holes)).all()
    assert all(torch.equal(value, state[name]) for name, value in styled.generator.state_dict().items())


def test_a_stage_that_a_generator_does_not_have_is_refused_in_one_line(styled):
    images, holes = torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    message = r"search.cut_level=2 does not suit this model: .* stages 0 \(z\) and 1 .* use 1"
    with pytest.raises(UserError, match=message):
        refine(FeatureOptimization(2, 1), styled, images, holes, torch.ones(1, 8))


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_any_stage_can_be_refined(model, stage):
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    holes, z = torch.zeros(2, 1, 32, 32, dtype=torch.bool), model.latent.sample(2, torch.Generator().manual_seed(1))
    refined = refine(FeatureOptimization(stage, 10, 0.1), model, images, holes, z)
    assert (error(refined, images, ~holes) < error(model.generator(z), images, ~holes)).all()
    untouched = refine(FeatureOptimization(stage, 0), model, images, holes, z)
    torch.testing.assert_close(untouched, model.generator(z), atol=1e-5, rtol=0)


@pytest.mark.parametrize("refinement", [FeatureOptimization(1, 6), FeatureOptimization(2, 6, 0.2)], ids=str)
def test_items_know_neither_order_nor_mates(refinement, model):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(4, 3, 32, 32, generator=generator) * 2 - 1
    holes = torch.zeros(4, 1, 32, 32, dtype=torch.bool)
    holes[:, :, 10:22, 6:18] = True
    z = model.latent.sample(4, generator)
    together = refine(refinement, model, images, holes, z)
    reversed_batch = refine(refinement, model, images.flip(0), holes, z.flip(0))
    assert torch.equal(reversed_batch.flip(0), together)
    alone = refine(refinement, model, images[1:2], holes[1:2], z[1:2])
    torch.testing.assert_close(alone, together[1:2], atol=1e-3, rtol=0)
    assert torch.equal(refine(refinement, model, images.masked_fill(holes, float("nan")), holes, z), together)
