import copy
import re

import pytest
import torch

from ganfill.adversarial.fade import Fade, enlarge
from ganfill.adversarial.losses import NonSaturating
from ganfill.errors import UserError
from ganfill.models import dcgan, dcgan_plus, r3gan, resnet, stylegan2
from ganfill.models.latent import Normal
from ganfill.models.model import Model
from ganfill.training import growing
from ganfill.training.gan import GAN
from ganfill.training.growing import start_from

ADAM = torch.optim.Adam
# Networks of a resolution for each architecture, and what fits: the arguments before and after growing from 32 to 64 pixels.
ARCHITECTURES = {
    "dcgan": (lambda r, w: (dcgan.Generator(r, 8, w), dcgan.Discriminator(r, w)), 8, 4),
    "dcgan_plus": (lambda r, w: (dcgan.Generator(r, 8, w), dcgan_plus.Discriminator(r, w)), 8, 4),
    "resnet": (lambda r, w: (resnet.Generator(r, 8, w), resnet.Discriminator(r, w)), 64, 32),
    "r3gan": (lambda r, w: (r3gan.Generator(r, 8, w, 1), r3gan.Discriminator(r, w, 1)), 16, 16),
    "stylegan2": (lambda r, w: (stylegan2.Generator(r, 8, w, 256, 8), stylegan2.Discriminator(r, w, 256)), 8, 8),
}


def make(name, resolution, width):
    torch.manual_seed(resolution)
    return GAN(*ARCHITECTURES[name][0](resolution, width), Normal(8), NonSaturating(), ADAM, ADAM)


def trained(name, resolution=32, width=None):
    """A model with random weights whose batch norm knows its statistics, so that pictures differ."""
    gan = make(name, resolution, width or ARCHITECTURES[name][1])
    with torch.no_grad():
        for _ in range(30):
            gan.discriminator(gan.generator(torch.randn(8, 8)) * 10)
    networks = [network.eval().requires_grad_(False) for network in (gan.generator, gan.discriminator)]
    return Model(*networks, gan.latent, resolution, 0.0, torch.zeros(3, resolution, resolution), {})


def equal(network, source, number=0):
    """The names of tensors that are the same, bit for bit; ``number`` is added to the number of a stage of the source."""
    own, its = network.state_dict(), source.state_dict()
    moved = {re.sub(r"(?<=^stages\.|^blocks\.)\d+", lambda m: str(int(m[0]) + number), key): its[key] for key in its}
    return {key for key in own if key in moved and torch.equal(own[key], moved[key])}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_inner_layer_is_taken_over_bit_for_bit(name, monkeypatch):
    monkeypatch.setattr(growing, "STEPS", 2)
    source = trained(name)
    gan = make(name, 64, ARCHITECTURES[name][2])
    before = copy.deepcopy((source.generator.state_dict(), source.discriminator.state_dict()))
    start_from(gan, source, "small", fade_kimg=5)

    inner = {key for key in source.generator.state_dict() if not key.startswith("to_rgb.")}
    assert inner <= equal(gan.generator, source.generator)
    first = ("from_rgb", "stages.0.", "blocks.0.") if name not in ("r3gan", "stylegan2") else ("from_rgb",)
    inner = {key for key in source.discriminator.state_dict() if not key.startswith(first)}
    number = 2 if name == "dcgan_plus" else 1
    assert len(equal(gan.discriminator, source.discriminator, number)) >= len(inner)
    assert equal(gan.generator_ema, gan.generator) == gan.generator.state_dict().keys()
    assert gan.fade == Fade(2, 5)
    assert all(p.requires_grad for p in (*gan.generator.parameters(), *gan.discriminator.parameters()))
    assert all(m.training for network in (gan.generator, gan.discriminator) for m in network.modules())
    for old, network in zip(before, (source.generator, source.discriminator), strict=True):
        assert all(torch.equal(old[key], value) for key, value in network.state_dict().items())


def error(gan, source):
    """Relative errors of the pictures and of the discriminator's features after growing."""
    z = Normal(8).sample(16, torch.Generator().manual_seed(9))
    with torch.no_grad():
        small = source.generator(z)
        pairs = [(gan.generator_ema(z), enlarge(small, 2))]
        pairs += [(copy.deepcopy(gan.discriminator).eval().features(pairs[0][1]), source.discriminator.features(small))]
    return [float((new - old).square().mean() / old.var()) for new, old in pairs]


def test_the_first_pictures_are_those_of_the_model_enlarged(monkeypatch):
    source = trained("dcgan_plus", width=64)
    colours = source.generator.to_rgb[0].weight
    colours.copy_(100 * colours.mean((2, 3), keepdim=True))  # smooth pictures; random weights draw faint noise
    errors = []
    for steps in (1, 60):
        monkeypatch.setattr(growing, "STEPS", steps)
        gan = make("dcgan_plus", 64, 32)
        start_from(gan, source, "small", 5)
        errors.append(error(gan, source))
    assert all(fitted < 0.3 * first for first, fitted in zip(*errors, strict=True)), errors


def test_a_start_is_repeatable_and_depends_on_no_global_state(monkeypatch):
    monkeypatch.setattr(growing, "STEPS", 3)
    gans = []
    for _ in range(2):
        gans.append(make("dcgan", 64, 4))
        torch.manual_seed(len(gans))
        start_from(gans[-1], trained("dcgan"), "small", 5)
    state = gans[1].state_dict()
    assert all(torch.equal(value, state[key]) for key, value in gans[0].state_dict().items())


def test_the_same_resolution_takes_everything_and_fits_nothing(monkeypatch):
    monkeypatch.setattr(growing, "fit_tensors", None)
    source, gan = trained("dcgan"), make("dcgan", 32, 8)
    start_from(gan, source, "small", 5)
    for network, other in ((gan.generator_ema, source.generator), (gan.discriminator, source.discriminator)):
        assert equal(network, other) == network.state_dict().keys()
    assert gan.fade is None


def test_what_cannot_grow_is_refused(monkeypatch):
    monkeypatch.setattr(growing, "STEPS", 1)
    with pytest.raises(
        UserError, match=r"init=small cannot grow to 64 pixels: \d+ tensors of its generator do not fit"
    ):
        start_from(make("dcgan", 64, 8), trained("dcgan"), "small", 5)
    gan = make("dcgan", 64, 4)
    gan.discriminator = make("dcgan", 64, 2).discriminator
    message = r"growing the discriminator: init gives features of shape \(32, 4, 4\), the new network \(16, 4, 4\)"
    with pytest.raises(UserError, match=message):
        start_from(gan, trained("dcgan"), "small", 5)
    with pytest.raises(UserError, match="a resnet grows from 32 to 64 pixels only"):
        start_from(make("resnet", 128, 32), trained("resnet", 64), "small", 5)
    with pytest.raises(UserError, match="init=large has 64 pixels, more than resolution=32: give resolution from 64"):
        start_from(make("dcgan", 32, 8), trained("dcgan", 64, 4), "large", 5)
