from functools import partial

import pytest
import torch

from ganfill.adversarial.losses import NonSaturating
from ganfill.models.dcgan import Discriminator, Generator
from ganfill.models.latent import Normal
from ganfill.training.callbacks import Samples
from ganfill.training.datamodule import SyntheticDataModule
from ganfill.training.fit import fit
from ganfill.training.gan import GAN

ADAM = partial(torch.optim.Adam, lr=2e-4, betas=[0.5, 0.999], fused=True)


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
        settings["callbacks"] = [Samples(out / "samples", settings.pop("sample_kimg", 0.128))]
        trained = fit(
            gan, data, out, kimg=kimg, device=torch.device("cpu"), make_loggers=lambda: list(loggers), **settings
        )
        return gan, trained

    return train
