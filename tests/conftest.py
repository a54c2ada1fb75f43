import pytest
import torch

from ganfill import modelfile
from ganfill.models.dcgan import Discriminator, Generator
from ganfill.models.latent import Uniform


def part(name, **arguments):
    return {"class": f"ganfill.models.{name}", "arguments": arguments}


@pytest.fixture
def model():
    """An untrained model for 32 pixels, small enough to run in a moment."""
    torch.manual_seed(0)
    card = {
        "generator": part("dcgan.Generator", resolution=32, latent_dim=8, width=4),
        "discriminator": part("dcgan.Discriminator", resolution=32, width=4),
        "latent": part("latent.Uniform", dim=8),
        "resolution": 32,
        "kimg": 12.5,
        "pictures": 40,
        "data": "0" * 64,
        "terms": "Gemäß den Bedingungen",
    }
    networks = Generator(32, 8, 4).eval(), Discriminator(32, 4).eval()
    for network in networks:
        network.requires_grad_(False)
    return modelfile.Model(*networks, Uniform(8), 32, 1.5, torch.rand(3, 32, 32), card)


@pytest.fixture
def model_path(tmp_path, model):
    """The same model as a file."""
    modelfile.save(tmp_path / "model.safetensors", model)
    return tmp_path / "model.safetensors"
