import pytest
import torch
from torch import nn

from ganfill.models.latent import Normal
from ganfill.search.initialization import EncoderStart, PoolStart, estimate_z, expected_pictures, from_prior, pool
from ganfill.search.networks import Networks
from ganfill.search.objective import Objective
from ganfill.search.target import Target


@pytest.fixture
def networks(model):
    return Networks(model, "fp32")


@pytest.fixture
def target():
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    holes = torch.zeros(3, 1, 32, 32, dtype=torch.bool)
    holes[:, :, 8:24, 8:24] = True
    return Target.of(images, holes)


def start(how, networks, target, count=4, seed=0):
    return how(networks, target, Objective().weigh(target.known), count, seed)


@pytest.mark.parametrize("how", [from_prior, PoolStart(32)])
def test_starts_depend_on_the_picture_and_the_seed_alone(how, networks, target):
    z = start(how, networks, target)
    assert z.shape == (3, 4, 8) and z.abs().max() <= 1
    assert torch.equal(start(how, networks, target.pick(1, 2)), z[1:2])
    assert torch.equal(start(how, networks, target), z)
    assert not torch.equal(start(how, networks, target, seed=1), z)


def test_random_starts_differ_between_pictures_and_candidates(networks, target):
    z = start(from_prior, networks, target).flatten(0, 1)
    assert len(z.unique(dim=0)) == 12


@pytest.mark.parametrize("how", [PoolStart(64)])
def test_a_picture_of_the_pool_finds_itself(how, networks, target):
    latents, _ = pool(networks, 64, 0)
    own = Target.of(networks.generate(latents[[5, 40]]), target.known[:2] == 0)
    z = start(how, networks, own)
    assert torch.equal(z[:, 0], latents[[5, 40]])
    assert all(len(candidates.unique(dim=0)) == 4 for candidates in z)


def test_pictures_of_the_pool_stop_at_black_and_white(styled):
    networks = Networks(styled, "fp32")
    latents, pictures = pool(networks, 64, 0)
    drawn = networks.generate(latents)
    assert drawn.max() > 1.5 and drawn.min() < -1.5
    torch.testing.assert_close(pictures.float(), (127.5 * (drawn.clamp(-1, 1) + 1)).flatten(1), atol=0.51, rtol=0)


def test_the_nearest_of_the_pool_come_in_order(networks, target):
    latents, _ = pool(networks, 64, 0)
    wanted = target.image[:, None] * target.known[:, None]
    errors = ((networks.generate(latents)[None] - wanted).square() * target.known[:, None]).flatten(2).sum(2)
    z = start(PoolStart(64), networks, target, count=3)
    assert torch.equal(z, latents[errors.argsort(1)[:, :3]])


def test_where_nothing_is_known_the_start_is_random(networks):
    blank = Target.of(torch.zeros(1, 3, 32, 32), torch.ones(1, 1, 32, 32, dtype=torch.bool))
    assert torch.equal(start(PoolStart(32), networks, blank), start(from_prior, networks, blank))


def test_the_pool_is_generated_once(networks, target):
    first, calls = start(PoolStart(32), networks, target), []
    networks.model.generator.register_forward_pre_hook(lambda *_: calls.append(1))
    assert torch.equal(start(PoolStart(32), networks, target), first) and not calls


class Watching(nn.Module):
    """An encoder that guesses the mean colour and the known share, and remembers what it saw."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, image, known):
        self.seen.append((image, known))
        colour = image.mean((2, 3)) / known.mean((2, 3)).clamp_min(1e-6)
        return torch.cat([colour, known.mean((2, 3)), colour.new_zeros(len(image), 4)], 1)


@pytest.fixture
def guided(networks):
    """The same with an encoder."""
    networks.model.encoder = Watching()
    return networks


def test_without_an_encoder_proposals_come_from_the_pool(networks, target):
    assert torch.equal(start(EncoderStart(), networks, target), start(PoolStart(), networks, target))


def test_where_nothing_is_known_the_encoder_is_not_asked(guided, target):
    blank = Target(target.image, torch.zeros_like(target.known), target.keys)
    assert torch.equal(start(EncoderStart(), guided, blank), start(from_prior, guided, blank))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_encoders_guess_comes_first_as_it_is(guided, target, count):
    z = start(EncoderStart(), guided, target, count)
    assert z.shape == (3, count, 8) and torch.equal(z[:, 0], estimate_z(guided, target))
    assert all(len(candidates.unique(dim=0)) == count for candidates in z)


def test_a_guess_is_moved_to_where_the_prior_is(guided, target):
    guided.model.encoder = lambda image, known: torch.full((len(image), 8), 3.0)
    assert torch.equal(estimate_z(guided, target), torch.ones(3, 8))


def test_variations_mix_the_guess_with_draws_from_the_prior(guided, target):
    draws = start(from_prior, guided, target, 3)
    z = start(EncoderStart(jitter=0.6), guided, target)
    torch.testing.assert_close(z[:, 1:], 0.8 * z[:, :1] + 0.6 * draws)
    torch.testing.assert_close(start(EncoderStart(jitter=0), guided, target)[:, 1:], z[:, :1].expand(-1, 3, -1))


def test_variations_of_a_normal_prior_stay_as_far_from_the_origin_as_it_does(linear):
    linear.latent = Normal(400)
    guess = Normal(400).sample(1, torch.Generator().manual_seed(0))
    linear.encoder = lambda image, known: guess.expand(len(image), -1)
    target = Target.of(torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4, dtype=torch.bool))
    z = start(EncoderStart(), Networks(linear, "fp32"), target, 50)
    assert z.norm(dim=2).mean().item() == pytest.approx(20, rel=0.03)


def test_proposals_depend_on_the_picture_and_the_seed_alone(guided, target):
    how = EncoderStart()
    z = start(how, guided, target)
    assert torch.equal(start(how, guided, target.pick(1, 2)), z[1:2])
    reversed_batch = Target(target.image.flip(0), target.known.flip(0), target.keys[::-1])
    assert torch.equal(start(how, guided, reversed_batch), z.flip(0))
    other = start(how, guided, target, seed=1)
    assert torch.equal(other[:, 0], z[:, 0]) and not torch.equal(other[:, 1:], z[:, 1:])


def test_missing_and_hidden_pixels_do_not_reach_the_encoder(guided, target):
    held_out = torch.zeros_like(target.known)
    held_out[:, :, :4] = 1
    start(EncoderStart(), guided, target.hide(held_out))
    ((image, known),) = guided.model.encoder.seen
    hidden = (target.known == 0) | (held_out == 1)
    assert torch.equal(known[:3], 1 - hidden.float()) and not image[:3][hidden.expand(-1, 3, -1, -1)].any()
    louder = Target(torch.where(hidden, 9.0, target.image), target.known * (1 - held_out), target.keys)
    assert torch.equal(start(EncoderStart(), guided, louder), start(EncoderStart(), guided, target.hide(held_out)))


def test_the_expectation_is_the_mean_of_a_guess_and_of_the_mirrored_one(guided, target):
    holes = target.known == 0
    holes[..., :4] = True  # no mirror of itself
    target = Target.of(target.image, holes)
    z, mirrored = estimate_z(guided, target), estimate_z(guided, target.mirror())
    mean = (guided.generate(z) + guided.generate(mirrored).flip(3)) / 2
    torch.testing.assert_close(expected_pictures(guided, target), mean)
    torch.testing.assert_close(expected_pictures(guided, target.mirror()), expected_pictures(guided, target).flip(3))
