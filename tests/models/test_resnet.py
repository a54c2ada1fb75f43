import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from ganfill.models.resnet import Discriminator, Down, Generator, Up, stage_widths


@pytest.mark.parametrize(
    ("resolution", "widths"),
    [
        (32, [512, 256, 128, 64]),
        (64, [1024, 512, 256, 128, 64]),
        (128, [1024, 1024, 512, 256, 128, 64]),  # those of the paper
        (256, [1024, 1024, 1024, 512, 256, 128, 64]),
    ],
)
def test_widths_double_towards_4x4(resolution, widths):
    assert stage_widths(resolution, 1024) == widths


@pytest.mark.parametrize("width", [0, 8, 100])
def test_widths_that_have_no_sixteenth_are_refused(width):
    with pytest.raises(ValueError, match=f"multiple of 16, got {width}"):
        Generator(64, 8, width)


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_parameter_counts_at_64():
    """12.2 and 10.1 million, 3.6 and 2.5 at half the width: counts of the published networks, biases included."""
    with torch.device("meta"):
        assert (count(Generator()), count(Discriminator())) == (12_220_675, 10_141_441)
        assert (count(Generator(width=512)), count(Discriminator(width=512))) == (3_586_179, 2_537_345)


def test_state_dict_keys_are_frozen():
    generator, discriminator = Generator(32, 8, 16).state_dict(), Discriminator(32, 16).state_dict()
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    block = [f"residual.0.{key}" for key in norm] + ["residual.2.weight", "residual.2.bias"]
    block += [f"residual.3.{key}" for key in norm] + ["residual.5.weight", "residual.5.bias"]
    block += ["shortcut.weight", "shortcut.bias"]
    wanted = ["stages.0.weight", "stages.0.bias"] + [f"stages.{i}.{key}" for i in (1, 2, 3) for key in block]
    wanted += [f"to_rgb.0.{key}" for key in norm] + ["to_rgb.2.weight", "to_rgb.2.bias"]
    assert list(generator) == wanted
    layers = [f"stages.{i}.{layer}" for i in range(4) for layer in ("into", "out", "shortcut")]
    assert list(discriminator) == [f"{layer}.{k}" for layer in [*layers, "to_logit"] for k in ("weight", "bias", "u")]


def test_an_up_block_is_the_published_one():
    torch.manual_seed(0)
    block, features = Up(6, 4).eval(), torch.randn(2, 6, 4, 4)
    first, enlarge, second, last = (block.residual[i] for i in (0, 2, 3, 5))
    larger = F.interpolate(F.relu(first(features)), scale_factor=2)
    hidden = F.conv2d(larger, enlarge.weight.transpose(0, 1).flip(2, 3), enlarge.bias, padding=1)
    wanted = last(F.relu(second(hidden))) + block.shortcut(F.interpolate(features, scale_factor=2))
    torch.testing.assert_close(block(features), wanted)


@pytest.mark.parametrize(("c_in", "halve", "first"), [(4, True, False), (3, True, True), (4, False, False)])
def test_a_down_block_is_the_published_one(c_in, halve, first):
    torch.manual_seed(0)
    block, features = Down(c_in, 6, halve, first).eval(), torch.randn(2, c_in, 8, 8)
    assert block.into.out_channels == (6 if first else c_in)

    def scaled(layer):
        u, weight = layer.u, layer.weight.flatten(1)
        return layer.weight / (weight @ F.normalize(weight.T @ u, dim=0)).norm()

    hidden = F.conv2d(features if first else F.relu(features), scaled(block.into), block.into.bias, padding=1)
    residual = F.conv2d(F.relu(hidden), scaled(block.out), block.out.bias, padding=1)
    shortcut = F.conv2d(features, scaled(block.shortcut), block.shortcut.bias)
    wanted = F.avg_pool2d(residual + shortcut, 2) if halve else residual + shortcut
    torch.testing.assert_close(block(features), wanted)


def test_weights_are_glorots_and_biases_0():
    torch.manual_seed(0)
    block = Up(64, 32).requires_grad_(False)
    bounds = {
        block.residual[2]: (2 * 6 / (9 * 96)) ** 0.5,
        block.residual[5]: (2 * 6 / (9 * 64)) ** 0.5,
        block.shortcut: (6 / 96) ** 0.5,
    }
    for layer, bound in bounds.items():
        assert layer.weight.abs().max() == pytest.approx(bound, rel=0.01) and not layer.bias.any()
    discriminator = Discriminator(32, 16)
    assert not any(p.any() for name, p in discriminator.named_parameters() if name.endswith("bias"))


def test_every_layer_of_the_discriminator_has_spectral_norm():
    layers = [m for m in Discriminator(64, 16).modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == 16 and all(layer.get_buffer("u").shape == (len(layer.weight),) for layer in layers)


def test_statistics_of_untrained_networks():
    torch.manual_seed(0)
    generator, discriminator = Generator(64, 128, 128), Discriminator(64, 128)
    images = generator(torch.randn(16, 128))
    assert abs(images.mean()) < 0.5 and 0.3 < images.std() < 0.8 and images.abs().max() <= 1
    for _ in range(20):
        logits = discriminator(images)
    assert logits.abs().max() < 20 and logits.std() > 1e-4
