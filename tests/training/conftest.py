import copy
import csv
from functools import partial

import pytest
import torch

from ganfill import seeding
from ganfill.adversarial.losses import NonSaturating
from ganfill.data.synthetic import draw_faces
from ganfill.images.pixels import to_float
from ganfill.models.dcgan import Discriminator, Generator
from ganfill.models.latent import Normal
from ganfill.training.callbacks.distances import Distances
from ganfill.training.callbacks.samples import Samples
from ganfill.training.datamodule import SyntheticDataModule
from ganfill.training.fit import fit
from ganfill.training.gan import GAN

ADAM = partial(torch.optim.Adam, lr=2e-4, betas=[0.5, 0.999], fused=True)

CODE = '''
import torch
from torch import nn

class Colours(nn.Module):
    """Mean colours, times a weight; draws from the global generator and counts its calls, as a stranger's may."""
    def __init__(self, weights):
        super().__init__()
        self.layer = nn.Linear(3, 3, bias=False)
        self.load_state_dict(torch.load(weights))

    def forward(self, images):
        torch.rand(5)
        return self.layer(images.float().mean((2, 3)))
'''


@pytest.fixture
def make_gan():
    def make(loss=None, seed=0, **options):
        torch.manual_seed(seed)
        networks = Generator(32, 16, 8), Discriminator(32, 8)
        return GAN(*networks, Normal(16), loss or NonSaturating(), ADAM, ADAM, seed=seed, log_kimg=0.064, **options)

    return make


@pytest.fixture
def train(make_gan):
    """Trains a tiny GAN on drawn faces in a run directory; returns the module and whether it trained at all."""

    def train(out, kimg, gan=None, loggers=(), **options):
        gan = gan or make_gan()
        out.mkdir(parents=True, exist_ok=True)
        data = SyntheticDataModule(16, 32, n=40, mirror=True)
        settings = {"checkpoint_kimg": 0.064, "precision": "32-true", "provenance": {}} | options
        samples = Samples(out, settings.pop("sample_kimg", 0.128), kimg, settings.get("minutes"))
        settings["callbacks"] = [samples, *settings.get("callbacks", ())]
        trained = fit(
            gan, data, out, kimg=kimg, device=torch.device("cpu"), make_loggers=lambda: list(loggers), **settings
        )
        return gan, trained

    return train


@pytest.fixture
def words(tmp_path):
    """A feature network whose features are mean colours, and one of twice that."""
    (tmp_path / "net.py").write_text(CODE)
    for name, scale in (("one", 1.0), ("two", 2.0)):
        torch.save({"layer.weight": scale * torch.eye(3)}, tmp_path / f"{name}.pt")
    return [f"{name}={tmp_path / 'net.py'}:Colours:{tmp_path / name}.pt" for name in ("one", "two")]


@pytest.fixture
def train_measured(make_gan):
    """Trains a tiny GAN on drawn faces, measured every 64 images unless ``every_kimg`` says otherwise."""

    def train(out, kimg, words=(), gan=None, every_kimg=0.064, n=16, loggers=(), pictures=40, minutes=None):
        gan = gan or make_gan()
        out.mkdir(parents=True, exist_ok=True)
        measuring = [] if every_kimg is None else [Distances(out, every_kimg, kimg, minutes, words, n)]
        config = {
            "model": {
                "generator": {
                    "_target_": "ganfill.models.dcgan.Generator", "resolution": 32, "latent_dim": 16, "width": 8,
                },
                "discriminator": {"_target_": "ganfill.models.dcgan.Discriminator", "resolution": 32, "width": 8},
            },
            "latent": {"_target_": "ganfill.models.latent.Normal", "dim": 16},
            "resolution": 32, "terms": None, "data": {},
        }  # fmt: skip
        fit(
            gan,
            SyntheticDataModule(16, 32, n=pictures, mirror=True),
            out,
            kimg=kimg,
            minutes=minutes,
            device=torch.device("cpu"),
            precision="32-true",
            make_loggers=lambda: list(loggers),
            provenance={"config": config, "precision": "32-true", "commit": None, "versions": {}},
            checkpoint_kimg=0.128,
            callbacks=measuring,
        )
        return gan

    return train


@pytest.fixture
def table():
    """Reads the rows of a distances.csv; seconds, which differ from run to run, only on demand."""

    def table(out, seconds=False):
        with (out / "distances.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        return rows if seconds else [{k: v for k, v in row.items() if k != "seconds"} for row in rows]

    return table


@pytest.fixture
def spoilt_gan(make_gan):
    """A GAN whose averaged generator draws nothing finite from 100 to 200 images."""
    gan = make_gan()
    sound = gan.generator_ema.forward
    nothing = float("nan")
    gan.generator_ema.forward = lambda z: sound(z) * (nothing if 100 < gan.images_seen < 200 else 1)
    return gan


@pytest.fixture
def by_itself():
    """Prepares a module whose own steps run without a Trainer: plain optimizers and backward."""

    def by_itself(module):
        optimizers = module.configure_optimizers()
        module.optimizers = lambda: optimizers
        module.manual_backward = lambda loss: loss.backward()
        return module

    return by_itself


@pytest.fixture
def faces():
    """Draws n faces, uint8 (n, 32, 32, 3)."""

    def faces(n, seed=0):
        return torch.from_numpy(draw_faces(n, 32, torch.Generator().manual_seed(seed)))

    return faces


@pytest.fixture
def textbook():
    """Copies of a GAN's networks with optimizers of their own, and the pictures of its first step."""

    def textbook(gan):
        generator, discriminator = copy.deepcopy(gan.generator), copy.deepcopy(gan.discriminator)
        optimizer = gan.generator_optimizer(generator.parameters())
        discriminator_optimizer = gan.discriminator_optimizer(discriminator.parameters())
        pixels = torch.randint(0, 256, (8, 32, 32, 3), dtype=torch.uint8, generator=seeding.generator(0, 0))
        fake = generator(gan.latent.sample(8, seeding.generator(0, "z", 0)))
        return generator, discriminator, optimizer, discriminator_optimizer, to_float(pixels), fake

    return textbook
