import inspect
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import ganfill
from ganfill.errors import UserError
from ganfill.model_io import model_file
from ganfill.models.latent import Uniform
from ganfill.search.presets import PRESETS, amos2016

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 75, 3), dtype=np.uint8))


class DCGAN(nn.Module):
    """The layout of PyTorch's example, made small: z (N, d, 1, 1)."""

    def __init__(self, d=8, width=4):
        super().__init__()
        sizes = [d, 4 * width, 2 * width, width]
        layers = [nn.ConvTranspose2d(sizes[0], sizes[1], 4, 1, 0, bias=False), nn.BatchNorm2d(sizes[1]), nn.ReLU()]
        for c_in, c_out in pairwise(sizes[1:]):
            layers += [nn.ConvTranspose2d(c_in, c_out, 4, 2, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
        self.main = nn.Sequential(*layers, nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False), nn.Tanh())

    def forward(self, z):
        return self.main(z)


@pytest.fixture
def dcgan(tmp_path):
    """One from a plain state dict, that takes z (N, d)."""
    torch.save(DCGAN().state_dict(), tmp_path / "netG.pth")
    netg = DCGAN()
    netg.load_state_dict(torch.load(tmp_path / "netG.pth", weights_only=True))
    return nn.Sequential(nn.Unflatten(1, (8, 1, 1)), netg)


@pytest.mark.parametrize("name", ["fast", "standard", "best", "posterior", "auto", "from_pool"])
def test_a_wrapped_generator_is_searched_by_every_preset_that_needs_no_more(dcgan, name):
    model = ganfill.wrap(dcgan, latent=8, resolution=32)
    known = inspect.signature(PRESETS[name]).parameters
    small = {"steps": 2, "starts": 2, "pool": 8, "chains": 2, "burn_in": 1, "samples": 1, "leaps": 1}
    search = PRESETS[name](**{key: value for key, value in small.items() if key in known})
    if name == "auto":
        search = replace(search, search=PRESETS["standard"](steps=2, starts=2, pool=8))
    done = model.complete(PICTURE, "center", search=search)
    assert done.size == PICTURE.size and done.tobytes() != PICTURE.tobytes()
    assert dcgan.training and all(p.requires_grad for p in dcgan.parameters())  # the original stays as it was


def test_a_wrapped_generator_has_a_discriminator_if_one_is_given(dcgan):
    search, judge = amos2016(steps=2), nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 1), nn.Flatten(0))
    model = ganfill.wrap(dcgan, latent=Uniform(8), resolution=32, discriminator=judge)
    model.complete(PICTURE, "center", search=search)
    without = ganfill.wrap(dcgan, latent=8, resolution=32)
    with pytest.raises(UserError, match="this search needs a discriminator, and the model has none"):
        without.complete(PICTURE, "center", search=search)


def test_a_wrapped_generator_cannot_be_saved(dcgan, tmp_path):
    with pytest.raises(UserError, match="a wrapped generator cannot be saved"):
        model_file.save(tmp_path / "model.safetensors", ganfill.wrap(dcgan, latent=8, resolution=32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latent": 9}, r"generator must take z of shape \(16, 9\), but: "),
        ({"resolution": 64}, r"must return finite pictures \(16, 3, 64, 64\) for z \(16, 8\), got \(16, 3, 32, 32\)"),
        ({"generator": nn.Tanh()}, "generator must have parameters, Tanh has none"),
    ],
)
def test_what_cannot_be_wrapped(dcgan, change, message):
    with pytest.raises(ValueError, match=message):
        ganfill.wrap(**{"generator": dcgan, "latent": 8, "resolution": 32} | change)
