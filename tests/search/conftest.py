import pytest
import torch
from torch import nn

from ganfill.api import Model
from ganfill.models import stylegan2
from ganfill.models.encoder import Encoder
from ganfill.models.latent import Normal
from ganfill.search.initialization import PoolStart
from ganfill.search.latent_search import LatentSearch
from ganfill.search.optimizers import Adam
from ganfill.search.selection import Selection


@pytest.fixture
def model(model, enliven):
    """One whose pictures differ."""
    return enliven(model)


def fixed(*shape, seed=0):
    """A parameter drawn once and for all, columns about 1 long."""
    return nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(seed)) / shape[-1] ** 0.5)


class Linear(nn.Module):
    """G(z) = second first z, with 3 coordinates of z, 8 features and 4 x 4 pixels."""

    def __init__(self):
        super().__init__()
        self.first, self.second = fixed(8, 3), fixed(48, 8, seed=1)

    def forward(self, z):
        return self.forward_from(self.forward_until(z, 1), 1)

    def forward_until(self, z, stage):
        return z @ self.first.T if stage else z

    def forward_from(self, features, stage):
        features = features if stage else self.forward_until(features, 1)
        return (features @ self.second.T).unflatten(1, (3, 4, 4))


class Mapped(nn.Module):
    """With a mapping network: z gives one w, and each of two layers draws a half of the picture from a w of its own."""

    def __init__(self):
        super().__init__()
        self.mapping, self.synthesis = fixed(5, 3), fixed(2, 24, 5, seed=1)

    def forward(self, z):
        return self.forward_from(z, 0)

    def forward_until(self, z, stage):
        return (z @ self.mapping.T).tanh()[:, None].expand(-1, 2, -1) if stage else z

    def forward_from(self, features, stage):
        features = features if stage else self.forward_until(features, 1)
        halves = torch.einsum("lpd,nld->nlp", self.synthesis, features)
        return torch.cat([half.unflatten(1, (3, 2, 4)) for half in halves.unbind(1)], 2)


class Plain(nn.Module):
    """A logit is the mean of the pixels."""

    def forward(self, images):
        return images.flatten(1).mean(1)


def solvable(generator):
    generator = generator.eval().requires_grad_(False)
    return Model(generator, Plain().eval(), Normal(3), 4, 0.5, torch.zeros(3, 4, 4), {})


@pytest.fixture
def linear():
    """A model whose searches can be solved by hand."""
    return solvable(Linear())


@pytest.fixture
def mapped():
    """A tiny model with a mapping network."""
    return solvable(Mapped())


@pytest.fixture
def styled():
    """An untrained StyleGAN2 for 32 pixels with an untrained encoder; its pictures differ and leave [-1, 1]."""
    torch.manual_seed(0)
    networks = stylegan2.Generator(32, 8, 8, 256, 8), stylegan2.Discriminator(32, 8, 256), Encoder(32, 8, 4)
    generator, discriminator, encoder = (network.eval().requires_grad_(False) for network in networks)
    return Model(generator, discriminator, Normal(8), 32, 0.5, torch.zeros(3, 32, 32), {}, encoder=encoder)


@pytest.fixture
def images(model):
    """Five pictures of the model's own."""
    return model.generator(model.latent.sample(5, torch.Generator().manual_seed(3)))


@pytest.fixture
def holes():
    """A hole in each, somewhere else."""
    holes = torch.zeros(5, 1, 32, 32, dtype=torch.bool)
    for i in range(5):
        holes[i, :, 4 + i : 20 + i, 8:24] = True
    return holes


@pytest.fixture
def quick():
    """A search of a few steps that has a bit of everything."""
    return LatentSearch(
        rounds=((4, 3), (2, 3)),
        start=PoolStart(32),
        optimizer=Adam(0.1, warmup=0.1, decay=0.5, noise=0.05),
        selection=Selection(held_out=0.2),
        refit=2,
        precision="fp32",
    )


@pytest.fixture
def bits():
    """Lists all that a search found of some pictures."""

    def bits(found, rows=slice(None)):
        parts = [found.pictures, found.latents, found.scores, found.errors, *found.frames]
        parts += [found.mean] if found.mean is not None else []
        return [part[rows] for part in (*parts, *(found.interval or ()))]

    return bits


@pytest.fixture
def equal():
    """Compares such lists bit for bit."""
    return lambda one, other: (
        len(one) == len(other) and all(torch.equal(*pair) for pair in zip(one, other, strict=True))
    )
