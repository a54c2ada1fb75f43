import pytest
import torch

from ganfill.completion.networks import Networks
from ganfill.completion.objective import Objective
from ganfill.completion.start import FromPool, from_prior, pool
from ganfill.completion.target import Target


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


@pytest.mark.parametrize("how", [from_prior, FromPool(32), FromPool(32, spread=2)])
def test_starts_depend_on_the_picture_and_the_seed_alone(how, networks, target):
    z = start(how, networks, target)
    assert z.shape == (3, 4, 8) and z.abs().max() <= 1
    assert torch.equal(start(how, networks, target.pick(1, 2)), z[1:2])
    assert torch.equal(start(how, networks, target), z)
    assert not torch.equal(start(how, networks, target, seed=1), z)


def test_random_starts_differ_between_pictures_and_candidates(networks, target):
    z = start(from_prior, networks, target).flatten(0, 1)
    assert len(z.unique(dim=0)) == 12


@pytest.mark.parametrize("how", [FromPool(64), FromPool(64, spread=4)])
def test_a_picture_of_the_pool_finds_itself(how, networks, target):
    latents, _ = pool(networks, 64, 0)
    own = Target.of(networks.generate(latents[[5, 40]]), target.known[:2] == 0)
    z = start(how, networks, own)
    assert torch.equal(z[:, 0], latents[[5, 40]])
    assert all(len(candidates.unique(dim=0)) == 4 for candidates in z)


def test_the_nearest_of_the_pool_come_in_order(networks, target):
    latents, _ = pool(networks, 64, 0)
    wanted = target.image[:, None] * target.known[:, None]
    errors = ((networks.generate(latents)[None] - wanted).square() * target.known[:, None]).flatten(2).sum(2)
    z = start(FromPool(64), networks, target, count=3)
    assert torch.equal(z, latents[errors.argsort(1)[:, :3]])


def test_spreading_takes_candidates_that_differ_more(networks, target):
    def distance(how):
        pictures = networks.generate(start(how, networks, target).flatten(0, 1)).view(3, 4, -1)
        return torch.cdist(pictures, pictures).sum()

    assert distance(FromPool(64, spread=8)) > distance(FromPool(64))


def test_where_nothing_is_known_the_start_is_random(networks):
    blank = Target.of(torch.zeros(1, 3, 32, 32), torch.ones(1, 1, 32, 32, dtype=torch.bool))
    assert torch.equal(start(FromPool(32), networks, blank), start(from_prior, networks, blank))


def test_the_pool_is_generated_once(networks, target):
    first, calls = start(FromPool(32), networks, target), []
    networks.model.generator.register_forward_pre_hook(lambda *_: calls.append(1))
    assert torch.equal(start(FromPool(32), networks, target), first) and not calls
