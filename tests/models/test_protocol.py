"""What every architecture of ``conf/model`` promises to the trainings, the searches and the model file."""

import copy

import pytest
import torch

from ganfill import config
from ganfill.api import Model
from ganfill.model_io import model_file
from ganfill.models.latent import Normal
from ganfill.training.export import part

# Settings that make an architecture small; one that is not named here is tested as large as it is.
SMALL = {
    "dcgan": ["model.width=4"],
    "dcgan_plus": ["model.width=4"],
    "resnet": ["model.width=64"],
    "r3gan": ["model.width=32", "model.blocks=1"],
    "stylegan2": ["model.width=32", "model.base=512", "model.w_dim=16"],
    "stylegan2_lite": ["model.width=16", "model.base=256", "model.w_dim=16"],
}
COUPLED = {"dcgan"}  # as published, with batch norm in the discriminator
MAPPED = {"stylegan2", "stylegan2_lite"}  # at level 1 they have a w for every layer, (N, layers, d), and no level 2
VARIANTS = ["dcgan_plus spectral"]  # an option with something of the discriminator's switched on
OPTIONS = [(name, resolution) for name in [*config.options("model"), *VARIANTS] for resolution in (32, 64)]


class Pair:
    """Both networks of an option with fixed weights, their configuration, z and pictures."""

    def __init__(self, name, resolution):
        torch.manual_seed(0)
        model, *switches = name.split()
        words = ["data=synthetic", "out=unused", f"model={model}", "latent.dim=16", f"resolution={resolution}"]
        words += SMALL.get(model, []) + [f"model.discriminator.{switch}=true" for switch in switches]
        self.name, self.resolution = name, resolution
        self.node = config.compose("train", words).model
        self.generator = config.build(self.node.generator)
        self.discriminator = config.build(self.node.discriminator)
        for weight in (*self.generator.parameters(), *self.discriminator.parameters()):
            if not weight.any():  # what begins as 0 would hide what it multiplies
                torch.nn.init.normal_(weight, 0, 0.05)
        self.z = torch.randn(4, 16)
        self.images = torch.rand(4, 3, resolution, resolution) * 2 - 1

    def evaluated(self):
        return self.generator.eval(), self.discriminator.eval()


@pytest.fixture(params=OPTIONS, ids=[f"{name}-{resolution}" for name, resolution in OPTIONS])
def pair(request):
    return Pair(*request.param)


def off(found, wanted):
    """Root mean square error, relative to the spread of what is wanted."""
    return ((found - wanted).square().mean().sqrt() / wanted.std()).item()


def test_shapes(pair):
    assert pair.generator.resolution == pair.discriminator.resolution == pair.resolution
    assert pair.generator.latent_dim == 16
    images = pair.generator(pair.z)
    assert images.shape == pair.images.shape and images.dtype == torch.float32
    assert images.isfinite().all() and images.abs().max() < 10
    logits, features = pair.discriminator(images), pair.discriminator.features(images)
    assert logits.shape == (4,) and logits.isfinite().all()
    assert features.ndim == 4 and len(features) == 4 and features.shape[2:] == (4, 4)


def test_the_generator_can_be_taken_apart_at_any_stage(pair):
    generator, _ = pair.evaluated()
    images = generator(pair.z)
    assert torch.equal(generator.forward_until(pair.z, 0).flatten(1), pair.z)
    assert torch.equal(generator.forward_from(generator.forward_until(pair.z, 1), 1), images)
    levels = 2 if pair.name in MAPPED else pair.resolution.bit_length() - 2
    assert generator.forward_until(pair.z, 1).ndim == (3 if pair.name in MAPPED else 4)
    for level in range(levels):
        features = generator.forward_until(pair.z, level)
        assert len(features) == 4
        torch.testing.assert_close(generator.forward_from(features, level), images)


def test_gradients_reach_every_weight(pair):
    pair.discriminator(pair.generator(pair.z)).sum().backward()
    for network in (pair.generator, pair.discriminator):
        gradients = {name: p.grad for name, p in network.named_parameters()}
        assert not [name for name, gradient in gradients.items() if gradient is None or not gradient.any()]
        assert not [name for name, gradient in gradients.items() if not gradient.isfinite().all()]


def test_a_gradient_penalty_has_finite_gradients(pair):
    images = pair.images.requires_grad_()
    slope = torch.autograd.grad(pair.discriminator(images).sum(), images, create_graph=True)[0]
    slope.square().sum().backward()
    gradients = [p.grad for p in pair.discriminator.parameters() if p.grad is not None]
    assert slope.any() and any(gradient.any() for gradient in gradients)
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_bfloat16_is_close_to_float32(pair):
    generator, discriminator = pair.evaluated()
    images, logits = generator(pair.z), discriminator(pair.images)
    features = discriminator.features(pair.images)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert off(generator(pair.z).float(), images) < 0.03
        assert off(discriminator.features(pair.images).float(), features) < 0.03
        found = discriminator(pair.images).float()
    assert (found - logits).abs().max() < 0.1 * logits.abs().max()
    with torch.autocast("cpu", torch.bfloat16):
        loss = discriminator(generator(pair.z)).float().sum()
    loss.backward()
    assert all(p.grad.isfinite().all() for p in generator.parameters())


def test_channels_last_memory_gives_the_same(pair):
    generator, discriminator = pair.evaluated()
    images, logits = generator(pair.z), discriminator(pair.images)
    for network in pair.evaluated():
        network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(generator(pair.z), images, atol=1e-5, rtol=1e-4)
    found = discriminator(pair.images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(found, logits, atol=1e-5, rtol=1e-4)


def test_a_logit_in_training_depends_on_one_picture_alone(pair):
    first, second = copy.deepcopy(pair.discriminator).train(), copy.deepcopy(pair.discriminator).train()
    mates = torch.cat([pair.images[:1], 3 * pair.images[1:].flip(3)])
    close = torch.allclose(first(pair.images)[0], second(mates)[0], atol=1e-5, rtol=1e-4)
    assert close != (pair.name in COUPLED)


def test_evaluated_networks_keep_their_state_and_treat_pictures_one_by_one(pair):
    generator, discriminator = pair.evaluated()
    before = copy.deepcopy(discriminator.state_dict())
    images, logits = generator(pair.z), discriminator(pair.images)
    torch.testing.assert_close(generator(pair.z[:1]), images[:1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(discriminator(pair.images[:1]), logits[:1], atol=1e-5, rtol=1e-4)
    assert torch.equal(discriminator(pair.images), logits)
    assert all(torch.equal(value, before[name]) for name, value in discriminator.state_dict().items())


@pytest.mark.parametrize("half", [False, True])
def test_a_model_file_keeps_them(pair, half, tmp_path):
    generator, discriminator = pair.evaluated()
    node = config.to_plain(pair.node)
    card = {name: part(node[name]) for name in ("generator", "discriminator")}
    card |= {"latent": {"class": "ganfill.models.latent.Normal", "arguments": {"dim": 16}}}
    card |= {"resolution": pair.resolution}
    mean = torch.zeros(3, pair.resolution, pair.resolution)
    model = Model(generator, discriminator, Normal(16), pair.resolution, 0.0, mean, card)
    model_file.save(tmp_path / "model.safetensors", model, half)
    loaded = model_file.load(tmp_path / "model.safetensors")
    assert list(loaded.discriminator.state_dict()) == list(discriminator.state_dict())
    bound = 0.01 if half else 1e-5
    assert off(loaded.generator(pair.z), generator(pair.z)) < bound
    logits = discriminator(pair.images)
    assert (loaded.discriminator(pair.images) - logits).abs().max() < bound * logits.abs().max()
    assert torch.equal(loaded.discriminator(pair.images), loaded.discriminator(pair.images))


def test_other_resolutions_are_refused():
    for name in config.options("model"):
        words = ["data=synthetic", "out=unused", f"model={name}", "resolution=48"]
        node = config.compose("train", words).model
        for network in (node.generator, node.discriminator):
            with pytest.raises(config.UserError, match="48"):
                config.build(network)
