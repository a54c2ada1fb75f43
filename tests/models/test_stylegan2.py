import copy
from functools import partial

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ganfill.api import Model
from ganfill.config import build, compose
from ganfill.model_io import model_file
from ganfill.models.latent import Normal
from ganfill.models.modulated import Dense
from ganfill.models.stylegan2 import Discriminator, Generator, stage_widths

TINY = {"width": 8, "base": 256}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def generator():
    return Generator(32, 8, **TINY, w_dim=6)


@pytest.fixture
def discriminator():
    return Discriminator(32, **TINY)


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_one_rule_gives_the_widths_of_every_resolution():
    assert stage_widths(64, 512, 16384) == [512, 512, 512, 512, 256]
    assert stage_widths(64, 256, 4096) == [256, 256, 256, 128, 64]
    assert stage_widths(32, 256, 4096) == [256, 256, 256, 128]
    assert stage_widths(256, 512, 16384) == [512, 512, 512, 512, 256, 128, 64]
    with pytest.raises(ValueError, match="a power of two from 32 to 1024, got 48"):
        stage_widths(48, 8, 256)
    with pytest.raises(ValueError, match="width=8 base=31 leave no channels"):
        stage_widths(32, 8, 31)


@pytest.mark.parametrize(
    ("option", "dim", "parameters", "macs"),
    [
        # NVIDIA's cfg=auto for 64 pixels has 4608 more in D, which see the deviation of the batch, and a noise
        # strength for each of 9 layers in G.
        ("stylegan2", 512, (22_243_599, 23_402_753), (7.66, 7.91)),
        ("stylegan2_lite", 256, (4_366_031, 4_725_313), (0.71, 0.74)),
    ],
)
def test_parameters_and_multiplications_at_64(option, dim, parameters, macs):
    config = compose("train", ["out=o", f"model={option}", f"latent.dim={dim}"])
    with torch.device("meta"):
        networks = build(config.model.generator), build(config.model.discriminator)
        inputs = torch.randn(1, dim), torch.randn(1, 3, 64, 64)
    assert tuple(map(count, networks)) == parameters
    for network, x, expected in zip(networks, inputs, macs, strict=True):
        with FlopCounterMode(display=False) as counter:
            network(x)
        assert counter.get_total_flops() / 2e9 == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("resolution", [32, 64, 128, 256])
def test_shapes_and_gradients(resolution):
    generator, discriminator = Generator(resolution, 8, 4, 256, 6), Discriminator(resolution, 4, 256)
    images = generator(torch.randn(2, 8))
    logits = discriminator(images)
    assert images.shape == (2, 3, resolution, resolution) and images.dtype == torch.float32
    assert logits.shape == (2,) and discriminator.features(images).shape == (2, 4, 4, 4)
    logits.sum().backward()
    for parameter in [*generator.parameters(), *discriminator.parameters()]:
        assert parameter.grad is not None and parameter.grad.isfinite().all()


def test_state_dict_keys_are_frozen(generator, discriminator):
    layer = ("weight", "bias", "affine.weight", "affine.bias")
    layers = [
        *("blocks.0.convolutions.0", "blocks.0.to_rgb"),
        *("blocks.1.convolutions.0", "blocks.1.convolutions.1", "blocks.1.to_rgb"),
        *("blocks.2.convolutions.0", "blocks.2.convolutions.1", "blocks.2.to_rgb"),
        *("blocks.3.convolutions.0", "blocks.3.convolutions.1", "blocks.3.to_rgb"),
    ]
    mapping = [f"mapping.{i}.{name}" for i in (0, 1) for name in ("weight", "bias")]
    assert list(generator.state_dict()) == [
        "constant",
        *mapping,
        *(f"{each}.{name}" for each in layers for name in layer),
    ]
    parts = [("from_rgb", True)]
    for i in range(3):
        parts += [
            (f"blocks.{i}.convolutions.0", True),
            (f"blocks.{i}.convolutions.1", True),
            (f"blocks.{i}.skip", False),
        ]
    parts += [("convolution", True), ("dense", True), ("to_logit", True)]
    keys = [f"{part}.{name}" for part, bias in parts for name in (("weight", "bias") if bias else ("weight",))]
    assert list(discriminator.state_dict()) == keys


def test_weights_are_kept_with_unit_variance_and_the_mappings_learn_at_a_hundredth():
    generator, discriminator = Generator(32, 64, 64, 1024, 64), Discriminator(32, 64, 1024)
    for name, parameter in [*generator.named_parameters(), *discriminator.named_parameters()]:
        if name.endswith("bias"):
            assert torch.equal(parameter, torch.full_like(parameter, float("affine" in name)))
        else:
            assert parameter.std().item() == pytest.approx(100 if "mapping" in name else 1, rel=0.15)
    layer, slow = Dense(4, 4), Dense(4, 4, rate=0.01)
    x = torch.randn(64, 4)
    moved = []
    for each in (layer, slow):
        before = each(x).detach()
        with torch.no_grad():
            each.weight += 1
            each.bias += 1
        moved.append(each(x).detach() - before)
    torch.testing.assert_close(moved[1], 0.01 * moved[0], atol=1e-5, rtol=1e-3)


def test_only_the_direction_of_z_counts(generator):
    z = torch.randn(4, 8)
    torch.testing.assert_close(generator(3 * z), generator(z), atol=1e-4, rtol=1e-4)
    assert (generator(z)[0] - generator(z)[1]).abs().max() > 0.1


def test_level_1_is_a_w_for_every_layer(generator):
    z = torch.randn(3, 8)
    ws = generator.forward_until(z, 1)
    assert ws.shape == (3, 8, 6) and torch.equal(ws, ws[:, :1].expand_as(ws))
    assert torch.equal(generator.forward_from(ws, 1), generator(z)) and torch.equal(
        generator.forward_from(z, 0), generator(z)
    )
    assert generator.forward_until(z, 0) is z
    for act in (
        partial(generator.forward_until, z, 2),
        partial(generator.forward_from, ws, 2),
    ):
        with pytest.raises(ValueError, match=r"stages 0 \(z\) and 1 \(a w for every layer\), got 2: use 1"):
            act()


def test_each_w_has_its_layers(generator):
    ws = torch.randn(1, 8, 6)
    images = generator.forward_from(ws, 1)
    changes = []
    for layer in range(8):
        other = ws.clone()
        other[:, layer] += 1
        changes.append((generator.forward_from(other, 1) - images)[0])
    assert all(change.abs().max() > 0.01 for change in changes)
    # The last w colours features that stay as they are: nothing but one linear map of them.
    twice = ws.clone()
    twice[:, 7] += 2
    torch.testing.assert_close((generator.forward_from(twice, 1) - images)[0], 2 * changes[7], atol=1e-5, rtol=1e-4)


def test_networks_treat_pictures_one_by_one(generator, discriminator):
    z = torch.randn(4, 8)
    images = generator(z)
    torch.testing.assert_close(generator(z[:1]), images[:1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(discriminator(images[:1]), discriminator(images)[:1], atol=1e-5, rtol=1e-5)


def test_a_gradient_penalty_goes_backward_twice():
    """R1's gradient with respect to the weights against finite differences."""
    discriminator, images = Discriminator(32, **TINY).double(), torch.randn(2, 3, 32, 32).double()

    def penalty():
        x = images.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
        return gradient.square().sum()

    weights = [p for p in discriminator.parameters() if p.ndim > 1]
    gradients = torch.autograd.grad(penalty(), weights)
    for weight, gradient in zip(weights, gradients, strict=True):
        direction = gradient / gradient.norm()
        values = []
        for step in (1e-6, -2e-6):
            weight.data += step * direction
            values.append(penalty().item())
        weight.data += 1e-6 * direction
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(gradient.norm().item(), rel=1e-3)


def test_bfloat16_in_channels_last_is_close_to_float32(generator, discriminator):
    z = torch.randn(4, 8)
    exact = generator(z)
    logits = discriminator(exact)
    logits.sum().backward()
    coarse_g, coarse_d = copy.deepcopy(generator), copy.deepcopy(discriminator)
    for network in (coarse_g, coarse_d):
        network.zero_grad()
        network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(coarse_g(z), exact, atol=1e-5, rtol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(coarse_g.forward_until(z, 1), generator.forward_until(z, 1))
        images = coarse_g(z)
        coarse = coarse_d(images)
    assert images.dtype == coarse.dtype == torch.float32
    assert ((images - exact).square().mean() < 4e-4 * exact.square().mean()).item()
    torch.testing.assert_close(coarse, logits, atol=0.02, rtol=0.02)
    coarse.sum().backward()
    for network, other in ((generator, coarse_g), (discriminator, coarse_d)):
        ours, theirs = (torch.cat([p.grad.flatten() for p in each.parameters()]) for each in (network, other))
        assert torch.cosine_similarity(ours, theirs, dim=0) > 0.99


def test_a_model_file_holds_it_with_kernels_in_16_bits(generator, discriminator, tmp_path):
    def part(network, arguments):
        return {"class": f"ganfill.models.stylegan2.{type(network).__name__}", "arguments": arguments}

    card = {
        "generator": part(generator, {"resolution": 32, "latent_dim": 8, **TINY, "w_dim": 6}),
        "discriminator": part(discriminator, {"resolution": 32, **TINY}),
        "latent": {"class": "ganfill.models.latent.Normal", "arguments": {"dim": 8}},
        "resolution": 32,
    }
    model = Model(generator, discriminator, Normal(8), 32, 0.5, torch.zeros(3, 32, 32), card)
    z = torch.randn(3, 8)
    sizes = []
    for half in (False, True):
        model_file.save(tmp_path / "model.safetensors", model, half)
        loaded = model_file.load(tmp_path / "model.safetensors")
        sizes.append((tmp_path / "model.safetensors").stat().st_size)
        images = generator(z)
        torch.testing.assert_close(loaded.generator(z), images, atol=0.02 if half else 1e-5, rtol=0)
        torch.testing.assert_close(loaded.discriminator(images), discriminator(images), atol=0.01, rtol=0.01)
    assert sizes[1] < 0.8 * sizes[0]
