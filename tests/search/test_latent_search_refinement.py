"""What follows a search of z."""

from dataclasses import dataclass, replace

import pytest
import torch

from ganfill.search.initialization import EncoderStart, expected_pictures
from ganfill.search.latent_search import LatentSearch
from ganfill.search.networks import Networks
from ganfill.search.objective import EncoderPrior
from ganfill.search.refinement import FeatureOptimization
from ganfill.search.result import SearchOptions
from ganfill.search.selection import masked_l1
from ganfill.search.target import Target


def test_errors_are_those_of_z_on_all_known_pixels(model, images, holes, quick):
    found = replace(quick, refinement=FeatureOptimization(1, 3))(model, images, holes, SearchOptions(answers=2))
    of_z = model.generator(found.latents.flatten(0, 1)).unflatten(0, (5, 2))
    torch.testing.assert_close(found.errors, masked_l1(of_z, images, (~holes).float()), atol=1e-5, rtol=0)
    assert not torch.allclose(found.pictures, of_z, atol=1e-3)


def test_finishing_leaves_the_ranking_and_comes_nearer_to_what_is_known(model, images, holes, quick):
    plain, finished = (
        replace(quick, refinement=refinement)(model, images, holes) for refinement in (None, FeatureOptimization(2, 20))
    )
    assert torch.equal(plain.scores, finished.scores) and torch.equal(plain.latents, finished.latents)
    known = (~holes).float()
    assert (masked_l1(finished.pictures, images, known) < masked_l1(plain.pictures, images, known)).all()


def test_a_refinement_sees_what_it_needs(model, images, holes, quick):
    calls = []

    @dataclass(frozen=True)
    class Spy:
        steps: int = 0
        prior: object = None

        def __call__(self, networks, objective, z, image, weights, on_step):
            calls.append((z, image, weights))
            return networks.generate(z) + 1

    found = replace(quick, refinement=Spy())(model, images, holes, SearchOptions(answers=2))
    plain = quick(model, images, holes, SearchOptions(answers=2))
    ((z, image, weights),) = calls
    known = (~holes).repeat_interleave(2, 0)
    assert torch.equal(found.latents, plain.latents) and z.shape == (10, 8)
    torch.testing.assert_close(found.pictures, plain.pictures + 1)
    assert torch.equal(image, (images * ~holes).repeat_interleave(2, 0))
    assert torch.equal(weights > 0, known)  # held-out pixels are fitted at last


def test_the_mean_follows_what_the_encoder_expects(model_with_encoder, images, holes):
    search = LatentSearch(
        rounds=((1, 0),), start=EncoderStart(), encoder_prior=EncoderPrior(), average=True, precision="fp32"
    )
    networks, target = Networks(model_with_encoder, "fp32"), Target.of(images, holes)
    found = search(model_with_encoder, images, holes)
    wanted = torch.where(holes, expected_pictures(networks, target), images)
    torch.testing.assert_close(found.mean, wanted)  # nothing follows, so it is what would be followed
    cut = replace(search, refinement=FeatureOptimization(1, 20, 0.02))(model_with_encoder, images, holes)
    away = (cut.mean - wanted).square().mean()
    assert 0 < away < (cut.pictures[:, 0] - wanted).square().mean()
    assert replace(search, encoder_prior=None)(model_with_encoder, images, holes).mean is None
    model_with_encoder.encoder = None
    assert search(model_with_encoder, images, holes).mean is None


def test_what_is_trusted_fills_the_hole_and_what_is_known_stays_known(linear):
    """A generator that could show anything shows the known pixels, and deep in the hole what its start shows there."""
    images = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    holes = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    holes[..., 1:] = True
    z = torch.tensor([[1.0, -0.5, 0.3]])
    linear.encoder = lambda image, known: z.expand(len(image), -1)
    start = linear.generator(z).expand(1, -1, -1, -1)
    search = LatentSearch(
        rounds=((1, 0),),
        start=EncoderStart(),
        shell_width=100,
        refinement=FeatureOptimization(1, 300, 0.1),
    )
    search = replace(search, precision="fp32", encoder_prior=EncoderPrior(500.0))
    deep = torch.zeros(1, 1, 4, 4)
    deep[..., 3] = 1
    trusting, blind = (s(linear, images, holes) for s in (search, replace(search, encoder_prior=None)))
    far = [masked_l1(found.pictures, start, deep).item() for found in (trusting, blind)]
    assert far[0] < 0.5 * far[1]


@pytest.mark.parametrize("refinement", [None, FeatureOptimization(1, 4)])
def test_without_steps_of_z_what_follows_is_seen_and_progress_adds_up(model_with_encoder, images, holes, refinement):
    reports = []
    search = LatentSearch(rounds=((1, 0),), start=EncoderStart(), refinement=refinement, precision="fp32")
    found = search(
        model_with_encoder,
        images,
        holes,
        SearchOptions(frames=3, on_progress=lambda progress: reports.append(progress.pictures)),
    )
    assert sum(reports) == pytest.approx(5)
    assert [frame.shape for frame in found.frames] == [(5, 3, 32, 32)] * (3 if refinement else 1)
